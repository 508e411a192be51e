//! `strixlock store pack`

use crate::cli::Session;
use crate::cli::tree_names::TreeNames;
use crate::error::Result;
use crate::text;

/// Pack trees that are not in use into compressed, shared chunks
///
/// `realize`, `switch` and `rollback` unpack and verify them again. The current generation of each project, and what
/// running processes use, is not packed, nor is a damaged tree.
#[derive(Debug, clap::Args)]
pub struct PackArgs {
    /// Leave the newest N generations of each project unpacked
    #[arg(long, value_name = "N", default_value_t = 2)]
    keep_hot: usize,
}

pub fn run(args: &PackArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = session.exclusive_store()?;
    let names = TreeNames::read(store, session.profile().ok().as_ref());
    let packed = store.pack(args.keep_hot, &*ui.progress)?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "packed": packed }));
        return Ok(0);
    }
    for tree in &packed.trees {
        ui.line(format!(
            "packed {}: {} in {} of new chunks",
            names.or_digest(tree.tree),
            text::bytes(tree.size),
            text::bytes(tree.adds)
        ));
    }
    if packed.trees.is_empty() {
        ui.line("nothing to pack");
    } else {
        ui.line(format!("freed {}", text::bytes(packed.freed)));
    }
    Ok(0)
}
