//! Changes in one line: the title of a commit or pull request.

use std::fmt::Write as _;

use super::{Changes, sections};
use crate::text::{counted, visible};

/// Most inputs that a title names.
const NAMED: usize = 3;

/// Returns a title such as `rocm 10.1.0a20260901 -> 10.1.0a20260905, llama.cpp b11429 -> b11460`. Without a change it
/// says so.
#[must_use]
pub fn title(changes: &Changes) -> String {
    // Models and packages follow; a compiler or a nightly is what people look for.
    let order = |kind: &str| ["rocm", "git", "release"].iter().position(|one| *one == kind).unwrap_or(usize::MAX);
    let mut inputs: Vec<_> = changes.inputs.iter().collect();
    inputs.sort_by_key(|input| order(input.kind));
    let one = |input: &&super::InputChange| {
        let is_only = inputs.iter().filter(|other| other.called == input.called).count() == 1;
        let name = if is_only { &input.called } else { &input.input };
        let text = match input.versions() {
            (Some(from), Some(to)) if from == to => format!("{name} {to}: another pin"),
            (Some(from), Some(to)) => format!("{name} {from} -> {to}"),
            (None, to) => format!("add {name} {}", to.unwrap_or_default()),
            (Some(_), None) => format!("remove {name}"),
        };
        visible(&text)
    };
    let mut parts: Vec<String> = inputs.iter().take(NAMED).map(one).collect();
    if inputs.len() > NAMED {
        parts.push(format!("and {}", counted(inputs.len() - NAMED, "other")));
    }
    if parts.is_empty() {
        let names: Vec<&str> = changes.outputs.iter().map(|output| output.output.as_str()).collect();
        return match names.as_slice() {
            [] => "strix.lock: no change".to_owned(),
            names => visible(&format!("strix.lock: other settings of {}", names.join(", "))),
        };
    }
    parts.join(", ").replace(", and ", " and ")
}

/// Returns the message of a commit: the title, and a line for each input that differs, with its most important changes.
#[must_use]
pub fn message(changes: &Changes) -> String {
    let mut text = format!("{}\n", title(changes));
    for section in sections(changes).into_iter().filter(|section| section.what == "input") {
        let _ = write!(text, "\n{} {}\n", section.name, section.versions);
        for block in section.blocks {
            if let Some(title) = block.title {
                let _ = writeln!(text, "  {title}");
                continue;
            }
            for (label, fact) in block.rows {
                let _ = writeln!(text, "  {label} {fact}");
            }
        }
    }
    text
}
