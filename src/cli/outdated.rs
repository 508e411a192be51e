//! `strixlock outdated`

use std::collections::BTreeSet;

use super::{GlobalArgs, Ui, settings};
use crate::error::{Error, Kind, Result};
use crate::intake::Intake;
use crate::manifest::{InputRequest, Manifest};
use crate::update::{Options, update};
use crate::upstream::rocm::VersionRequest;

/// Ask upstream what is newer than the lock; writes nothing
#[derive(Debug, clap::Args)]
pub struct OutdatedArgs {}

pub fn outdated(ui: &Ui, global: &GlobalArgs, _args: &OutdatedArgs) -> Result<u8> {
    if global.offline {
        return Err(Error::new(Kind::Unreachable, "upstream cannot be asked with --offline")
            .hint("leave out --offline; `strixlock status` shows what is locked, without network"));
    }
    let manifest = Manifest::read(&global.manifest_path())?;
    let lock = global.read_lock()?;
    let store = global.open_store()?;
    let fetcher = global.fetcher(ui)?;
    let intake = Intake { store: &store, fetcher: &fetcher };
    let options = Options {
        dry_run: true,
        accept_replaced: true,
        now: settings::now(),
        directory: global.manifest_directory(),
        ..Options::default()
    };
    let wanted = update(&manifest, Some(&lock), intake, &options)?;
    // The same question without the version that the manifest holds on to.
    let mut open = manifest.clone();
    for request in open.inputs.values_mut() {
        if let InputRequest::Rocm(request) = request {
            request.version = VersionRequest::Latest;
        }
    }
    let latest = if open == manifest { None } else { Some(update(&open, Some(&lock), intake, &options)?) };
    let latest = latest.as_ref().unwrap_or(&wanted);
    // Both questions may be answered with the same warning.
    let warnings: BTreeSet<&String> = wanted.warnings.iter().chain(&latest.warnings).collect();
    for warning in &warnings {
        ui.warning(warning);
    }
    let to = |moves: &[crate::update::Move], name: &str| {
        moves.iter().find(|moved| moved.input == name).map(|moved| moved.to.clone())
    };
    let mut rows = vec![["input", "locked", "wanted", "latest"].map(str::to_owned).to_vec()];
    let (mut all, mut details) = (Vec::new(), Vec::new());
    let latest_moves = &latest.moves;
    for (name, input) in &lock.inputs {
        let locked = input.version();
        let wanted = to(&wanted.moves, name);
        let latest = to(&latest.moves, name);
        if wanted.is_some() || latest.is_some() {
            let show = |version: &Option<String>| version.clone().unwrap_or_else(|| locked.clone());
            rows.push(vec![name.clone(), locked.clone(), show(&wanted), show(&latest)]);
        }
        let moved = latest_moves.iter().find(|moved| moved.input == *name);
        let changes = moved.map(|moved| moved.details.clone()).unwrap_or_default();
        details.extend(changes.iter().map(|change| format!("  {change}")));
        all.push(serde_json::json!({ "input": name, "locked": locked, "wanted": wanted, "latest": latest, "changes": changes }));
    }
    if ui.is_json() {
        ui.json(serde_json::json!({ "inputs": all, "warnings": warnings }));
    } else if rows.len() == 1 {
        ui.line("nothing is newer than the lock");
    } else {
        ui.table(&rows);
        for line in details {
            ui.line(line);
        }
    }
    Ok(0)
}
