//! `strixlock lock merge`

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::Session;
use crate::cli::paths::path;
use crate::error::{About as _, Error, Kind, Result};
use crate::lock::Lock;
use crate::lock::merge::{Merged, conflict};
use crate::store::replace_file;
use crate::text::visible;

/// Merge two versions of a lock, as git's merge driver
///
/// Different inputs merge. Of an input that both sides moved, the newer pin is kept, by version or date; recipes are
/// merged field by field; seals stay where they are for what came out. Writes the result to OURS, as git expects it. What
/// nobody can decide keeps our side and is a conflict: exit code 3.
///
/// git needs two things: `/lock/*.lock merge=strixlock` in .gitattributes, which `strixlock init` writes, and in each
/// clone `git config merge.strixlock.driver 'strixlock lock merge %O %A %B %P'`.
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// Version that both sides were made from (%O); an empty file if there was none
    #[arg(value_parser = path())]
    base: PathBuf,
    /// Our version (%A), which is replaced by the result
    #[arg(value_parser = path())]
    ours: PathBuf,
    /// Their version (%B)
    #[arg(value_parser = path())]
    theirs: PathBuf,
    /// Path of the lock, for messages (%P) [default: that of our version]
    name: Option<String>,
}

pub fn run(args: &MergeArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let name = visible(args.name.as_deref().unwrap_or(&args.ours.to_string_lossy()));
    let base = read(&args.base, &name, "base")?;
    let missing = |side: &'static str| {
        Error::new(Kind::Invalid, format!("{side} version of the lock is empty")).about(name.clone())
    };
    let ours = read(&args.ours, &name, "our side")?.ok_or_else(|| missing("our"))?;
    let theirs = read(&args.theirs, &name, "their side")?.ok_or_else(|| missing("their"))?;
    let merged = Merged::of(base.as_ref(), &ours, &theirs).about(name.clone())?;
    replace_file(&args.ours, merged.lock.to_text()?.as_bytes())?;
    for note in &merged.notes {
        ui.note(&format!("{name}: {}", visible(note)));
    }
    if !merged.conflicts.is_empty() {
        return Err(conflict(&merged.conflicts).about(name));
    }
    ui.result(json!({ "lock": name, "written": args.ours, "notes": merged.notes }), || {});
    Ok(0)
}

/// Reads one of the three versions. Errors say which.
fn read(path: &Path, name: &str, side: &'static str) -> Result<Option<Lock>> {
    let bytes = fs_err::read(path).map_err(|error| {
        let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
        Error::new(kind, "cannot read a version of the lock").fact("path", path.display()).because(&error)
    })?;
    Lock::parse_for_merge(&String::from_utf8_lossy(&bytes)).map_err(|error| error.about(format!("{name}, {side}")))
}
