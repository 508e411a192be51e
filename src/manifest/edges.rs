//! Reads edges, the needs at run time that no file shows, from `manifests/rules.toml` and from outputs of type
//! `runtime`.
//!
//! ```toml
//! [[outputs.runtime.edges]]            # [[edge]] in rules.toml
//! from = "libamdhip64.so"              # the library, without a version; or a program
//! library = "libhiprtc.so"             # or "plugins/libx.so.1", with a directory; or path = "share/x", in the tree;
//!                                      # or kernels = "rocblas/library", beside it
//! reason = "compiles kernels at run time"
//! tables = ["T_@GFXARCH@.dat*"]        # for kernels: one of these must exist for the GPU
//! seen = ["10.1"]                      # versions of ROCm
//! required = false                     # true: a tree without it is broken
//! ```

use std::sync::LazyLock;

use toml::Spanned;

use super::rules;
use crate::error::{Error, Result};
use crate::fields::{SourceText, Table};
use crate::gfx::GfxTarget;
use crate::recipe::{Edge, Target};

/// The rules that come with the program.
const KNOWN: &str = include_str!("../../manifests/rules.toml");
/// Limit on the number of edges: nobody writes more by hand.
const MOST: usize = 1000;

/// The edges and generic processors that come with the program.
#[derive(Debug)]
struct Known {
    edges: Vec<Edge>,
    generics: Vec<Generic>,
}

/// A generic processor: several GPUs run its code.
#[derive(Debug)]
pub struct Generic {
    /// The name, such as `gfx11-generic`.
    pub name: String,
    /// The GPUs that run its code.
    pub covers: Vec<GfxTarget>,
}

static RULES: LazyLock<Result<Known>> = LazyLock::new(|| parse(KNOWN, "manifests/rules.toml"));

/// Returns the edges that come with the program.
pub fn known_edges() -> Result<&'static [Edge]> {
    RULES.as_ref().map(|rules| rules.edges.as_slice()).map_err(Error::clone)
}

/// Returns the generic processors that come with the program; none if its rules are invalid, which [`known_edges`]
/// reports.
#[must_use]
pub fn known_generics() -> &'static [Generic] {
    RULES.as_ref().map(|rules| rules.generics.as_slice()).unwrap_or_default()
}

/// Parses a file of rules. Errors call it `name`.
fn parse(text: &str, name: &str) -> Result<Known> {
    let source = SourceText::new(text, name);
    let document = source.parse()?;
    let top = Table::top(&source, document.get_ref());
    let edges = edges(&source, &top, "edge")?;
    let generics = top.tables("generic")?.into_iter().map(|table| generic(&source, table)).collect::<Result<_>>()?;
    top.finish()?;
    Ok(Known { edges, generics })
}

fn generic(source: &SourceText, fields: Table) -> Result<Generic> {
    let name = fields.needed("name")?.into_inner();
    let covers = fields.texts("covers")?.unwrap_or_default().into_iter();
    let target = |text: Spanned<String>| {
        text.get_ref().parse().map_err(|error: Error| source.error(text.span(), error.message(), "such as \"gfx1151\""))
    };
    let covers = covers.map(target).collect::<Result<_>>()?;
    fields.finish()?;
    Ok(Generic { name, covers })
}

/// Reads the edges in the array `name` of a table.
pub fn edges(source: &SourceText, fields: &Table, name: &'static str) -> Result<Vec<Edge>> {
    let tables = fields.tables(name)?;
    if let Some(table) = tables.get(MOST) {
        return Err(source.error(
            table.span.clone(),
            format!("too many edges: at most {MOST} are allowed"),
            "one too many",
        ));
    }
    tables.into_iter().map(|table| edge(source, table)).collect()
}

fn edge(source: &SourceText, fields: Table) -> Result<Edge> {
    fields.later(&["reason", "from"]);
    let seen = fields.texts("seen")?.unwrap_or_default().into_iter().map(Spanned::into_inner).collect();
    let required = fields.flag("required")?;
    let tables = fields.texts("tables")?.unwrap_or_default();
    let to = target(source, &fields)?;
    let reason = fields.text("reason")?;
    let from = fields.needed("from")?;
    if !rules::is_taker(from.get_ref()) {
        let message = "invalid name: expected a program, or a library without a version";
        return Err(source.error(from.span(), message, "such as \"libamdhip64.so\""));
    }
    let to = to.ok_or_else(|| fields.missing("library", &["path", "kernels"]))?;
    let reason = reason.ok_or_else(|| fields.missing("reason", &[]))?;
    if let Some(table) = tables.first().filter(|_| !matches!(to, Target::Kernels(_))) {
        return Err(source.error(table.span(), "only kernels have tables", "this edge has no `kernels`"));
    }
    let tables = tables.into_iter().map(Spanned::into_inner).collect();
    let edge = Edge { from: from.into_inner(), to, tables, reason: reason.get_ref().clone(), seen, required };
    if !rules::is_edge(&edge) {
        return Err(source.error(
            reason.span(),
            "invalid reason: expected a line of text",
            "not empty, and no control characters",
        ));
    }
    fields.finish()?;
    Ok(edge)
}

/// Reads the target of an edge, if it has one.
fn target(source: &SourceText, fields: &Table) -> Result<Option<Target>> {
    let (opened, path, kernels) = (fields.text("library")?, fields.text("path")?, fields.text("kernels")?);
    match (opened, path, kernels) {
        (Some(name), None, None) => library(source, name).map(Target::Library).map(Some),
        (None, Some(path), None) => inner(source, path).map(Target::Path).map(Some),
        (None, None, Some(path)) => inner(source, path).map(Target::Kernels).map(Some),
        (None, None, None) => Ok(None),
        _ => {
            let message = "only one of `library`, `path` and `kernels` can be given";
            Err(source.error(fields.span.clone(), message, "this edge leads to several"))
        }
    }
}

fn library(source: &SourceText, text: Spanned<String>) -> Result<String> {
    if rules::is_library(text.get_ref()) {
        return Ok(text.into_inner());
    }
    let message = "invalid library: expected its name, alone or with directories";
    Err(source.error(text.span(), message, "such as \"libhiprtc.so\" or \"plugins/libx.so.1\""))
}

fn inner(source: &SourceText, text: Spanned<String>) -> Result<String> {
    if crate::tree::is_path(text.get_ref().as_bytes()) {
        return Ok(text.into_inner());
    }
    Err(source.error(
        text.span(),
        "invalid path: expected a clean path in the tree",
        "such as \"lib/llvm/amdgcn/bitcode\"",
    ))
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
            // An edge that nobody has seen may keep a directory if it exists, but must not require one.
            let unproven = edge.seen.is_empty() && (edge.required || !edge.tables.is_empty());
            assert!(!edge.reason.is_empty() && !unproven, "{edge:?}");
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
                format!("{head}library = \"../liby.so\"\nreason = \"r\"\n"),
                "3:11",
                "invalid library: expected its name, alone or with directories",
            ),
            (format!("{head}library = \"liby.so\"\nkernels = \"y\"\nreason = \"r\"\n"), "1:", "only one of"),
            (format!("{head}path = \"../y\"\nreason = \"r\"\n"), "3:8", "invalid path: expected a clean path"),
            (
                "[[edge]]\nfrom = \"libx.so.1\"\n".to_owned(),
                "2:8",
                "expected a program, or a library without a version",
            ),
            (format!("{head}library = \"liby.so\"\n"), "1:", "the field `reason` is missing"),
            (
                format!("{head}library = \"liby.so\"\nreason = \"\"\n"),
                "4:10",
                "invalid reason: expected a line of text",
            ),
            (format!("{head}library = \"liby.so\"\nreason = \"r\"\nseen = \"10\"\n"), "5:8", "an array of strings"),
            (format!("{head}library = \"liby.so\"\nreason = \"r\"\nneeded = true\n"), "5:1", "unknown field `needed`"),
            (format!("{head}path = \"x\"\nreason = \"r\"\ntables = [\"t\"]\n"), "5:11", "only kernels have tables"),
            ("edge = 1\n".to_owned(), "1:8", "`edge` must be an array of tables"),
            ("[[generic]]\nname = \"gfx11-generic\"\ncovers = [\"x\"]\n".to_owned(), "3:11", "invalid GPU target `x`"),
            ("[[edges]]\n".to_owned(), "1:", "unknown field `edges`"),
            ("edge = [\n".to_owned(), "", "invalid TOML"),
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
