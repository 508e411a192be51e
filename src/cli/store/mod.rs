//! `strixlock store`

mod pack;

use super::Session;
use crate::error::Result;
use crate::store::Numbered;
use crate::text;

/// Show the contents of the store, and what each tree adds; pack trees that are not in use
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    command: Option<StoreCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    Pack(pack::PackArgs),
}

pub fn run(args: &StoreArgs, session: &Session) -> Result<u8> {
    match &args.command {
        Some(StoreCommand::Pack(args)) => pack::run(args, session),
        None => usage(session),
    }
}

fn usage(session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = session.store()?;
    let usage = store.usage()?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "store": store.root().display().to_string(), "usage": usage }));
        return Ok(0);
    }
    let profile = session.profile()?;
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
    ui.line(format!("trees      {}, stored in {}", text::bytes(usage.logical), text::bytes(usage.physical)));
    ui.line(format!("downloads  {}", text::bytes(usage.downloads)));
    ui.line(format!("git        {}", text::bytes(usage.repositories)));
    ui.line(format!("in {}", store.root().display()));
    Ok(0)
}
