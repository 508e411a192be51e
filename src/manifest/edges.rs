//! What libraries take at run time and no file shows: in `manifests/rules.toml`, and in an output of type `runtime`.
//!
//! ```toml
//! [[outputs.runtime.edges]]            # [[edge]] in rules.toml
//! from = "libamdhip64.so"              # the library, without a version; or a program
//! library = "libhiprtc.so"             # or path = "share/x", in the tree; or kernels = "rocblas/library", beside it
//! reason = "compiles kernels at run time"
//! seen = ["10.1"]                      # versions of ROCm
//! required = false                     # whether a tree without it is broken
//! ```

use std::sync::LazyLock;

use toml::Spanned;
use toml::de::DeTable;

use super::reader::{Source, Table};
use super::rules;
use crate::error::{Error, Result};
use crate::recipe::{Edge, Target};

/// The file that comes with the program.
const KNOWN: &str = include_str!("../../manifests/rules.toml");
/// More edges than this are no person's work.
const MOST: usize = 1000;

/// The edges that come with the program.
pub fn known_edges() -> Result<&'static [Edge]> {
    static EDGES: LazyLock<Result<Vec<Edge>>> = LazyLock::new(|| parse(KNOWN, "manifests/rules.toml"));
    EDGES.as_ref().map(Vec::as_slice).map_err(Error::clone)
}

/// Parses a file of edges; `name` is what errors call it.
fn parse(text: &str, name: &str) -> Result<Vec<Edge>> {
    let source = Source { text, name };
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        source.error(span, "this is not TOML", error.message())
    })?;
    let top = Table::new(&source, document.get_ref(), 0..text.lines().next().map_or(0, str::len));
    let all = edges(&source, &top, "edge")?;
    top.finish()?;
    Ok(all)
}

/// The edges in the array `name` of a table.
pub(super) fn edges(source: &Source, fields: &Table, name: &'static str) -> Result<Vec<Edge>> {
    let tables = fields.tables(name)?;
    if let Some(table) = tables.get(MOST) {
        return Err(source.error(table.span.clone(), "these are more edges than make sense", "one too many"));
    }
    tables.into_iter().map(|table| edge(source, table)).collect()
}

fn edge(source: &Source, fields: Table) -> Result<Edge> {
    let from = fields.needed("from")?;
    if !rules::is_taker(from.get_ref()) {
        let message = "this is not the name of a program, or of a library without a version";
        return Err(source.error(from.span(), message, "such as \"libamdhip64.so\""));
    }
    let from = from.into_inner();
    let (opened, path, kernels) = (fields.text("library")?, fields.text("path")?, fields.text("kernels")?);
    let to = match (opened, path, kernels) {
        (Some(name), None, None) => Target::Library(library(source, name)?),
        (None, Some(path), None) => Target::Path(inner(source, path)?),
        (None, None, Some(path)) => Target::Kernels(inner(source, path)?),
        (None, None, None) => return Err(fields.missing("library")),
        _ => {
            let message = "only one of `library`, `path` and `kernels` can be given";
            return Err(source.error(fields.span.clone(), message, "this edge leads to several"));
        }
    };
    let reason = fields.needed("reason")?;
    let seen = fields.texts("seen")?.unwrap_or_default().into_iter().map(Spanned::into_inner).collect();
    let required = fields.flag("required")?;
    let edge = Edge { from, to, reason: reason.get_ref().clone(), seen, required };
    if !rules::is_edge(&edge) {
        return Err(source.error(reason.span(), "a reason is a line of text", "not empty, and no control characters"));
    }
    fields.finish()?;
    Ok(edge)
}

fn library(source: &Source, text: Spanned<String>) -> Result<String> {
    if rules::is_library(text.get_ref()) {
        return Ok(text.into_inner());
    }
    Err(source.error(text.span(), "this is not a library's name without a version", "such as \"libhiprtc.so\""))
}

fn inner(source: &Source, text: Spanned<String>) -> Result<String> {
    if crate::tree::is_path(text.get_ref().as_bytes()) {
        return Ok(text.into_inner());
    }
    Err(source.error(text.span(), "this is not a clean path in the tree", "such as \"lib/llvm/amdgcn/bitcode\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_known_edge_has_a_reason_and_where_it_was_seen() {
        let edges = known_edges().unwrap();
        assert!(edges.len() > 5);
        for edge in edges {
            assert!(!edge.reason.is_empty() && !edge.seen.is_empty(), "{edge:?}");
        }
        let twice = edges
            .iter()
            .enumerate()
            .find(|(at, edge)| edges[..*at].iter().any(|other| (&other.from, &other.to) == (&edge.from, &edge.to)));
        assert!(twice.is_none(), "{twice:?}");
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let head = "[[edge]]\nfrom = \"libx.so\"\n";
        for (text, place, message) in [
            ("[[edge]]\n".to_owned(), "1:", "the field `from` is missing"),
            (head.to_owned(), "1:", "the field `library` is missing"),
            (
                format!("{head}library = \"liby.so.1\"\nreason = \"r\"\n"),
                "3:11",
                "not a library's name without a version",
            ),
            (format!("{head}library = \"liby.so\"\nkernels = \"y\"\nreason = \"r\"\n"), "1:", "only one of"),
            (format!("{head}path = \"../y\"\nreason = \"r\"\n"), "3:8", "not a clean path"),
            ("[[edge]]\nfrom = \"libx.so.1\"\n".to_owned(), "2:8", "not the name of a program, or of a library"),
            (format!("{head}library = \"liby.so\"\n"), "1:", "the field `reason` is missing"),
            (format!("{head}library = \"liby.so\"\nreason = \"\"\n"), "4:10", "a reason is a line of text"),
            (format!("{head}library = \"liby.so\"\nreason = \"r\"\nseen = \"10\"\n"), "5:8", "an array of strings"),
            (format!("{head}library = \"liby.so\"\nreason = \"r\"\nneeded = true\n"), "5:1", "unknown field `needed`"),
            ("edge = 1\n".to_owned(), "1:8", "`edge` must be an array of tables"),
            ("[[edges]]\n".to_owned(), "1:", "unknown field `edges`"),
            ("edge = [\n".to_owned(), "", "this is not TOML"),
        ] {
            let error = parse(&text, "x.toml").unwrap_err().to_string();
            assert!(error.starts_with(&format!("x.toml:{place}")) && error.contains(message), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]a-z=\"\n.]{0,60}") {
            let _ = parse(&text, "x.toml");
            let _ = parse(&format!("[[edge]]\nfrom = \"libx.so\"\n{text}"), "x.toml");
        }
    }
}
