//! Changes in rows: what the terminal, Markdown and reports print.

use super::commits::Commits;
use super::fields::FieldChange;
use super::files::by_weight;
use super::input::InputChange;
use super::output::OutputChange;
use super::packages::{Direction, PackageChange};
use super::{Changes, Equality};
use crate::text::{bytes, counted, visible};

/// Digits of a commit or digest that people are shown.
const SHORT: usize = 12;
/// Lines of a changelog's entry that are shown.
const CHANGELOG_LINES: usize = 4;

/// Everything about one input or output. All text is safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `input` or `output`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// Its versions or sizes before and after: `a -> b`.
    pub versions: String,
    /// Facts and lists.
    pub blocks: Vec<Block>,
}

/// Rows below a title.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The title; none for the facts, which stand first.
    pub title: Option<String>,
    /// The page of the title's subject.
    pub link: Option<String>,
    /// The rows: a label, sign or id, and the text.
    pub rows: Vec<(String, String)>,
    /// Number of rows that are not there, because there are too many.
    pub left_out: u64,
}

impl Block {
    fn titled(title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..Self::default() }
    }

    fn row(&mut self, label: impl Into<String>, text: impl AsRef<str>) {
        self.rows.push((label.into(), visible(text.as_ref())));
    }
}

/// Returns the sections of all changes, in the order in which they are shown.
#[must_use]
pub fn sections(changes: &Changes) -> Vec<Section> {
    changes.inputs.iter().map(input).chain(changes.outputs.iter().map(output)).collect()
}

impl Equality {
    /// Returns a sentence about the outputs: which are equal, and which are not.
    #[must_use]
    pub fn sentence(&self) -> String {
        let names = |names: &[String]| names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
        if self.different.is_empty() && self.unknown.is_empty() {
            return if self.equal.is_empty() { "no outputs".to_owned() } else { "outputs are equal".to_owned() };
        }
        let mut parts = Vec::new();
        if !self.different.is_empty() {
            parts.push(format!("different: {}", names(&self.different)));
        }
        if !self.unknown.is_empty() {
            parts.push(format!("made anew, not realized here: {}", names(&self.unknown)));
        }
        if !self.equal.is_empty() {
            parts.push(format!("equal: {}", names(&self.equal)));
        }
        format!("outputs {}", parts.join("; "))
    }
}

/// Returns `before -> after`, with `nothing` where one is missing.
fn arrow(from: Option<&str>, to: Option<&str>) -> String {
    let word = |text: Option<&str>| text.map_or_else(|| "nothing".to_owned(), visible);
    format!("{} -> {}", word(from), word(to))
}

/// Returns the beginning of a commit or digest.
fn brief(text: &str) -> String {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let is_long = hex.len() >= 40 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_long { hex[..SHORT].to_owned() } else { text.to_owned() }
}

fn brief_arrow(change: &FieldChange) -> String {
    let word = |text: &Option<String>| text.as_deref().map(brief);
    let (from, to) = (word(&change.from), word(&change.to));
    // Two that begin alike are shown whole.
    if from == to {
        return arrow(change.from.as_deref(), change.to.as_deref());
    }
    arrow(from.as_deref(), to.as_deref())
}

fn sizes(from: u64, to: u64) -> String {
    let difference = match to.cmp(&from) {
        std::cmp::Ordering::Less => format!(" (-{})", bytes(from - to)),
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!(" (+{})", bytes(to - from)),
    };
    format!("{} -> {}{difference}", bytes(from), bytes(to))
}

fn input(change: &InputChange) -> Section {
    let (from, to) = change.versions();
    let downgrade = if change.downgrade { " (downgrade)" } else { "" };
    let mut facts = Block::default();
    if change.made_from.is_some() && change.made_to.is_some() && change.made_from != change.made_to {
        facts.row("made", arrow(change.made_from.as_deref(), change.made_to.as_deref()));
    } else if let Some(made) = change.made_to.as_ref().filter(|_| change.from.is_none()) {
        facts.row("made", made);
    }
    match (change.from_size, change.to_size) {
        (Some(from), Some(to)) if from != to => facts.row("size", sizes(from, to)),
        (None, Some(size)) => facts.row("size", bytes(size)),
        _ => {}
    }
    for field in &change.requested {
        facts.row("asked for", format!("{} {}", field.field, arrow(field.from.as_deref(), field.to.as_deref())));
    }
    if let Some(therock) = &change.therock {
        facts.row("TheRock", brief_arrow(therock));
    }
    for field in &change.pinned {
        facts.row(visible(&field.field), brief_arrow(field));
    }
    if let Some(commits) = &change.commits {
        facts.row("commit", arrow(Some(&brief(&commits.from)), Some(&brief(&commits.to))));
    }
    for patch in &change.patches {
        facts.row("patch", format!("{} {}", patch.field, brief_arrow(patch)));
    }
    for sentence in &change.unknown {
        facts.row("unknown", sentence);
    }
    let mut blocks = vec![facts];
    if !change.submodules.is_empty() {
        let mut block = Block::titled(counted(change.submodules.len(), "submodule"));
        block.link.clone_from(&change.therock_page);
        for module in &change.submodules {
            block.row(visible(&module.field), brief_arrow(module));
        }
        blocks.push(block);
    }
    blocks.extend(change.commits.iter().flat_map(commits));
    if !change.packages.is_empty() {
        blocks.push(packages(&change.packages));
    }
    blocks.retain(|block| block.title.is_some() || !block.rows.is_empty());
    Section { what: "input", name: visible(&change.input), versions: format!("{}{downgrade}", arrow(from, to)), blocks }
}

fn commits(commits: &Commits) -> Vec<Block> {
    let (Some(added), Some(dropped)) = (commits.added, commits.dropped) else {
        // The page may know what the store does not.
        return commits
            .page
            .iter()
            .map(|page| Block { link: Some(page.clone()), ..Block::titled("commits") })
            .collect();
    };
    let count = |count: u64| counted(usize::try_from(count).unwrap_or(usize::MAX), "commit");
    let title = match (added, dropped) {
        (0, dropped) => format!("{} taken back", count(dropped)),
        (added, 0) => count(added),
        (added, dropped) => format!("{}, and {} of the old line are gone", count(added), count(dropped)),
    };
    let mut blocks = vec![Block { link: commits.page.clone(), left_out: commits.left_out, ..Block::titled(title) }];
    for group in &commits.groups {
        let mut block = Block::titled(format!("{} ({})", visible(&group.name), group.commits.len()));
        for commit in &group.commits {
            block.row(brief(&commit.id), &commit.subject);
        }
        blocks.push(block);
    }
    blocks
}

fn packages(changes: &[PackageChange]) -> Block {
    let words = [
        (Direction::Up, "up"),
        (Direction::Down, "down"),
        (Direction::Rebuilt, "rebuilt"),
        (Direction::New, "new"),
        (Direction::Gone, "gone"),
    ];
    let counts = words.iter().filter_map(|(direction, word)| {
        let count = changes.iter().filter(|change| change.change == *direction).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let mut block = Block::titled(format!("packages: {}", counts.collect::<Vec<_>>().join(", ")));
    for change in changes {
        let versions = match (&change.from, &change.to) {
            (Some(from), Some(_)) if change.change == Direction::Rebuilt => {
                format!("{from}, the same version with other contents")
            }
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            (from, to) => from.clone().or(to.clone()).unwrap_or_default(),
        };
        let older = if change.change == Direction::Down { " (older)" } else { "" };
        let alike = change.as_of.as_ref().map(|name| format!(" (changelog as {name})")).unwrap_or_default();
        let mut text = format!("{} {versions}{older}{alike}", change.name);
        for entry in &change.changelog {
            let lines = entry.lines.iter().take(CHANGELOG_LINES).map(String::as_str).collect::<Vec<_>>().join(" ");
            let more = if entry.lines.len() > CHANGELOG_LINES { " ..." } else { "" };
            text = format!("{text}\n{}: {lines}{more}", entry.version);
        }
        let mut lines = text.lines();
        block.row(change.change.sign(), lines.next().unwrap_or_default());
        lines.for_each(|line| block.row("", line));
    }
    block
}

fn output(change: &OutputChange) -> Section {
    let (files, mut facts) = (&change.files, Block::default());
    let (from, to) = change.versions();
    let versions = match (files.from_size, files.to_size) {
        (Some(before), Some(after)) => {
            let size = |version: &Option<String>, size: u64| version.as_ref().map(|_| bytes(size));
            let (before, after) = (size(&change.from, before), size(&change.to, after));
            arrow(before.as_deref(), after.as_deref())
        }
        _ => arrow(from.or(change.from.as_deref()), to.or(change.to.as_deref())),
    };
    for field in &change.settings {
        facts.row("setting", format!("{} {}", field.field, arrow(field.from.as_deref(), field.to.as_deref())));
    }
    if !change.through.is_empty() {
        facts.row("through", change.through.join(", "));
    }
    match change.equal {
        Some(true) => facts.row("tree", "the same"),
        None => facts.row("unknown", "its tree, until both are realized here"),
        Some(false) => {}
    }
    let mut blocks = vec![facts];
    for (sign, list) in files.lists().into_iter().filter(|(_, list)| !list.is_empty()) {
        let mut block = Block::default();
        for file in by_weight(list) {
            let size = match (file.from, file.to) {
                // Of links there is nothing to say but that they changed.
                (Some(0), Some(0)) => String::new(),
                (Some(from), Some(to)) if from == to => bytes(to),
                (Some(from), Some(to)) => sizes(from, to),
                (from, to) => bytes(from.or(to).unwrap_or_default()),
            };
            block.row(sign, format!("{} {size}", file.path).trim_end());
        }
        blocks.push(block);
    }
    blocks.retain(|block| !block.rows.is_empty());
    Section { what: "output", name: visible(&change.output), versions, blocks }
}
