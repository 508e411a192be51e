//! `strixlock store`

mod pack;

use super::Session;
use super::paths::shown;
use super::table::{Column, Table};
use super::tree_names::TreeNames;
use super::versions::versions;
use crate::error::Result;
use crate::store::{Numbered, ProfileName, TreeUsage};
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
    let usage = store.usage(|profile, number, generation| {
        versions(profile, number, generation).into_iter().map(|output| output.name).collect()
    })?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "store": store.root().display().to_string(), "usage": usage }));
        return Ok(0);
    }
    let profile = session.profile()?;
    let names = TreeNames::read(store, Some(&profile));
    let mut table = Table::new([
        Column::name("tree"),
        Column::number("size"),
        Column::number("adds"),
        Column::word("form").spare(),
        Column::text("generations"),
        Column::word("digest").spare(),
    ]);
    for tree in &usage.trees {
        table.row([
            names.of(tree.tree).unwrap_or_else(|| "unused".to_owned()),
            text::bytes(tree.size),
            text::bytes(tree.adds),
            if tree.cold { "packed" } else { "" }.to_owned(),
            generations(tree, profile.name()),
            tree.tree.hex()[..12].to_owned(),
        ]);
    }
    table.row(["total".to_owned(), text::bytes(usage.logical), text::bytes(usage.physical)]);
    ui.table(&table);
    ui.line(format!(
        "downloads {}, git caches {}, compiler caches {}, in {}",
        text::bytes(usage.downloads),
        text::bytes(usage.repositories),
        text::bytes(usage.compile_cache),
        shown(store.root())
    ));
    Ok(0)
}

/// Returns the generations that have a tree: numbers of this project's, `PROFILE/NUMBER` of others.
fn generations(tree: &TreeUsage, own: &ProfileName) -> String {
    let numbered = |held: &Numbered| match held {
        Numbered { profile, number } if profile == own => number.to_string(),
        Numbered { profile, number } => format!("{profile}/{number}"),
    };
    tree.generations.iter().map(numbered).collect::<Vec<_>>().join(" ")
}
