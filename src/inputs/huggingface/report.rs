//! A model in REPRODUCIBLE.md and rebuild.sh.

use std::fmt::Write as _;

use super::HuggingfacePin;
use crate::inputs::model;
use crate::page::script::Script;
use crate::page::{cell, commands, fact};
use crate::text::shell_word;

pub(super) fn report(page: &mut String, pin: &HuggingfacePin) {
    fact(page, "repository", &pin.repo);
    fact(page, "commit", &pin.commit);
    for endpoint in &pin.endpoints {
        fact(page, "hub", endpoint.as_str());
    }
    model::report(page, pin.gguf.as_ref());
    fact(page, "files", &pin.files.len().to_string());
    let _ = writeln!(page, "\nThe files stand in a list at the end of this page.");
}

/// Writes the files with the commands that check them.
pub(super) fn lists(name: &str, page: &mut String, pin: &HuggingfacePin) {
    let _ = writeln!(page, "\n### Files of {}\n\n| file | bytes |\n| --- | --- |", cell(name));
    for file in &pin.files {
        let _ = writeln!(page, "| {} | {} |", cell(&file.path), file.size);
    }
    let _ =
        writeln!(page, "\nA gated or private repository asks for `-H \"Authorization: Bearer $HF_TOKEN\"` besides.");
    let lines: Vec<String> = pin
        .files
        .iter()
        .flat_map(|file| {
            let url = pin.urls(file).first().map(ToString::to_string).unwrap_or_default();
            [format!("curl -fL {} | sha256sum   # {}", shell_word(&url), file.sha256.hex())]
        })
        .collect();
    commands(page, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Adds the commands that download the files.
pub(super) fn rebuild(name: &str, pin: &HuggingfacePin, script: &mut Script) {
    script.functions(include_str!("rebuild.sh"));
    model::rebuild(name, &pin.files, "fetch_from_hub", |file| pin.urls(file), script);
}
