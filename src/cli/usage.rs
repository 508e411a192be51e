//! `strixlock store`

use super::{GlobalArgs, Ui};
use crate::error::Result;
use crate::text;

/// Show what the store holds, and what each tree added
#[derive(Debug, clap::Args)]
pub struct StoreArgs {}

pub fn store(ui: &Ui, global: &GlobalArgs, _args: &StoreArgs) -> Result<u8> {
    let store = global.open_store()?;
    let usage = store.usage()?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "store": store.root().display().to_string(), "usage": usage }));
        return Ok(0);
    }
    let mut rows = vec![["size", "adds", "generations", "tree", "what"].map(str::to_owned).to_vec()];
    for tree in &usage.trees {
        let generations: Vec<String> = tree.generations.iter().map(u64::to_string).collect();
        rows.push(vec![
            text::bytes(tree.size),
            text::bytes(tree.adds),
            generations.join(" "),
            tree.tree.hex()[..12].to_owned(),
            tree.what.clone().unwrap_or_else(|| "input".to_owned()),
        ]);
    }
    ui.table(&rows);
    ui.line(format!("trees      {} as {} of files", text::bytes(usage.logical), text::bytes(usage.physical)));
    ui.line(format!("downloads  {}", text::bytes(usage.downloads)));
    ui.line(format!("git        {}", text::bytes(usage.repositories)));
    ui.line(format!("in {}", store.root().display()));
    Ok(0)
}
