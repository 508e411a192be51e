//! `strixlock why`

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use serde_json::json;

use super::table::{Column, Table};
use super::ui::DIM;
use super::{Session, drivers};
use crate::error::{Error, Kind, Result};
use crate::realize::{Runtime, driver_output, runtime_output};
use crate::suggest::nearest;
use crate::text;
use crate::tree::{Node, show};

/// Explain why a file is in the runtime, or why it was left out
///
/// Shows the chain from a root program to the file, or from a driver of a Vulkan runtime, with the rule for each step. Computed from the realized trees,
/// without network.
#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    /// Path in the tree (lib/librocblas.so.5), or installed path (/opt/rocm/lib/..., /opt/llama/bin/...)
    path: PathBuf,
    /// Runtime to explain, if the lock has several
    #[arg(long, value_name = "OUTPUT")]
    output: Option<String>,
}

/// Number of paths shown for the same file name.
const SHOWN: usize = 5;

pub fn run(args: &WhyArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock()?;
    if let Some(name) = driver_output(lock, args.output.as_deref()) {
        return drivers::why(session, lock, &name, args.path.as_os_str().as_bytes());
    }
    let name = runtime_output(lock, args.output.as_deref())?;
    let runtime = session.realizer(lock, None)?.explain(&name)?;
    let file = RuntimeFile::find(&runtime, args.path.as_os_str().as_bytes())?;
    let shown = show(&file.installed);
    if let Some(chain) = runtime.trimmed.why(&file.installed) {
        if ui.is_json() {
            let steps: Vec<_> = chain
                .iter()
                .map(|(path, rule)| {
                    json!({ "path": show(path), "rule": rule.label(), "because": runtime.trimmed.because(*rule) })
                })
                .collect();
            let mut all = json!({ "output": name, "path": shown, "size": file.size, "kept": true, "chain": steps });
            if let Some(overlay) = &file.overlay {
                all["overlay"] = overlay.as_str().into();
            }
            ui.json(all);
            return Ok(0);
        }
        ui.line(format!("{shown}{}", file.size.map_or_else(String::new, |size| format!(", {}", text::bytes(size)))));
        let mut table = Table::new([Column::word("rule"), Column::name("path"), Column::text("because").styled(DIM)]);
        for (path, rule) in &chain {
            table.row([rule.label(), &show(path), &runtime.trimmed.because(*rule)]);
        }
        ui.table(&table);
        file.tell_overlay(session);
        return Ok(0);
    }
    let (label, because) = &file.left_out;
    if ui.is_json() {
        let rule = json!({ "rule": label, "because": because });
        let mut all = json!({ "output": name, "path": shown, "size": file.size, "kept": false, "left_out": rule });
        if let Some(overlay) = &file.overlay {
            all["overlay"] = overlay.as_str().into();
        }
        ui.json(all);
    } else {
        ui.line(format!("{shown} is not in the runtime: it {because}"));
        file.tell_overlay(session);
    }
    Ok(0)
}

/// The file or link to explain.
struct RuntimeFile {
    /// Path where it is installed.
    installed: Vec<u8>,
    /// Size of a file. `None` for a link.
    size: Option<u64>,
    /// Rule and explanation if the file is not kept.
    left_out: (&'static str, String),
    /// The decision of an overlay about it, as the end of a sentence.
    overlay: Option<String>,
}

impl RuntimeFile {
    fn tell_overlay(&self, session: &Session) {
        if let Some(overlay) = &self.overlay {
            session.ui.line(format!("{} {overlay}", show(&self.installed)));
        }
    }

    fn find(runtime: &Runtime, path: &[u8]) -> Result<Self> {
        let path = path.strip_prefix(b"./").unwrap_or(path);
        let mut directory = false;
        let trees = [(&runtime.rocm_prefix, &runtime.rocm_listing), (&runtime.llama_prefix, &runtime.llama_listing)];
        for (number, (prefix, listing)) in trees.into_iter().enumerate() {
            let inner = path.strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_prefix(b"/"));
            // A relative path is one in the ROCm tree.
            let Some(inner) = inner.or((number == 0 && !path.starts_with(b"/")).then_some(path)) else { continue };
            let Some(entry) = listing.get(inner.strip_suffix(b"/").unwrap_or(inner)) else { continue };
            let size = match entry.node {
                Node::Directory => {
                    directory = true;
                    continue;
                }
                Node::File { size, .. } => Some(size),
                Node::Link { .. } => None,
            };
            let left_out = match runtime.trimmed.left_out.get(inner) {
                Some(left_out) if number == 0 => (left_out.label(), left_out.to_string()),
                _ => ("llama", "is a part of the llama.cpp build, which is not trimmed".to_owned()),
            };
            let record = runtime.overlay.as_ref().filter(|_| number == 0);
            let overlay = record.and_then(|record| record.told(&show(&entry.path)));
            return Ok(Self { installed: [prefix.as_bytes(), b"/", inner].concat(), size, left_out, overlay });
        }
        Err(unknown(runtime, path, directory))
    }
}

/// Returns the error for a path without a file, with suggestions.
fn unknown(runtime: &Runtime, path: &[u8], directory: bool) -> Error {
    if directory {
        return Error::new(Kind::Usage, format!("`{}` is a directory: name a file in it", show(path)))
            .hint("`strixlock runtime --explain` shows the reasons for all files");
    }
    let trees = [(&runtime.rocm_prefix, &runtime.rocm_listing), (&runtime.llama_prefix, &runtime.llama_listing)];
    let files = trees.iter().flat_map(|(prefix, listing)| {
        let files = listing.entries().iter().filter(|entry| entry.node != Node::Directory);
        files.map(move |entry| format!("{prefix}/{}", entry.display()))
    });
    let all: BTreeSet<String> = files.collect();
    let wrong = show(path);
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let wanted = last(&wrong);
    let same: Vec<&str> = all.iter().map(String::as_str).filter(|path| last(path) == wanted).collect();
    let error = Error::new(Kind::NotFound, format!("missing from both trees: `{wrong}`"));
    if same.is_empty() {
        // Compare names rather than paths, since people remember directories least.
        let names: BTreeSet<String> = all.iter().map(|path| last(path)).collect();
        return error.hint(match nearest(&wanted, names.iter().map(String::as_str)) {
            Some(near) => {
                let places: Vec<&str> = all.iter().map(String::as_str).filter(|path| last(path) == near).collect();
                let places = places.iter().take(SHOWN).map(|path| format!("`{path}`")).collect::<Vec<_>>();
                format!("did you mean {}?", places.join(" or "))
            }
            None => "`strixlock runtime --explain --json` lists the files".to_owned(),
        });
    }
    let error = same.iter().take(SHOWN).fold(error, |error, path| error.fact("there is", path));
    error.hint("use one of these paths")
}
