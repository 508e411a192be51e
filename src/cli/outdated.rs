//! `strixlock outdated`

use std::collections::{BTreeMap, BTreeSet};

use super::Session;
use super::leaving::leaving;
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::Fetcher;
use crate::inputs::{InputRequest, LockedInput};
use crate::intake::Intake;
use crate::manifest::Manifest;
use crate::store::Store;
use crate::update::{Options, update};
use crate::upstream::rocm::{RocmVersion, Series, newest_of_series};

/// Look up what is newer than the lock; writes nothing
#[derive(Debug, clap::Args)]
pub struct OutdatedArgs {}

pub fn run(_args: &OutdatedArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if session.is_offline() {
        return Err(Error::new(Kind::Unreachable, "cannot look up newer versions with --offline")
            .hint("leave out --offline; `strixlock status` shows what is locked without the network"));
    }
    let manifest = session.manifest()?;
    let lock = session.lock()?;
    // The store only saves downloads: if it is not writable, a temporary one is used.
    let (store, scratch) = (session.store_as_allowed()?, tempfile::tempdir()?);
    let temporary = if store.can_write() { None } else { Some(Store::open(scratch.path())?) };
    let intake = Intake { store: temporary.as_ref().unwrap_or(store), fetcher: session.fetcher()? };
    let options = Options {
        dry_run: true,
        accept_replaced: true,
        now: session.now,
        without_leaving: true,
        directory: session.project.manifest_directory(),
        ..Options::default()
    };
    let wanted = update(manifest, Some(lock), intake, &options)?;
    // Look up again without the versions that the manifest is held to.
    let mut open = manifest.clone();
    for request in open.inputs.values_mut() {
        if let Some(unheld) = request.unheld() {
            *request = unheld;
        }
    }
    let latest = if open == *manifest { None } else { Some(update(&open, Some(lock), intake, &options)?) };
    let latest = latest.as_ref().unwrap_or(&wanted);
    // Both look-ups may give the same warning.
    let warnings: BTreeSet<&String> = wanted.warnings.iter().chain(&latest.warnings).collect();
    for warning in &warnings {
        ui.warning(warning);
    }
    let series = series(manifest, intake.fetcher, options.now)?;
    let leaving = leaving(session, lock, store)?;
    for pin in leaving.iter().filter(|_| !ui.is_json()) {
        ui.warning(&pin.text());
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
        let listed = latest.clone().filter(|latest| is_older(latest, input));
        let latest = latest.filter(|_| listed.is_none());
        if wanted.is_some() || latest.is_some() || listed.is_some() {
            let show = |version: &Option<String>| version.clone().unwrap_or_else(|| locked.clone());
            rows.push(vec![name.clone(), locked.clone(), show(&wanted), show(&latest)]);
        }
        if let Some(listed) = &listed {
            let back = if wanted.as_ref() == Some(listed) {
                format!("; `strixlock update {name}` would downgrade to it")
            } else {
                String::new()
            };
            details
                .push(format!("  {locked} is newer than everything in the index; the newest there is {listed}{back}"));
        }
        let moved = latest_moves.iter().find(|moved| moved.input == *name);
        let changes = moved.map(|moved| moved.details.clone()).unwrap_or_default();
        details.extend(changes.iter().map(|change| format!("  {change}")));
        // If it is also the latest of all, the table has it already.
        let series = series.get(name).filter(|series| Some(series.newest.to_string()) != latest);
        details.extend(series.map(|series| format!("  {} is the newest of {}", series.newest, series.name)));
        let series = series.map(|series| serde_json::json!({ "name": series.name, "newest": series.newest }));
        all.push(serde_json::json!({
            "input": name, "locked": locked, "wanted": wanted, "latest": latest, "listed": listed, "series": series,
            "changes": changes,
        }));
    }
    if ui.is_json() {
        ui.json(serde_json::json!({ "inputs": all, "warnings": warnings, "leaving": leaving }));
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

/// Returns true if the newest version in the index is older than the locked one, which was pinned by its URL.
fn is_older(listed: &str, locked: &LockedInput) -> bool {
    let LockedInput::Rocm(block) = locked else { return false };
    let (version, by_day) = (&block.locked.version, block.requested.channel.about().is_ok_and(|about| about.by_day));
    listed.parse::<RocmVersion>().is_ok_and(|listed| {
        if by_day { (listed.date(), &listed) < (version.date(), version) } else { listed < *version }
    })
}

/// Looks up the newest version of each series that the manifest is held to. Drops the warnings, since the other
/// look-ups report those that matter.
fn series(manifest: &Manifest, fetcher: &Fetcher, now: i64) -> Result<BTreeMap<String, Series>> {
    let mut all = BTreeMap::new();
    for (name, request) in &manifest.inputs {
        if let InputRequest::Rocm(request) = request
            && let Some(series) = newest_of_series(request, fetcher, now).about(name)?
        {
            all.insert(name.clone(), series);
        }
    }
    Ok(all)
}
