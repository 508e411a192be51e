//! `strixlock advisory draft`

use serde_json::json;

use crate::advisories::{Advisory, Since, Software, draft};
use crate::cli::Session;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::lock::{Judged, Lock};
use crate::suggest::suggest;
use crate::text;
use crate::validate::{Device, Outcome, Validation, last_failed, of_rocm};

#[derive(Debug, clap::Args)]
pub struct DraftArgs {
    /// Input whose version is bad [default: the source of llama.cpp, or ROCm if its own tools or the device failed]
    #[arg(value_name = "INPUT")]
    input: Option<String>,
}

/// Prints an entry for a document of advisories, made from the last failed validation.
pub(super) fn run(args: &DraftArgs, session: &Session) -> Result<()> {
    let directory = session.project.directory().join("validation");
    let Some((name, validation)) = last_failed(&directory)? else {
        return Err(Error::new(Kind::NotFound, "no validation failed")
            .fact("directory", directory.display())
            .hint("`strixlock validate` checks what is realized, and a failed validation can be drafted"));
    };
    let file = directory.join(format!("{name}.json"));
    let lock = lock_of(session, &validation)?.ok_or_else(|| {
        Error::new(Kind::NotFound, "the lock of the last failed validation is gone")
            .fact("record", file.display())
            .fact("lock", validation.lock)
            .hint("`strixlock validate` checks the lock that is here")
    })?;
    let pins = lock.judged();
    let pin = choose(&pins, args.input.as_deref(), &validation)?;
    let advisory = advisory(pin, &validation);
    let seen = seen(pin, &validation, &name);
    let text = draft(&advisory, &seen, Since::Seen);
    let value = json!({
        "advisory": advisory,
        "input": pin.input,
        "version": pin.version,
        "validation": file.display().to_string(),
        "to-fill-in": ["source"],
        "text": text,
    });
    session.ui.result(value, || session.ui.line(text.trim_end()));
    Ok(())
}

/// Returns the lock that was validated: the one here, or that of the generation.
fn lock_of(session: &Session, validation: &Validation) -> Result<Option<Lock>> {
    let is_it = |lock: &Lock| Ok::<_, Error>(Sha256Digest::of(lock.to_text()?.as_bytes()) == validation.lock);
    if let Some(lock) = session.lock_if_there()?
        && is_it(lock)?
    {
        return Ok(Some(lock.clone()));
    }
    let profile = session.profile()?;
    for number in profile.generations()?.into_iter().rev() {
        let lock = Lock::parse(&fs_err::read_to_string(profile.generation_lock(number))?)?;
        if is_it(&lock)? {
            return Ok(Some(lock));
        }
    }
    Ok(None)
}

/// Returns the pin that a person names, else the one that failed most likely.
fn choose<'p, 'l>(pins: &'p [Judged<'l>], asked: Option<&str>, validation: &Validation) -> Result<&'p Judged<'l>> {
    let names = || pins.iter().map(|pin| pin.input);
    if let Some(name) = asked {
        return pins.iter().find(|pin| pin.input == name).ok_or_else(|| {
            Error::new(Kind::Usage, format!("no advisory can be about input `{name}`"))
                .fact("expected", "a ROCm build, or a source that llama.cpp is built from")
                .hint(suggest(name, names()))
        });
    }
    let likely = if of_rocm(validation) { Software::Rocm } else { Software::LlamaCpp };
    pins.iter().find(|pin| pin.pinned.software() == likely).or_else(|| pins.first()).ok_or_else(|| {
        Error::new(Kind::NotFound, "the lock has no version that an advisory can be about")
            .fact("expected", "a ROCm build, or a source that llama.cpp is built from")
            .hint("`strixlock lock show` lists what it has")
    })
}

fn advisory(pin: &Judged, validation: &Validation) -> Advisory {
    let first = pin.pinned.first();
    let failed: Vec<&str> = validation.failed().collect();
    // What is wrong on the CPU is so with every backend and GPU.
    let on_gpu = validation.device == Device::Gpu;
    let about = pin.pinned.software();
    Advisory {
        id: id(&format!("{}-{first}", pin.input)),
        about,
        what: format!(
            "these checks of a validation on the {} fail: {}",
            validation.device.name().to_uppercase(),
            failed.join(", ")
        ),
        backends: pin.used.backends.iter().filter(|_| on_gpu).map(|name| (*name).to_owned()).collect(),
        targets: pin.used.targets.iter().filter(|_| on_gpu).map(|target| (*target).clone()).collect(),
        from: Some(first),
        until: None,
        good: None,
        kernels: None,
        source: String::new(),
    }
}

/// Returns a text as a name: lower-case letters, digits and hyphens.
pub(in crate::cli) fn id(text: &str) -> String {
    let sign = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(sign).collect()
}

/// Returns what was seen, line by line.
fn seen(pin: &Judged, validation: &Validation, name: &str) -> Vec<String> {
    let mut lines = vec![format!(
        "A draft from the validation {name} of {}: {} {}",
        text::date(validation.time),
        pin.input,
        pin.version
    )];
    lines.extend(validation.machine.as_ref().map(crate::validate::Machine::line));
    let failed = validation.checks.iter().filter(|check| check.outcome == Outcome::Failed);
    lines.extend(failed.map(|check| format!("{}: {}", check.name, check.found)));
    lines
}
