//! A text from a fixed prompt, with a fixed seed and temperature 0.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::libraries::strays;
use super::options::{self, Known};
use super::place::{Place, Ran};
use super::subject::Subject;
use super::{Check, Device};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::text;

/// What a model is asked.
pub(super) const PROMPT: &str = "The llama is a domesticated animal of the Andes. Its name";
/// What chance begins with; at temperature 0 it decides nothing, and it is said all the same.
const SEED: &str = "1151";
/// Tokens to generate.
const TOKENS: &str = "48";

/// What was generated, and what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// What was run, in the sandbox.
    pub command: Vec<String>,
    /// What came out.
    pub text: String,
    /// The digest of that.
    pub sha256: Sha256Digest,
    /// What llama.cpp chose to compute on, as it says it.
    pub devices: Vec<String>,
    /// The most memory that the process was seen to have, in bytes; a GPU's own is not in it.
    pub memory: Option<u64>,
    /// Milliseconds until the model was loaded.
    pub load: Option<f64>,
    /// Tokens of the prompt in a second.
    pub prompt_speed: Option<f64>,
    /// Generated tokens in a second.
    pub speed: Option<f64>,
    /// The files of all libraries that were loaded, as the loader tells them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub libraries: BTreeSet<String>,
}

pub(super) fn generate(
    place: &Place,
    subject: &Subject,
    device: Device,
    checks: &mut Vec<Check>,
) -> Result<Option<Generation>> {
    const NAME: &str = "generation";
    // llama-cli became a chat program; what it did before is llama-completion's job now.
    let programs = ["llama-completion", "llama-cli"].into_iter();
    let Some((name, program)) = { programs }.find_map(|name| Some((name, subject.program(name)?))) else {
        checks.push(Check::not_run(NAME, "the build has neither llama-completion nor llama-cli"));
        return Ok(None);
    };
    let command = command(place, subject, device, program)?;
    let ran = place.run("generate", &command)?;
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
        Check::failed(NAME, "it ended without a text")
    } else {
        Check::passed(NAME, format!("{} in {}", generation.sha256, text::bytes(generation.text.len() as u64)))
    });
    checks.push(libraries(subject, name, &ran)?);
    if device == Device::Gpu {
        let on_gpu = generation.devices.iter().any(|device| device.contains("ROCm"));
        let found = generation.devices.join("; ");
        checks.push(if on_gpu {
            Check::passed("GPU", found)
        } else {
            Check::failed("GPU", format!("not used; {found}"))
        });
    }
    Ok(Some(generation))
}

/// The command, with those of the options that this version of the program knows.
fn command(place: &Place, subject: &Subject, device: Device, program: String) -> Result<Vec<String>> {
    let known = Known::ask(place, "generate", &program)?;
    let mut command = vec![program, "-m".to_owned(), subject.model_path()];
    command.extend(["-p", PROMPT, "-n", TOKENS].map(str::to_owned));
    command.extend(known.of(&[
        &["--seed", SEED],
        &["--temp", "0"],
        // Where a model ends its text is chance too, if its weights are.
        &["--ignore-eos"],
        // The model's own may be larger than the memory.
        &["--ctx-size", "512"],
        &["--no-conversation"],
        &["--no-display-prompt"],
        &["--simple-io"],
        &["--no-warmup"],
        // It tells how fast it was; some versions do so only when asked.
        &["--perf"],
    ]));
    command.extend(known.of(options::device(device)));
    if device == Device::Gpu {
        command.extend(known.of(&[&["--no-mmap"]]));
    }
    Ok(command)
}

fn libraries(subject: &Subject, program: &str, ran: &Ran) -> Result<Check> {
    const NAME: &str = "libraries";
    let Some(libraries) = &ran.libraries else {
        return Ok(Check::not_run(NAME, "the loader told more than could be read"));
    };
    let mut prefixes = vec![subject.recipe.prefix.as_str()];
    let mut own = subject.llama.listing()?.entries().to_vec();
    if let Some(rocm) = &subject.rocm {
        prefixes.push(&rocm.prefix);
        own.extend(rocm.tree.listing()?.entries().iter().cloned());
    }
    let has =
        |name: &str| own.iter().any(|entry| entry.path.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes()));
    let strays = strays(libraries, &prefixes, has);
    if !strays.is_empty() {
        return Ok(Check::failed(NAME, format!("from elsewhere: {}", strays.join(", "))));
    }
    if libraries.is_empty() {
        return Ok(if subject.is_static(program)? {
            Check::passed(NAME, "none: the program is statically linked")
        } else {
            Check::not_run(NAME, "the loader of the base system does not tell what it loads")
        });
    }
    let below = |prefix: &str| libraries.iter().filter(|path| path.starts_with(&format!("{prefix}/"))).count();
    let mut parts: Vec<String> = prefixes.iter().map(|prefix| format!("{} from {prefix}", below(prefix))).collect();
    let base = libraries.len() - prefixes.iter().map(|prefix| below(prefix)).sum::<usize>();
    parts.push(format!("{base} from the base system"));
    Ok(Check::passed(NAME, parts.join(", ")))
}

/// What llama.cpp says of a device that it uses.
fn chosen(line: &str) -> Option<String> {
    let (_, device) = line.split_once("using device ")?;
    Some(device.trim().to_owned())
}

/// The number before `unit` in the line about `what`: `prompt eval time = 12.3 ms / 14 tokens (..., 88.1 tokens per second)`.
pub(super) fn number(said: &str, what: &str, unit: &str) -> Option<f64> {
    let line =
        said.lines().find(|line| line.split_once('=').is_some_and(|(head, _)| head.trim_end().ends_with(what)))?;
    let (_, rest) = line.split_once('=')?;
    let (before, _) = rest.split_once(unit)?;
    before.split_whitespace().next_back()?.parse().ok().filter(|number: &f64| number.is_finite())
}
