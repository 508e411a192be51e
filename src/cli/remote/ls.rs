//! `strixlock remote ls`

use serde_json::json;

use super::{judge, open};
use crate::cli::Session;
use crate::cli::table::{Column, Table};
use crate::error::Result;
use crate::fetch::Access;
use crate::remote::list;
use crate::text;

/// List what was pushed to a remote, the newest first
///
/// Tells for each output who signed that its derivation has this tree, as far as their word counts here. Sizes are
/// those of the packs that a tree needs; trees share packs, so the sum is less.
#[derive(Debug, clap::Args)]
pub struct LsArgs {
    /// Name or address of the remote [default: the first of the configuration]
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
    /// List at most N pushes
    #[arg(short, long, default_value = "10", value_name = "N")]
    count: std::num::NonZeroUsize,
}

pub fn run(args: &LsArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let (name, remote) = open(session, args.remote.as_deref(), Access::Read)?;
    let contents = list(&*remote, &judge(session)?, args.count.get())?;
    for push in &contents.unreadable {
        ui.warning(&format!("the record of push {push} cannot be read"));
    }
    let json = json!({
        "remote": name, "address": remote.address(), "outputs": contents.outputs, "bytes": contents.bytes,
        "unreadable": contents.unreadable, "others": contents.others,
    });
    ui.result(json, || {
        let mut table = Table::new([
            Column::number("push"),
            Column::name("output"),
            Column::text("version"),
            Column::number("size"),
            Column::word("tree"),
            Column::text("signed by"),
        ]);
        for one in &contents.outputs {
            let size = one.bytes.map_or_else(|| "missing".to_owned(), text::bytes);
            let (push, tree) = (one.push.to_string(), &one.tree.hex()[..12]);
            table.row([push.as_str(), &one.output, &one.version, &size, tree, &one.signers.join(", ")]);
        }
        ui.table(&table);
        if contents.outputs.is_empty() {
            ui.line("nothing was pushed");
        } else {
            ui.line(format!("{} in all", text::bytes(contents.bytes)));
        }
        if contents.others > 0 {
            let count = text::counted(contents.others, "tree");
            ui.line(format!("{count} that no push names, of pushes that were interrupted or are going on"));
        }
    });
    Ok(0)
}
