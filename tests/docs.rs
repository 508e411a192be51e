//! The documents against the repository: files, modules and links that they name exist.

use std::path::{Path, PathBuf};

use crate::support::files;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Beginnings of paths from the top of the repository.
const TOP: [&str; 12] = [
    "src/",
    "crates/",
    "scripts/",
    "packaging/",
    "docs/",
    "tests/",
    "fuzz/",
    "manifests/",
    "examples/",
    ".ci/",
    ".github/",
    "lock/",
];

/// Files that documents name, and that only a user's project has.
const OF_A_USER: [&str; 3] = ["lock/strix.lock", ".github/workflows/update.yml", ".github/actions/strixlock"];

/// The documents, by their paths from the top.
fn documents() -> Vec<(PathBuf, String)> {
    let top = std::fs::read_dir(ROOT).unwrap().map(|entry| entry.unwrap().path());
    let all =
        top.chain(files(&Path::new(ROOT).join("docs"))).filter(|path| path.extension().is_some_and(|end| end == "md"));
    let all = all.map(|path| (path.strip_prefix(ROOT).unwrap().to_path_buf(), std::fs::read_to_string(&path).unwrap()));
    all.collect()
}

/// The words of a text that could be paths.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "_-./*{}<>,".contains(c);
    text.split(move |c| !letter(c)).map(|word| word.trim_end_matches(['.', ',']))
}

/// Contents of code spans, which stand between single backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("```"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Targets of links within the repository, without their fragments.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = targets.map(|(target, _)| target.split_once('#').map_or(target, |(path, _)| path));
    targets.filter(|target| !target.is_empty() && !target.contains("://"))
}

/// True for names that stand for others: `cli/NAME.rs`, `scripts/{a,b}`, `validation/<day>.json`.
fn stands_for_others(path: &str) -> bool {
    path.contains(['{', '<', ',']) || path.contains("NAME") || path.contains("KIND")
}

/// Returns true if a path, perhaps with a `*` at the end of it, leads from a directory to something.
fn exists(directory: &Path, path: &str) -> bool {
    let Some(begin) = path.strip_suffix('*') else { return directory.join(path).exists() };
    let (above, begin) = begin.rsplit_once('/').unwrap_or((".", begin));
    let Ok(entries) = std::fs::read_dir(directory.join(above)) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(begin))
}

/// The directories in which modules lie.
fn sources() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(Path::new(ROOT).join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path().join("src"));
    std::iter::once(Path::new(ROOT).join("src")).chain(crates).collect()
}

/// Returns true if a path such as `store::publish_tree` begins with a module, and a file of that module has its last word.
fn is_item(path: &str) -> bool {
    let (module, rest) = path.split_once("::").unwrap();
    let last = rest.rsplit("::").next().unwrap();
    let places = sources().into_iter().flat_map(|above| [above.join(module), above.join(format!("{module}.rs"))]);
    let places = places.filter(|place| place.exists());
    let code = places.flat_map(|place| if place.is_file() { vec![place] } else { files(&place) });
    let mut texts = code.filter_map(|file| std::fs::read_to_string(file).ok());
    texts.any(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == last))
}

#[test]
fn every_file_and_link_in_the_documents_exists() {
    let mut missing = Vec::new();
    for (document, text) in documents() {
        let mut demand = |there: bool, what: &str| {
            if !there {
                missing.push(format!("{}: {what}", document.display()));
            }
        };
        for word in words(&text).filter(|word| TOP.iter().any(|top| word.starts_with(top))) {
            let known = stands_for_others(word) || OF_A_USER.contains(&word);
            demand(known || exists(Path::new(ROOT), word), word);
        }
        for target in links(&text) {
            demand(exists(&Path::new(ROOT).join(document.parent().unwrap()), target), target);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The page whose items are tests.
const PAST: &str = "docs/explanation/what-went-wrong.md";

#[test]
fn every_source_file_and_item_in_the_documents_exists() {
    let names: Vec<String> = sources()
        .iter()
        .flat_map(|above| files(above))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut missing = Vec::new();
    for (document, text) in documents() {
        for span in spans(&text).filter(|span| !stands_for_others(span)) {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
            let is_source = Path::new(span).extension().is_some_and(|end| end == "rs");
            let there = if document.ends_with(PAST) {
                // It names tests, and `tests/past.rs` looks for them.
                true
            } else if is_source && span.contains('/') {
                let tops = sources().into_iter().chain([PathBuf::from(ROOT)]);
                tops.into_iter().any(|above| exists(&above, span))
            } else if is_source {
                names.iter().any(|name| name == span)
            } else if span.starts_with(|c: char| c.is_ascii_lowercase())
                && span.contains("::")
                && span.chars().all(word)
            {
                is_item(span)
            } else {
                true
            };
            if !there {
                missing.push(format!("{}: {span}", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_a_document_names_is_seen() {
    let text = "See `a::b`, [c](docs/c.md#d) and (scripts/e).\n```sh\nscripts/f --x  # `g`\n```\n[h](https://h/i)";
    assert!(["docs/c.md", "scripts/e", "scripts/f"].iter().all(|path| words(text).any(|word| word == *path)));
    assert_eq!(spans(text).collect::<Vec<_>>(), ["a::b", "g"]);
    assert_eq!(links(text).collect::<Vec<_>>(), ["docs/c.md"]);
    let root = Path::new(ROOT);
    assert!(exists(root, "scripts/e2e-*") && !exists(root, "scripts/nothing-*") && !exists(root, "src/nothing.rs"));
    assert!(is_item("store::publish_tree") && !is_item("store::no_such_thing") && !is_item("nowhere::publish_tree"));
}
