//! `strixlock outdated`

use super::{GlobalArgs, Ui, settings};
use crate::error::Result;
use crate::intake::Intake;
use crate::lock::Lock;
use crate::manifest::{InputRequest, Manifest};
use crate::update::{Options, update};
use crate::upstream::rocm::VersionRequest;

/// Ask upstream what is newer than the lock; writes nothing
#[derive(Debug, clap::Args)]
pub struct OutdatedArgs {}

pub fn outdated(ui: &Ui, global: &GlobalArgs, _args: &OutdatedArgs) -> Result<u8> {
    let manifest = Manifest::read(&global.manifest_path())?;
    let lock = Lock::read(&global.lock_path())?;
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
    for warning in wanted.warnings.iter().chain(if std::ptr::eq(latest, &raw const wanted) {
        &[]
    } else {
        latest.warnings.as_slice()
    }) {
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
        ui.json(serde_json::json!({ "inputs": all }));
    } else if rows.len() == 1 {
        ui.line("every input is at its newest");
    } else {
        ui.table(&rows);
        for line in details {
            ui.line(line);
        }
    }
    Ok(0)
}
