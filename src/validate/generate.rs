//! Text generation from a fixed prompt, with a fixed seed and temperature 0.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::laid_over;
use super::libraries::strays;
use super::options::{ask, on};
use super::runner::{Ran, Runner};
use super::subject::Subject;
use super::{Check, Device};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::llama_source::{Options, Role, Wish};
use crate::text;

/// The prompt.
pub(super) const PROMPT: &str = "The llama is a domesticated animal of the Andes. Its name";
/// The random seed. It has no effect at temperature 0, and is set to be explicit.
const SEED: &str = "1151";
/// The number of tokens to generate.
const TOKENS: &str = "48";

/// The name of the check.
pub(super) const NAME: &str = "generation";

/// A generated text and its measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// The command that ran in the sandbox.
    pub command: Vec<String>,
    /// The generated text.
    pub text: String,
    /// The digest of the text.
    pub sha256: Sha256Digest,
    /// The devices that llama.cpp reports to use.
    pub devices: Vec<String>,
    /// The peak memory of the process, in bytes, without memory of the GPU's own.
    pub memory: Option<u64>,
    /// The load time of the model in milliseconds.
    pub load: Option<f64>,
    /// Prompt tokens per second.
    pub prompt_speed: Option<f64>,
    /// Generated tokens per second.
    pub speed: Option<f64>,
    /// The files of all loaded libraries, as the loader reports them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub libraries: BTreeSet<String>,
}

/// Generates a text and adds the checks of the run.
pub(super) fn generate(
    runner: &Runner,
    subject: &Subject,
    device: Device,
    checks: &mut Vec<Check>,
) -> Result<Option<Generation>> {
    let Some((name, program)) = subject.program_for(Role::Completion) else {
        checks.push(Check::not_run(NAME, format!("the build has none of {}", Role::Completion.names().join(", "))));
        return Ok(None);
    };
    let command = command(runner, subject, device, program)?;
    let ran = runner.run("generate", &command)?;
    if !ran.success {
        checks.push(Check::failed(NAME, ran.last_line()));
        return Ok(None);
    }
    let text = ran.stdout.trim_end().to_owned();
    let generation = Generation {
        sha256: Sha256Digest::of(text.as_bytes()),
        text,
        devices: ran.stderr.lines().filter_map(chosen).collect(),
        memory: ran.peak,
        load: number(&ran.stderr, " load time", "ms"),
        prompt_speed: number(&ran.stderr, " prompt eval time", "tokens per second"),
        speed: number(&ran.stderr, "  eval time", "tokens per second"),
        libraries: ran.libraries.clone().unwrap_or_default(),
        command,
    };
    checks.push(if generation.text.is_empty() {
        Check::failed(NAME, "the program generated no text")
    } else if let Some(only) = repeated(&generation.text) {
        Check::failed(NAME, format!("the text is the character `{only}`, again and again"))
    } else {
        Check::passed(NAME, format!("{} in {}", generation.sha256, text::bytes(generation.text.len() as u64)))
    });
    checks.push(libraries(subject, name, &ran)?);
    checks.extend(laid_over::check(subject, &ran));
    if device == Device::Gpu {
        let on_gpu = generation.devices.iter().any(|device| device.contains(subject.gpu_name()));
        let found = generation.devices.join("; ");
        checks.push(if on_gpu {
            Check::passed("GPU", found)
        } else {
            Check::failed("GPU", format!("not used; {found}"))
        });
    }
    Ok(Some(generation))
}

/// Returns the command, with only those options that this version of the program knows.
fn command(runner: &Runner, subject: &Subject, device: Device, program: String) -> Result<Vec<String>> {
    let options = ask(runner, "generate", &program)?;
    Ok(words(&options, device, program, &subject.model_path()))
}

/// Returns the command for a program that has these options.
pub(super) fn words(options: &Options, device: Device, program: String, model: &str) -> Vec<String> {
    let mut command = vec![program];
    for (wish, value) in [
        (Wish::Model, model),
        (Wish::Prompt, PROMPT),
        (Wish::Generated, TOKENS),
        (Wish::Seed, SEED),
        (Wish::Temperature, "0"),
        (Wish::IgnoreEnd, ""),
        // The default is the model's own size, which may exceed the memory.
        (Wish::Context, "512"),
        (Wish::NoConversation, ""),
        (Wish::NoPromptShown, ""),
        (Wish::SimpleTerminal, ""),
        (Wish::NoWarmUp, ""),
        (Wish::Speed, ""),
    ] {
        command.extend(options.words(wish, value));
    }
    command.extend(on(device, options));
    command
}

/// Checks the origin of each loaded library.
fn libraries(subject: &Subject, program: &str, ran: &Ran) -> Result<Check> {
    const NAME: &str = "libraries";
    let Some(libraries) = &ran.libraries else {
        return Ok(Check::not_run(NAME, "the report of the loader is too large"));
    };
    let mut prefixes = vec![subject.prefix.as_str()];
    let mut own = subject.llama.listing()?.entries().to_vec();
    for (prefix, tree) in subject.runtimes() {
        prefixes.push(prefix);
        own.extend(tree.listing()?.entries().iter().cloned());
    }
    let has =
        |name: &str| own.iter().any(|entry| entry.path.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes()));
    let strays = strays(libraries, &prefixes, has);
    if !strays.is_empty() {
        return Ok(Check::failed(NAME, format!("loaded from an unexpected place: {}", strays.join(", "))));
    }
    if libraries.is_empty() {
        return Ok(if subject.is_static(program)? {
            Check::passed(NAME, "none; the program is statically linked")
        } else {
            Check::not_run(NAME, "the loader of the base system does not report what it loads")
        });
    }
    let below = |prefix: &str| libraries.iter().filter(|path| path.starts_with(&format!("{prefix}/"))).count();
    let mut parts: Vec<String> = prefixes.iter().map(|prefix| format!("{} from {prefix}", below(prefix))).collect();
    let base = libraries.len() - prefixes.iter().map(|prefix| below(prefix)).sum::<usize>();
    parts.push(format!("{base} from the base system"));
    Ok(Check::passed(NAME, parts.join(", ")))
}

/// Returns the character of which a whole text consists. Builds with wrong kernels have printed such texts.
fn repeated(text: &str) -> Option<char> {
    let mut all = text.chars().filter(|c| !c.is_whitespace());
    let first = all.next()?;
    // A text of few characters may have one only.
    let mut count = 1;
    all.all(|c| {
        count += 1;
        c == first
    })
    .then_some(first)
    .filter(|_| count >= 16)
}

/// Returns the device from a line in which llama.cpp names a device that it uses.
fn chosen(line: &str) -> Option<String> {
    let (_, device) = line.split_once("using device ")?;
    Some(device.trim().to_owned())
}

/// Returns the number before `unit` in the line about `what`, such as
/// `prompt eval time = 12.3 ms / 14 tokens (..., 88.1 tokens per second)`.
pub(super) fn number(said: &str, what: &str, unit: &str) -> Option<f64> {
    let line =
        said.lines().find(|line| line.split_once('=').is_some_and(|(head, _)| head.trim_end().ends_with(what)))?;
    let (_, rest) = line.split_once('=')?;
    let (before, _) = rest.split_once(unit)?;
    before.split_whitespace().next_back()?.parse().ok().filter(|number: &f64| number.is_finite())
}
