//! `strixlock remote verify`

use std::collections::BTreeSet;

use serde_json::json;

use super::{COLLECT, open};
use crate::cli::table::{Column, Table};
use crate::cli::{Session, Ui};
use crate::error::{Kind, Result};
use crate::fetch::Access;
use crate::remote::{nothing_there, remove_damaged, verify};
use crate::text;

/// Read every byte of a remote and compare it with its digests
///
/// Exit code 7 if something is damaged or missing. What is damaged is never used: `realize` and `pull` compare each
/// file, too. A push does not replace it before --remove-damaged.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Name or address of the remote [default: the first of the configuration]
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
    /// Remove the trees and pushes that need what is damaged, so that `strixlock push` sends them again
    #[arg(long)]
    remove_damaged: bool,
}

pub fn run(args: &VerifyArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let access = if args.remove_damaged { Access::Delete } else { Access::Read };
    let (name, remote) = open(session, args.remote.as_deref(), access)?;
    let directory = tempfile::tempdir()?;
    let verified = verify(&*remote, directory.path(), &*ui.progress)?;
    if verified.trees == 0 && verified.faults.is_empty() {
        return Err(nothing_there(&*remote));
    }
    let removed = if args.remove_damaged { remove_damaged(&*remote, &verified.faults)? } else { BTreeSet::new() };
    let json = json!({ "remote": name, "address": remote.address(), "verified": verified, "removed": removed });
    ui.result(json, || {
        let mut table = Table::new([Column::text("fault"), Column::name("of"), Column::text("about")]);
        for fault in &verified.faults {
            table.row([&fault.fault, &fault.what, &fault.about]);
        }
        ui.table(&table);
        let read = format!(
            "{} of {} for {}",
            text::bytes(verified.bytes),
            text::counted(verified.packs, "pack"),
            text::counted(verified.trees, "tree")
        );
        match verified.faults.len() {
            0 => ui.line(format!("ok: {read}")),
            count => {
                ui.line(format!("{} found in {read}", text::counted(count, "fault")));
                next(ui, args, &name, &remote.address(), &removed);
            }
        }
    });
    Ok(if verified.faults.is_empty() { 0 } else { Kind::Damaged as u8 })
}

/// Prints the way to a remote without faults.
fn next(ui: &Ui, args: &VerifyArgs, name: &str, address: &str, removed: &BTreeSet<String>) {
    if !args.remove_damaged {
        ui.line(format!(
            "`strixlock remote verify {name} --remove-damaged` removes what needs it, for a push to send it again"
        ));
        return;
    }
    for tag in removed {
        ui.line(format!("removed {tag}"));
    }
    if address.starts_with("oci://") {
        ui.line(COLLECT);
    }
    ui.line(format!("`strixlock push --to {name}` sends outputs again, from a machine and a lock that have them"));
}
