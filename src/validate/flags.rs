//! Command-line options by version: llama.cpp adds, removes and renames them, so its help is asked first.

use std::collections::BTreeSet;

use super::Device;
use super::runner::Runner;
use crate::error::Result;

/// An option with its value, if it takes one.
type Flag = &'static [&'static str];

/// All words in the help of a program.
pub(super) struct KnownFlags(BTreeSet<String>);

impl KnownFlags {
    /// Runs a program with `--help`.
    pub fn ask(runner: &Runner, name: &str, program: &str) -> Result<Self> {
        let ran = runner.run(&format!("{name}-help"), &[program.to_owned(), "--help".to_owned()])?;
        Ok(Self::in_help(&format!("{}\n{}", ran.stdout, ran.stderr)))
    }

    /// Reads the words of a help text.
    pub fn in_help(text: &str) -> Self {
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '|' | '[' | ']'));
        Self(words.map(str::to_owned).collect())
    }

    /// Returns the known ones among some options, as words of a command.
    pub fn of(&self, options: &[Flag]) -> Vec<String> {
        let known = options.iter().filter(|option| option.first().is_some_and(|name| self.0.contains(*name)));
        known.flat_map(|option| option.iter().map(|word| (*word).to_owned())).collect()
    }
}

/// Returns the options that put all work onto a device.
pub(super) fn device(device: Device) -> &'static [Flag] {
    match device {
        Device::Cpu => &[&["--n-gpu-layers", "0"], &["--device", "none"]],
        // This GPU's driver reads memory-mapped files slowly. Flash attention is faster on this GPU.
        Device::Gpu => &[&["--n-gpu-layers", "999"], &["--flash-attn", "1"], &["--load-mode", "none"]],
    }
}
