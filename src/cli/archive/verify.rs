//! `strixlock archive verify`

use super::open;
use crate::archive::{ArchiveName, verify};
use crate::cli::Session;
use crate::cli::paths::archive;
use crate::cli::remote::COLLECT;
use crate::cli::table::{Column, Table};
use crate::error::{Kind, Result};
use crate::fetch::Access;
use crate::text;

/// Read every byte of an archive and compare it with its digests
///
/// Also looks for everything that its locks need. Exit code 7 if something is damaged or missing. `sha256sum -c
/// SHA256SUMS` checks all but the chunks of cold trees. Of an archive in a registry, names the locks to drop before
/// what is damaged can be sent again.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Archive: a directory, a .tar file of one, or a repository of a registry (oci://HOST/REPOSITORY) [default:
    /// $XDG_DATA_HOME/strixlock/archive]
    #[arg(value_name = "DIR|FILE.tar|oci://...", value_parser = archive)]
    archive: Option<ArchiveName>,
}

pub fn run(args: &VerifyArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let verified = match &args.archive {
        Some(ArchiveName::Registry { host, repository }) => {
            session.registry_archive(host, repository, Access::Read)?.verify(&*ui.progress)?
        }
        name => verify(&open(name.as_ref(), session)?.archive, &*ui.progress)?,
    };
    for other in &verified.others {
        ui.warning(&format!("passed over `{}`, which has no place in an archive", text::visible(other)));
    }
    ui.result(serde_json::json!({ "verified": verified }), || {
        let mut table = Table::new([Column::word("fault"), Column::name("file"), Column::text("about")]);
        for fault in &verified.faults {
            table.row([fault.fault, &fault.path, &text::visible(&fault.about)]);
        }
        ui.table(&table);
        let trees = match verified.trees {
            0 => String::new(),
            trees => format!(", {} in chunks", text::counted(trees as usize, "tree")),
        };
        let read = format!(
            "{} of {}{trees} for {}",
            text::bytes(verified.bytes),
            text::counted(verified.files as usize, "file"),
            text::counted(verified.locks as usize, "lock")
        );
        match verified.faults.len() {
            0 => ui.line(format!("ok: {read}")),
            count => ui.line(format!("{} found in {read}", text::counted(count, "fault"))),
        }
        if let (Some(name), false) = (&args.archive, verified.drop.is_empty()) {
            let drop: Vec<String> = verified.drop.iter().map(|lock| format!(" --drop {}", &lock.hex()[..12])).collect();
            ui.line(format!(
                "1. `strixlock archive prune {name}{}` drops the locks that need what is damaged",
                drop.concat()
            ));
            ui.line(format!("2. {COLLECT}"));
            ui.line(format!("3. `strixlock archive --to {name}` sends it again, with each of these locks"));
        }
        if verified.unneeded > 0 {
            let count = text::counted(verified.unneeded as usize, "file");
            ui.line(format!("{count} that no lock needs: `strixlock archive prune` removes such"));
        }
    });
    Ok(if verified.faults.is_empty() { 0 } else { Kind::Damaged as u8 })
}
