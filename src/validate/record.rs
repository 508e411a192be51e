//! Validations on disk: `validation/<lock digest>.json` for programs, `.md` for people, and a directory of logs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Outcome, Validation};
use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::store::replace_file;
use crate::text;

/// The files of a validation.
#[derive(Debug, Clone)]
pub struct Written {
    /// The record for programs.
    pub json: PathBuf,
    /// The page for people.
    pub page: PathBuf,
}

/// Returns the directory of logs for a lock.
#[must_use]
pub fn logs(directory: &Path, lock: Sha256Digest) -> PathBuf {
    directory.join(lock.hex())
}

/// Returns the validation of a lock, if there is one that can be read.
#[must_use]
pub fn of(directory: &Path, lock: Sha256Digest) -> Option<Validation> {
    let text = fs_err::read(directory.join(format!("{}.json", lock.hex()))).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Returns the newest validation with the same model and device. Records that cannot be read are skipped.
pub fn last(directory: &Path, like: &Validation) -> Result<Option<Validation>> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut newest: Option<Validation> = None;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let found = fs_err::read(&path).ok().and_then(|text| serde_json::from_slice::<Validation>(&text).ok());
        let found = found.filter(|found| found.model.sha256 == like.model.sha256 && found.device == like.device);
        if let Some(found) = found
            && newest.as_ref().is_none_or(|newest| newest.time <= found.time)
        {
            newest = Some(found);
        }
    }
    Ok(newest)
}

/// Writes a validation as record and page. The page lists the differences from the last one (`moved`).
pub fn write(directory: &Path, validation: &Validation, moved: Option<&[String]>) -> Result<Written> {
    fs_err::create_dir_all(directory)?;
    let name = validation.lock.hex();
    let (json, page) = (directory.join(format!("{name}.json")), directory.join(format!("{name}.md")));
    let mut text = serde_json::to_string_pretty(validation)
        .map_err(|error| Error::failure("cannot write the validation").because(&error))?;
    text.push('\n');
    replace_file(&json, text.as_bytes())?;
    replace_file(&page, self::page(validation, moved).as_bytes())?;
    Ok(Written { json, page })
}

/// Returns the text of the page. Text from models and programs is quoted as code, so that none of it is read as
/// Markdown.
fn page(validation: &Validation, moved: Option<&[String]>) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let verdict = if validation.passed() { "passed" } else { "failed" };
    let _ = writeln!(page, "# Validation on the {}: {verdict}\n", validation.device.name().to_uppercase());
    let _ = writeln!(page, "Lock `{}`, {}\n", validation.lock, text::date(validation.time));
    let model = &validation.model;
    let _ = writeln!(page, "Model {} of input `{}`: `{}`", code(&model.version), model.input, model.sha256);
    if let Some(facts) = &model.gguf {
        let _ = writeln!(page, "\n{}", code(&facts.summary()));
    }
    let _ = writeln!(page, "\n| check | outcome | found |\n| --- | --- | --- |");
    for check in &validation.checks {
        let outcome = match check.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "**failed**",
            Outcome::NotRun => "not run",
        };
        let _ = writeln!(page, "| {} | {outcome} | {} |", check.name, code(&check.found));
    }
    if let Some(generation) = &validation.generation {
        let number = |value: Option<f64>, unit: &str| {
            value.map_or_else(|| "not reported".to_owned(), |value| format!("{value:.2} {unit}"))
        };
        let _ = writeln!(page, "\n## Generation\n\n| what | |\n| --- | --- |");
        let _ = writeln!(page, "| loading | {} |", number(generation.load, "ms"));
        let _ = writeln!(page, "| prompt | {} |", number(generation.prompt_speed, "tokens per second"));
        let _ = writeln!(page, "| generation | {} |", number(generation.speed, "tokens per second"));
        let memory = generation.memory.map_or_else(|| "not measured; the run was too short".to_owned(), text::bytes);
        let _ = writeln!(page, "| memory of the process | {memory} |");
        let _ = writeln!(page, "| text | `{}` |\n", generation.sha256);
        for line in generation.text.lines() {
            let _ = writeln!(page, "    {}", line.chars().filter(|c| !c.is_control()).collect::<String>());
        }
    }
    if !validation.bench.is_empty() {
        let _ = writeln!(page, "\n## llama-bench\n\n| test | tokens per second | backends |\n| --- | --- | --- |");
        for one in &validation.bench {
            let _ =
                writeln!(page, "| {} | {:.2} ± {:.2} | {} |", one.test, one.speed, one.deviation, code(&one.backends));
        }
    }
    let _ = writeln!(page, "\n## Since the last validation\n");
    match moved {
        None => page.push_str("There is no earlier validation with this model and device.\n"),
        Some([]) => page.push_str("No change beyond noise.\n"),
        Some(lines) => {
            for line in lines {
                let _ = writeln!(page, "- {}", code(line));
            }
        }
    }
    page
}

/// Quotes a text as code in a table cell.
fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .map(|c| if matches!(c, '`' | '|') { '\'' } else { c })
        .collect();
    format!("`{text}`")
}
