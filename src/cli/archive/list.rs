//! `strixlock archive list`

use std::collections::BTreeMap;

use serde::Serialize;

use super::open;
use crate::archive::{Archive, ArchiveName, ArchivedLock, Piece, RegistryArchive};
use crate::cli::Session;
use crate::cli::paths::archive;
use crate::cli::table::{Column, Table};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::fetch::Access;
use crate::inputs::Kept;
use crate::text;

/// List the locks of an archive, with what they pin
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Archive: a directory, a .tar file of one, or a repository of a registry (oci://HOST/REPOSITORY) [default:
    /// $XDG_DATA_HOME/strixlock/archive]
    #[arg(value_name = "DIR|FILE.tar|oci://...", value_parser = archive)]
    archive: Option<ArchiveName>,
}

/// A lock of an archive.
#[derive(Serialize)]
struct Row {
    lock: Sha256Digest,
    /// Versions by input.
    inputs: BTreeMap<String, String>,
    /// Size of what it needs, without chunks.
    bytes: u64,
    /// Number of parts that are kept as cold trees.
    cold: u64,
    /// Number of parts that are not there.
    missing: u64,
    /// The reason why the lock cannot be read.
    fault: Option<String>,
}

pub fn run(args: &ListArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let rows: Vec<Row> = match &args.archive {
        Some(ArchiveName::Registry { host, repository }) => {
            let archive = session.registry_archive(host, repository, Access::Read)?;
            archive.warnings().iter().for_each(|text| ui.warning(text));
            archive.locks()?.iter().map(|one| row(one, &|kept| sent(&archive, kept))).collect()
        }
        name => {
            let opened = open(name.as_ref(), session)?;
            opened.archive.locks()?.iter().map(|one| row(one, &|kept| held(&opened.archive, kept))).collect()
        }
    };
    ui.result(serde_json::json!({ "locks": rows }), || {
        let mut table =
            Table::new([Column::word("lock"), Column::text("inputs"), Column::number("size"), Column::word("form")]);
        for row in &rows {
            let inputs = row.inputs.iter().map(|(name, version)| format!("{name} {version}"));
            let inputs = row.fault.clone().unwrap_or_else(|| inputs.collect::<Vec<_>>().join(", "));
            let form = match row {
                Row { fault: Some(_), .. } => "unreadable".to_owned(),
                Row { missing: 1.., .. } => format!("{} missing", row.missing),
                Row { cold: 1.., .. } => "cold".to_owned(),
                _ => String::new(),
            };
            table.row([row.lock.hex()[..12].to_owned(), inputs, text::bytes(row.bytes), form]);
        }
        ui.table(&table);
        if rows.is_empty() {
            ui.line("no lock");
        }
    });
    Ok(0)
}

/// A part that an archive has: its size, and whether it is a cold tree.
type Held = Option<(u64, bool)>;

fn held(archive: &Archive, kept: &Kept) -> Held {
    let pieces = archive.held(kept)?;
    let size = pieces.iter().filter_map(|piece| archive.size(piece)).sum();
    Some((size, pieces.iter().any(|piece| matches!(piece, Piece::Cold(_)))))
}

fn sent(archive: &RegistryArchive, kept: &Kept) -> Held {
    archive.file(kept).map(|file| (file.size, false))
}

fn row(one: &ArchivedLock, held: &dyn Fn(&Kept) -> Held) -> Row {
    let mut row = Row { lock: one.digest, inputs: BTreeMap::new(), bytes: 0, cold: 0, missing: 0, fault: None };
    let lock = match &one.lock {
        Ok(lock) => lock,
        Err(error) => return Row { fault: Some(error.message().to_owned()), ..row },
    };
    row.inputs = lock.inputs.iter().map(|(name, input)| (name.clone(), input.short_version())).collect();
    for kept in lock.inputs.values().flat_map(|input| input.kept()) {
        match held(&kept) {
            Some((size, is_cold)) => {
                row.bytes += size;
                row.cold += u64::from(is_cold);
            }
            None => row.missing += 1,
        }
    }
    row
}
