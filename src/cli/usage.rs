//! `strixlock store` and `store pack`

use super::{GlobalArgs, Ui};
use crate::error::Result;
use crate::store::Numbered;
use crate::text;

/// Show what the store holds, and what each tree added; pack what is not in use
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    command: Option<StoreCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    Pack(PackArgs),
}

/// Turn trees that are not in use into compressed chunks that they share
///
/// `realize`, `switch` and `rollback` bring them back, verified. The current generation of each project and what running
/// processes use stay as they are. A damaged tree is not packed.
#[derive(Debug, clap::Args)]
struct PackArgs {
    /// Leave the newest N generations of each project unpacked
    #[arg(long, value_name = "N", default_value_t = 2)]
    keep_hot: usize,
}

pub fn store(ui: &Ui, global: &GlobalArgs, args: &StoreArgs) -> Result<u8> {
    match &args.command {
        Some(StoreCommand::Pack(args)) => pack(ui, global, args),
        None => usage(ui, global),
    }
}

fn pack(ui: &Ui, global: &GlobalArgs, args: &PackArgs) -> Result<u8> {
    let store = global.open_store()?.exclusive()?;
    let packed = store.pack(args.keep_hot, &*ui.progress)?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "packed": packed }));
        return Ok(0);
    }
    for tree in &packed.trees {
        ui.line(format!(
            "packed {}: {} as {} more",
            &tree.tree.hex()[..12],
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

fn usage(ui: &Ui, global: &GlobalArgs) -> Result<u8> {
    let store = global.open_store()?;
    let usage = store.usage()?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "store": store.root().display().to_string(), "usage": usage }));
        return Ok(0);
    }
    let profile = global.profile(ui, &store)?;
    let mut rows = vec![["size", "adds", "form", "generations", "tree", "what"].map(str::to_owned).to_vec()];
    for tree in &usage.trees {
        let numbered = |held: &Numbered| {
            if held.profile == *profile.name() {
                held.number.to_string()
            } else {
                format!("{}/{}", held.profile, held.number)
            }
        };
        let generations: Vec<String> = tree.generations.iter().map(numbered).collect();
        rows.push(vec![
            text::bytes(tree.size),
            text::bytes(tree.adds),
            if tree.cold { "cold" } else { "hot" }.to_owned(),
            generations.join(" "),
            tree.tree.hex()[..12].to_owned(),
            tree.what.clone().unwrap_or_else(|| "input".to_owned()),
        ]);
    }
    ui.table(&rows);
    ui.line(format!("trees      {} as {} of contents", text::bytes(usage.logical), text::bytes(usage.physical)));
    ui.line(format!("downloads  {}", text::bytes(usage.downloads)));
    ui.line(format!("git        {}", text::bytes(usage.repositories)));
    ui.line(format!("in {}", store.root().display()));
    Ok(0)
}
