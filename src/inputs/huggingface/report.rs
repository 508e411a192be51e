//! A model on the page.

use std::fmt::Write as _;

use super::HuggingfacePin;
use crate::inputs::model;
use crate::page::{cell, commands, fact};
use crate::text::shell_word;

pub(super) fn report(page: &mut String, pin: &HuggingfacePin) {
    fact(page, "repository", &pin.repo);
    fact(page, "commit", &pin.commit);
    for endpoint in &pin.endpoints {
        fact(page, "hub", endpoint.as_str());
    }
    model::report(page, pin.gguf.as_ref());
    let _ = writeln!(page, "\n| file | bytes | sha256 |\n| --- | --- | --- |");
    for file in &pin.files {
        let _ = writeln!(page, "| {} | {} | `{}` |", cell(&file.path), file.size, file.sha256.hex());
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
