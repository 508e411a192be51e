//! The options that this version of a program knows: llama.cpp's come, go and change their names.

use std::collections::BTreeSet;

use super::Device;
use super::place::Place;
use crate::error::Result;

/// An option, with its value where it has one.
type Choice = &'static [&'static str];

/// All words of a program's help.
pub(super) struct Known(BTreeSet<String>);

impl Known {
    /// Asks a program for its help.
    pub fn ask(place: &Place, name: &str, program: &str) -> Result<Self> {
        let ran = place.run(&format!("{name}-help"), &[program.to_owned(), "--help".to_owned()])?;
        Ok(Self::in_help(&format!("{}\n{}", ran.stdout, ran.stderr)))
    }

    /// The words of a text.
    pub fn in_help(text: &str) -> Self {
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '|' | '[' | ']'));
        Self(words.map(str::to_owned).collect())
    }

    /// Those of the options that it knows, as words of a command.
    pub fn of(&self, options: &[Choice]) -> Vec<String> {
        let known = options.iter().filter(|option| option.first().is_some_and(|name| self.0.contains(*name)));
        known.flat_map(|option| option.iter().map(|word| (*word).to_owned())).collect()
    }
}

/// What keeps everything on the device.
pub(super) fn device(device: Device) -> &'static [Choice] {
    match device {
        Device::Cpu => &[&["--n-gpu-layers", "0"], &["--device", "none"]],
        // Mapped files are slow to reach for this GPU's driver, and fast attention is fast there.
        Device::Gpu => &[&["--n-gpu-layers", "999"], &["--flash-attn", "1"], &["--load-mode", "none"]],
    }
}
