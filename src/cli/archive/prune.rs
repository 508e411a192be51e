//! `strixlock archive prune`

use super::directory;
use crate::archive::{Archive, ArchiveName, prune};
use crate::cli::Session;
use crate::cli::paths::archive;
use crate::error::Result;
use crate::text;

/// Remove from an archive what none of its locks needs
///
/// With --drop, removes locks first, and then what no other lock needs. Files that strixlock did not put there stay.
#[derive(Debug, clap::Args)]
pub struct PruneArgs {
    /// Directory of the archive [default: $XDG_DATA_HOME/strixlock/archive]
    #[arg(value_name = "DIR", value_parser = archive)]
    archive: Option<ArchiveName>,
    /// Drop this lock, by the beginning of its digest, as `archive list` shows it
    #[arg(long, value_name = "LOCK")]
    drop: Vec<String>,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: &PruneArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let place = directory(args.archive.as_ref(), session)?;
    // A directory that is no archive must not become one here.
    Archive::open(&place)?;
    let archive = if args.dry_run { Archive::open(&place)? } else { Archive::open_to_write(&place)? };
    let (pruned, warnings) = prune(&archive, &args.drop, args.dry_run)?;
    for warning in &warnings {
        ui.warning(warning);
    }
    for other in &pruned.others {
        ui.warning(&format!("kept `{}`, which has no place in an archive", text::visible(other)));
    }
    ui.result(serde_json::json!({ "dry_run": args.dry_run, "pruned": pruned }), || {
        let would = if args.dry_run { "would remove" } else { "removed" };
        for lock in &pruned.locks {
            ui.line(format!("{would} lock {}", &lock.hex()[..12]));
        }
        let counts = [(pruned.files, "file"), (pruned.chunks, "chunk")];
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let some: Vec<String> = some.map(|(count, what)| text::counted(*count as usize, what)).collect();
        if some.is_empty() {
            ui.line(if pruned.locks.is_empty() { "nothing to remove" } else { "nothing else to remove" });
        } else {
            ui.line(format!("{would} {}: {}", some.join(", "), text::bytes(pruned.bytes)));
        }
    });
    Ok(0)
}
