//! `strixlock remote gc`

use serde_json::json;

use super::open;
use crate::cli::Session;
use crate::error::Result;
use crate::fetch::Access;
use crate::remote::gc;
use crate::text;

/// Remove old pushes from a remote, and the trees that only they have
///
/// A registry frees the space when it collects its garbage, by its own rules. Trees that no push names stay: one may be
/// going on.
#[derive(Debug, clap::Args)]
pub struct GcArgs {
    /// Name or address of the remote [default: the first of the configuration]
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
    /// Keep the N newest pushes
    #[arg(long, value_name = "N")]
    keep: std::num::NonZeroUsize,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: &GcArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let access = if args.dry_run { Access::Read } else { Access::Delete };
    let (name, remote) = open(session, args.remote.as_deref(), access)?;
    let collected = gc(&*remote, args.keep.get(), args.dry_run)?;
    let json = json!({ "remote": name, "address": remote.address(), "dry_run": args.dry_run, "collected": collected });
    ui.result(json, || {
        let would = if args.dry_run { "would remove" } else { "removed" };
        if collected.pushes.is_empty() {
            ui.line(format!("nothing to remove: {}", text::counted(collected.kept, "push").replace("pushs", "pushes")));
            return;
        }
        let numbers: Vec<String> = collected.pushes.iter().map(u64::to_string).collect();
        ui.line(format!("{would} push {}", numbers.join(", ")));
        for tree in &collected.trees {
            ui.line(format!("{would} tree {}", &tree.hex()[..12]));
        }
    });
    Ok(0)
}
