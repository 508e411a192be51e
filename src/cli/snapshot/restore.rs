//! `strixlock snapshot restore`

use std::path::PathBuf;

use crate::cli::Session;
use crate::cli::choices::link_mode;
use crate::cli::table::{Column, Table};
use crate::error::{About, Result};
use crate::export::snapshot::{Restored, restore};
use crate::realize::short_version;
use crate::store::{LinkMode, checkout};

/// Unpack a snapshot into the store, verified against its listings and the lock
///
/// Uses no network. Outputs of the lock are realized afterwards; `strixlock realize` switches to them. With --to,
/// writes plain copies as well.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// Snapshot to restore
    #[arg(value_name = "FILE.tar.zst", value_parser = crate::cli::paths::path())]
    file: PathBuf,
    /// Write plain copies below this directory; does not need a lock
    #[arg(long, value_name = "DIR", value_parser = crate::cli::paths::path())]
    to: Option<PathBuf>,
    /// Method of copying files
    #[arg(long, value_parser = link_mode(), default_value = "auto", requires = "to")]
    link_mode: LinkMode,
    /// Replace what exists at the path of a copy
    #[arg(short, long, requires = "to")]
    force: bool,
}

pub fn run(args: &RestoreArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = if args.to.is_some() { session.lock_if_there()? } else { Some(session.lock()?) };
    let restored = restore(session.store()?, &args.file, lock, &*ui.progress)?;
    for one in &restored {
        if let Some(to) = &args.to {
            checkout(&one.tree, &to.join(&one.output.name), args.link_mode, args.force).about(&one.output.name)?;
        }
    }
    let locked = |one: &Restored| {
        lock.is_some_and(|lock| lock.outputs.values().any(|out| out.derivation == one.output.derivation))
    };
    if ui.is_json() {
        let outputs: Vec<_> = restored
            .iter()
            .map(|one| {
                let path = args.to.as_ref().map_or_else(|| one.tree.path.clone(), |to| to.join(&one.output.name));
                serde_json::json!({ "output": one.output, "locked": locked(one), "path": path.display().to_string() })
            })
            .collect();
        ui.json(serde_json::json!({ "restored": outputs }));
        return Ok(0);
    }
    let mut table = Table::new([Column::name("output"), Column::text("version"), Column::word("tree")]);
    for one in &restored {
        let version = lock.filter(|_| locked(one)).map(|lock| short_version(lock, &one.output.name));
        let version = version.filter(|version| !version.is_empty()).unwrap_or_else(|| one.output.version.clone());
        table.row([one.output.name.as_str(), &version, &one.output.tree.hex()[..12]]);
    }
    ui.table(&table);
    for one in restored.iter().filter(|one| args.to.is_none() && !locked(one)) {
        ui.warning(&format!(
            "{}: this lock has another recipe or seal for it, or none: its tree is in the store, but nothing uses it",
            one.output.name
        ));
    }
    Ok(0)
}
