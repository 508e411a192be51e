//! The page of a validation, for people.

use std::fmt::Write as _;

use super::{Outcome, Validation};
use crate::text;

/// Returns the text of the page. Text from models and programs is quoted as code, so that none of it is read as
/// Markdown.
pub(super) fn page(validation: &Validation, moved: Option<&[String]>) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let verdict = if validation.passed() { "passed" } else { "failed" };
    let _ = writeln!(page, "# Validation on the {}: {verdict}\n", validation.device.name().to_uppercase());
    let _ = writeln!(page, "Lock `{}`, {}\n", validation.lock, text::date(validation.time));
    if let Some(variant) = &validation.variant {
        let _ = writeln!(page, "Variant or output {}\n", code(variant));
    }
    let model = &validation.model;
    let _ = writeln!(page, "Model {} of input `{}`: `{}`", code(&model.version), model.input, model.sha256);
    if let Some(facts) = &model.gguf {
        let _ = writeln!(page, "\n{}", code(&facts.summary()));
    }
    if let Some(machine) = &validation.machine {
        let _ = writeln!(page, "\nMachine: {}", code(&machine.line()));
    }
    let _ = writeln!(page, "\n| check | outcome | found |\n| --- | --- | --- |");
    for check in &validation.checks {
        let bold = if check.outcome == Outcome::Failed { "**" } else { "" };
        let _ = writeln!(page, "| {} | {bold}{}{bold} | {} |", check.name, check.outcome.words(), code(&check.found));
    }
    let figures = || validation.checks.iter().filter(|check| !check.figures.is_empty());
    if figures().next().is_some() {
        let _ = writeln!(page, "\n## Figures\n\n| check | figure | value |\n| --- | --- | --- |");
    }
    for check in figures() {
        for (name, value) in &check.figures {
            let _ = writeln!(page, "| {} | {name} | {} |", check.name, code(&value.to_string()));
        }
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
