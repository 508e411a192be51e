//! `strixlock archive prune`

use super::directory;
use crate::archive::{Archive, ArchiveName, prune};
use crate::cli::Session;
use crate::cli::paths::archive;
use crate::error::Result;
use crate::fetch::Access;
use crate::text;

/// Remove from an archive what none of its locks needs
///
/// With --drop, removes locks first, and then what no other lock needs. Files that strixlock did not put there stay. Of a
/// registry only locks are removed, by --drop: it frees what none of the others needs by itself.
#[derive(Debug, clap::Args)]
pub struct PruneArgs {
    /// Archive: a directory, or a repository of a registry (oci://HOST/REPOSITORY) [default:
    /// $XDG_DATA_HOME/strixlock/archive]
    #[arg(value_name = "DIR|oci://...", value_parser = archive)]
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
    let (pruned, warnings) = match &args.archive {
        Some(ArchiveName::Registry { host, repository }) => {
            let access = if args.dry_run { Access::Read } else { Access::Delete };
            let archive = session.registry_archive(host, repository, access)?;
            (archive.prune(&args.drop, args.dry_run)?, archive.warnings())
        }
        name => {
            let place = directory(name.as_ref(), session)?;
            // A directory that is no archive must not become one here.
            Archive::open(&place)?;
            let archive = if args.dry_run { Archive::open(&place)? } else { Archive::open_to_write(&place)? };
            prune(&archive, &args.drop, args.dry_run)?
        }
    };
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
