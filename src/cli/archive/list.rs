//! `strixlock archive list`

use std::collections::BTreeMap;

use serde::Serialize;

use super::open;
use crate::archive::{Archive, ArchiveName, Piece};
use crate::cli::Session;
use crate::cli::paths::archive;
use crate::cli::table::{Column, Table};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::lock::Lock;
use crate::text;

/// List the locks of an archive, with what they pin
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Archive: a directory, or a .tar file of one [default: $XDG_DATA_HOME/strixlock/archive]
    #[arg(value_name = "DIR|FILE.tar", value_parser = archive)]
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
    let opened = open(args.archive.as_ref(), session)?;
    let archive = &opened.archive;
    let rows: Vec<Row> = archive
        .locks()?
        .iter()
        .map(|one| match &one.lock {
            Ok(lock) => row(archive, one.digest, lock),
            Err(error) => {
                let fault = Some(error.message().to_owned());
                Row { lock: one.digest, inputs: BTreeMap::new(), bytes: 0, cold: 0, missing: 0, fault }
            }
        })
        .collect();
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

fn row(archive: &Archive, digest: Sha256Digest, lock: &Lock) -> Row {
    let inputs = lock.inputs.iter().map(|(name, input)| (name.clone(), input.short_version())).collect();
    let mut row = Row { lock: digest, inputs, bytes: 0, cold: 0, missing: 0, fault: None };
    for kept in lock.inputs.values().flat_map(|input| input.kept()) {
        let Some(pieces) = archive.held(&kept) else {
            row.missing += 1;
            continue;
        };
        row.bytes += pieces.iter().filter_map(|piece| archive.size(piece)).sum::<u64>();
        row.cold += u64::from(pieces.iter().any(|piece| matches!(piece, Piece::Cold(_))));
    }
    row
}
