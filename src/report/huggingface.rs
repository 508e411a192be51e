//! A model on the page.

use std::fmt::Write as _;

use super::{cell, commands, fact};
use crate::gguf::Gguf;
use crate::lock::HuggingfacePin;
use crate::text::shell_word;

pub(super) fn huggingface(page: &mut String, pin: &HuggingfacePin) {
    fact(page, "repository", &pin.repo);
    fact(page, "commit", &pin.commit);
    for endpoint in &pin.endpoints {
        fact(page, "hub", endpoint.as_str());
    }
    gguf(page, pin.gguf.as_ref());
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

/// What a model file says of itself.
pub(super) fn gguf(page: &mut String, facts: Option<&Gguf>) {
    let Some(facts) = facts else { return };
    fact(page, "architecture", &facts.architecture);
    if let Some(quantisation) = &facts.quantisation {
        fact(page, "quantisation", quantisation);
    }
    if let Some(context) = facts.context {
        fact(page, "context length", &format!("{context} tokens"));
    }
    fact(page, "tensors", &facts.tensors.to_string());
    fact(page, "parameters", &facts.parameters.to_string());
}
