//! The book (README.md and `docs/`): its links, its commands, its list of errors, and the help that it is made from.
//!
//! With UPDATE_DOCS=1 in the environment these tests write what is generated (the list of commands, the output of
//! commands) into the book instead of comparing it.

mod blocks;
pub mod commands;
mod errors;
mod examples;
mod help;
mod links;
mod reference;
mod session;
mod steady;

use std::path::{Path, PathBuf};

use crate::support::files;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A page of the book.
pub struct Page {
    /// Path from the top of the repository.
    pub name: String,
    pub text: String,
}

/// The README and all pages of the book.
pub fn pages() -> Vec<Page> {
    let docs = files(&Path::new(ROOT).join("docs")).into_iter();
    let pages = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages.chain([Path::new(ROOT).join("README.md")]).map(|path| page(&path)).collect()
}

fn page(path: &Path) -> Page {
    let name = path.strip_prefix(ROOT).unwrap().to_string_lossy().into_owned();
    Page { name, text: std::fs::read_to_string(path).unwrap() }
}

/// Returns true if generated text is to be written instead of compared.
pub fn is_update() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Compares a file of the repository with what it should be, or writes it.
#[track_caller]
pub fn demand_equal(name: &str, text: &str) {
    let path: PathBuf = Path::new(ROOT).join(name);
    if is_update() {
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = found.lines().zip(text.lines()).find(|(found, wanted)| found != wanted);
    assert!(found == text, "{name} is out of date (UPDATE_DOCS=1 writes it): {difference:?}");
}

#[test]
fn the_readme_fits_two_screens() {
    let lines = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap().lines().count();
    assert!(lines <= 120, "{lines} lines");
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = page(&Path::new(ROOT).join("docs/SUMMARY.md")).text;
    for page in pages() {
        let Some(name) = page.name.strip_prefix("docs/").filter(|name| *name != "SUMMARY.md") else { continue };
        assert!(summary.contains(&format!("]({name})")), "{name} is not in docs/SUMMARY.md");
    }
}
