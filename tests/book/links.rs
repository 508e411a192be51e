//! Links of the book, and of the documents beside it, to files and headings of the repository.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Page, ROOT, page, pages};

/// Addresses of files of this repository.
const HERE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// The targets of links and pictures.
fn links(text: &str) -> Vec<String> {
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    };
    parser(text).filter_map(target).collect()
}

/// The names of headings, as GitHub and mdBook make them.
pub fn anchors(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut open: Option<String> = None;
    for event in parser(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => open = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut open {
                    *heading += &text;
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let heading = open.take().unwrap_or_default().to_lowercase();
                let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
                let numbered = (1..).map(|number| format!("{name}-{number}"));
                let free = std::iter::once(name.clone()).chain(numbered).find(|name| !all.contains(name));
                all.extend(free);
            }
            _ => {}
        }
    }
    all
}

/// Resolves `..` without asking the file system, which does not know where the book will stand.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            clean.pop();
        } else {
            clean.push(part);
        }
    }
    clean
}

/// Returns the reason why a link leads nowhere.
fn fault(from: &Page, target: &str) -> Option<String> {
    let outside = target.contains("://") && !target.starts_with(HERE);
    if outside || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let here = Path::new(&from.name);
    let file = match path.strip_prefix(HERE) {
        Some(path) => PathBuf::from(path),
        None if path.is_empty() => here.to_path_buf(),
        None => clean(&here.parent().unwrap().join(path)),
    };
    let in_book = here.starts_with("docs");
    if in_book && !path.starts_with(HERE) && !file.starts_with("docs") {
        return Some(format!("{target}: leads out of the book; use {HERE}"));
    }
    let full = Path::new(ROOT).join(&file);
    if !full.exists() {
        return Some(format!("{target}: no such file"));
    }
    let has = anchor.is_empty() || anchors(&page(&full).text).contains(anchor);
    (!has).then(|| format!("{target}: no such heading"))
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let others = ["CONTRIBUTING.md", "SECURITY.md", "ROADMAP.md", "CHANGELOG.md"];
    let others = others.map(|name| page(&Path::new(ROOT).join(name)));
    let all = pages().into_iter().chain(others);
    let faults: Vec<String> = all
        .flat_map(|page| {
            let told = |target: &String| fault(&page, target).map(|why| format!("{}: {why}", page.name));
            links(&page.text).iter().filter_map(told).collect::<Vec<_>>()
        })
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn broken_links_are_seen() {
    let from = Page { name: "docs/how-to/x.md".to_owned(), text: String::new() };
    for good in ["../style.md", "../style.md#names", "https://example.com/x", &format!("{HERE}SECURITY.md")] {
        assert_eq!(fault(&from, good), None);
    }
    for bad in ["../none.md", "../style.md#none", "../../SECURITY.md", &format!("{HERE}none.md")] {
        assert!(fault(&from, bad).is_some(), "{bad}");
    }
    let text = "# A `b` c, d\n\n## A b c d\n\n| [e](f) |\n| --- |\n| ![g](h) |\n";
    assert_eq!(anchors(text), ["a-b-c-d", "a-b-c-d-1"].map(str::to_owned).into());
    assert_eq!(links(text), ["f", "h"]);
}
