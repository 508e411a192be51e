//! Every command and option in the program's texts exists.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::Project;

/// Options of other programs in hints.
const FOREIGN: [&str; 8] =
    ["--export", "--group-add", "--keyring", "--load-mode", "--no-default-keyring", "--ours", "--theirs", "--user"];

/// Returns the string literals of a source file, without comments and tests.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = lines.join("\n");
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(begin) = rest.find('"') {
        // Skip character literals.
        if rest[..begin].ends_with('\'') || rest[..begin].ends_with('\\') {
            rest = &rest[begin + 1..];
            continue;
        }
        let body = &rest[begin + 1..];
        let mut end = 0;
        let bytes = body.as_bytes();
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let literal = body.get(..end).unwrap_or_default();
        // A backslash at the end of a line joins it with the next, without its indentation.
        let lines: Vec<&str> = literal
            .split("\\\n")
            .enumerate()
            .map(|(at, line)| if at == 0 { line } else { line.trim_start() })
            .collect();
        found.push(lines.concat());
        rest = body.get(end + 1..).unwrap_or_default();
    }
    found
}

fn sources(place: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            all.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Replaces placeholders such as `{name}` and `{}` by a word, which is a number too.
fn filled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push('1');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    out + rest
}

#[test]
fn every_command_that_a_text_tells_to_type_is_one() {
    let project = Project::empty();
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    let mut commands = BTreeSet::new();
    for literal in texts.iter().flat_map(|text| literals(text)) {
        for command in literal.split('`').skip(1).step_by(2).filter_map(|text| text.strip_prefix("strixlock ")) {
            commands.insert(filled(command));
        }
    }
    assert!(commands.len() > 40, "{commands:?}");
    let mut faults = Vec::new();
    // A placeholder in a command's place stands for any.
    for command in commands.iter().filter(|command| !command.starts_with('1')) {
        // A word for an address is none yet.
        let command = command.replace("--url URL", "--url https://example.org/x");
        // The words of another command follow: of the shell, or of what `bisect` runs.
        let (first, rest) = command.split_once(' ').unwrap_or((&command, ""));
        let own = rest.split_whitespace().take_while(|word| ![">", "|", "run"].contains(word));
        let mut words: Vec<&str> = std::iter::once(first).chain(own).collect();
        words.push("--help");
        let ran = project.run(&words);
        if ran.code != 0 {
            faults.push(format!("`strixlock {command}`: {}", ran.all()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_option_that_a_hint_names_is_one() {
    let project = Project::empty();
    let mut known: BTreeSet<String> = FOREIGN.map(str::to_owned).into();
    let options = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        words.filter(|word| word.len() > 3 && word.starts_with("--")).map(str::to_owned).collect()
    };
    let help = project.run(&["--help"]).code(0).stdout;
    let names: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    for name in names.iter().filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')) {
        let own = project.run(&[name, "--help"]);
        known.extend(options(&own.stdout));
        let nested = own.stdout.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
        for inner in nested.filter(|inner| own.code == 0 && inner.chars().all(|c| c.is_ascii_lowercase())) {
            let ran = project.run(&[name, inner, "--help"]);
            if ran.code == 0 {
                known.extend(options(&ran.stdout));
            }
        }
    }
    assert!(known.contains("--accept-replaced") && known.contains("--link-mode"), "{known:?}");
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    let mut checked = 0;
    for text in &texts {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for hint in code.split(".hint(").skip(1) {
            // Up to the end of the statement; what a command of another program holds stands in backticks.
            let hint = hint.split(";\n").next().unwrap_or_default();
            for literal in literals(hint) {
                for (at, part) in literal.split('`').enumerate() {
                    if at % 2 == 1 && !part.starts_with("strixlock ") && !part.starts_with("--") {
                        continue;
                    }
                    for option in options(part) {
                        assert!(known.contains(&option), "{option} in: {literal}");
                        checked += 1;
                    }
                }
            }
        }
    }
    assert!(checked > 20, "{checked}");
}
