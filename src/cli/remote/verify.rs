//! `strixlock remote verify`

use serde_json::json;

use super::open;
use crate::cli::Session;
use crate::cli::table::{Column, Table};
use crate::error::{Kind, Result};
use crate::fetch::Access;
use crate::remote::verify;
use crate::text;

/// Read every byte of a remote and compare it with its digests
///
/// Exit code 7 if something is damaged or missing. What is damaged is never used: `realize` and `pull` compare each
/// file, too.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Name or address of the remote [default: the first of the configuration]
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
}

pub fn run(args: &VerifyArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let (name, remote) = open(session, args.remote.as_deref(), Access::Read)?;
    let directory = tempfile::tempdir()?;
    let verified = verify(&*remote, directory.path(), &*ui.progress)?;
    ui.result(json!({ "remote": name, "address": remote.address(), "verified": verified }), || {
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
            count => ui.line(format!("{} found in {read}", text::counted(count, "fault"))),
        }
    });
    Ok(if verified.faults.is_empty() { 0 } else { Kind::Damaged as u8 })
}
