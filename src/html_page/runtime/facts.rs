//! The facts about a runtime, apart from the trees that they were read from.

use std::collections::BTreeMap;

use crate::realize::Runtime;
use crate::tree::{Listing, Node, show};
use crate::trim::{LeftOut, Reason, Rule, Sum, Trimmed};

/// The files of a runtime, and of the ROCm tree that it was taken from.
#[derive(Debug, Default)]
pub struct RuntimeFacts {
    /// The sums of the whole ROCm tree.
    pub full: Sum,
    /// The sums of the runtime.
    pub kept_sum: Sum,
    /// The rules that keep files, the largest first.
    pub(super) rules: Vec<Group>,
    /// The reasons by which files are drawn, the largest first: a file behind a link is there for the link's reason.
    pub(super) reasons: Vec<Group>,
    /// The kinds of what was left out, the largest first.
    pub(super) kinds: Vec<Group>,
    /// Files and links of ROCm that are kept, the largest first.
    pub(super) kept: Vec<FileFacts>,
    /// Files of the build that are used: chains begin there.
    pub(super) build: Vec<FileFacts>,
    /// Files and links that were left out, the largest first.
    pub(super) left_out: Vec<FileFacts>,
}

/// A reason, with the sums of the files that it is the reason of.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub label: &'static str,
    /// The class of its colour.
    pub class: &'static str,
    /// The end of a sentence about a file.
    pub because: String,
    pub sum: Sum,
}

/// A file or link.
#[derive(Debug, Clone)]
pub(super) struct FileFacts {
    /// The path where it is installed.
    pub path: String,
    /// The size; absent for a link.
    pub size: Option<u64>,
    /// The position of its rule or kind among those, which the row of the file names.
    pub rule: usize,
    /// The position of the reason or kind by which it is drawn.
    pub group: usize,
    /// The path of the file before it in the chain.
    pub by: Option<String>,
    /// True for a file of the build.
    pub is_of_build: bool,
}

/// Returns the class of a rule's colour.
fn class(rule: Rule) -> &'static str {
    match rule {
        Rule::Root => "k-root",
        Rule::Tool => "k-tool",
        Rule::Backend => "k-backend",
        Rule::Needed => "k-needed",
        Rule::Filter => "k-filter",
        Rule::Opened => "k-opened",
        Rule::Edge(_) => "k-edge",
        Rule::LinkTarget => "k-link",
        Rule::Kpack => "k-kpack",
        Rule::Kernels => "k-kernels",
        Rule::Data(_) => "k-data",
        Rule::Provenance => "k-provenance",
    }
}

impl RuntimeFacts {
    /// Takes the facts from an explained runtime.
    #[must_use]
    pub fn of(runtime: &Runtime) -> Self {
        let trimmed = &runtime.trimmed;
        let (kept, build) = (trimmed.listing(), &runtime.llama_listing);
        let mut sums = trimmed.by_rule();
        // Rules of the build alone have no sums, and are named by its rows.
        for reason in trimmed.llama.values() {
            sums.entry(reason.rule).or_default();
        }
        let (rules, place_of_rule) = groups(sums, |rule| (rule.label(), class(rule), trimmed.because(rule)));
        let kinds = trimmed.left_out_by_kind(&runtime.rocm_listing);
        let (kinds, place_of_kind) = groups(kinds, |kind: LeftOut| (kind.label(), "k-out", kind.to_string()));
        let file = |prefix: &str, listing: &Listing, path: &[u8], rule: usize, by: Option<&[u8]>| FileFacts {
            // As a whole, so that it is the text by which others name it.
            path: show(&[prefix.as_bytes(), b"/", path].concat()),
            size: size(listing, path),
            rule,
            group: 0,
            by: by.map(show),
            is_of_build: false,
        };
        let place = |rule: Rule| place_of_rule.get(&rule).copied().unwrap_or_default();
        let of_build = |(path, reason): (&Vec<u8>, &Reason)| {
            let of = file(&runtime.llama_prefix, build, path, place(reason.rule), reason.by.as_deref());
            FileFacts { is_of_build: true, ..of }
        };
        let of_left_out = |(path, kind): (&Vec<u8>, &LeftOut)| {
            let group = place_of_kind.get(kind).copied().unwrap_or_default();
            FileFacts { group, ..file(&runtime.rocm_prefix, &runtime.rocm_listing, path, group, None) }
        };
        let drawn: BTreeMap<&Vec<u8>, Rule> = trimmed.kept.keys().map(|path| (path, drawn_by(trimmed, path))).collect();
        let mut sums: BTreeMap<Rule, Sum> = BTreeMap::new();
        for (path, rule) in &drawn {
            sums.entry(*rule).or_default().add(kept.get(path).map(|entry| &entry.node));
        }
        let (reasons, place_of_reason) = groups(sums, |rule| (rule.label(), class(rule), trimmed.because(rule)));
        let of_kept = |(path, reason): (&Vec<u8>, &Reason)| {
            let group = drawn.get(path).and_then(|rule| place_of_reason.get(rule)).copied().unwrap_or_default();
            FileFacts { group, ..file(&runtime.rocm_prefix, kept, path, place(reason.rule), reason.by.as_deref()) }
        };
        Self {
            full: Sum::of(&runtime.rocm_listing),
            kept_sum: Sum::of(kept),
            kept: largest_first(trimmed.kept.iter().map(of_kept)),
            build: largest_first(trimmed.llama.iter().map(of_build)),
            left_out: largest_first(trimmed.left_out.iter().map(of_left_out)),
            rules,
            reasons,
            kinds,
        }
    }
}

/// Returns the rule by which a file is drawn: its own, or that of the link that leads to it.
fn drawn_by(trimmed: &Trimmed, path: &[u8]) -> Rule {
    let chain = trimmed.why(path).unwrap_or_default();
    let rules = chain.iter().rev().map(|(_, rule)| *rule);
    { rules }.find(|rule| *rule != Rule::LinkTarget).unwrap_or(Rule::LinkTarget)
}

/// Returns groups, the largest first, and the place of each.
fn groups<Key: Ord + Copy>(
    sums: BTreeMap<Key, Sum>,
    describe: impl Fn(Key) -> (&'static str, &'static str, String),
) -> (Vec<Group>, BTreeMap<Key, usize>) {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(key, sum)| (std::cmp::Reverse(sum.bytes), *key));
    let places = sums.iter().enumerate().map(|(place, (key, _))| (*key, place)).collect();
    let group = |(key, sum): (Key, Sum)| {
        let (label, class, because) = describe(key);
        Group { label, class, because, sum }
    };
    (sums.into_iter().map(group).collect(), places)
}

fn size(listing: &Listing, path: &[u8]) -> Option<u64> {
    let entry = listing.get(path)?;
    if let Node::File { size, .. } = entry.node { Some(size) } else { None }
}

fn largest_first(files: impl Iterator<Item = FileFacts>) -> Vec<FileFacts> {
    let mut files: Vec<FileFacts> = files.collect();
    files.sort_by(|one, other| (other.size, &one.path).cmp(&(one.size, &other.path)));
    files
}
