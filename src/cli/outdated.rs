//! `strixlock outdated`

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::{Value, json};

use super::advice::{advice, warn};
use super::leaving::leaving;
use super::table::{Column, Table};
use super::{Session, Ui};
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::Fetcher;
use crate::inputs::{InputKind, InputRequest, LockedInput};
use crate::intake::Intake;
use crate::manifest::{Freeze, Manifest};
use crate::store::Store;
use crate::text;
use crate::update::{Move, Options, update};
use crate::upstream::rocm::{Series, newest_of_series};

/// Look up what is newer than the lock; writes nothing
#[derive(Debug, clap::Args)]
pub struct OutdatedArgs {
    /// Fail with exit code 4 if something is newer
    #[arg(long)]
    check: bool,
}

pub fn run(args: &OutdatedArgs, session: &Session) -> Result<u8> {
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
        allow_downgrade: true,
        without_freezes: true,
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
    let bad = advice(session, lock);
    warn(ui, &bad);
    let series = series(manifest, intake.fetcher, options.now)?;
    let leaving = leaving(session, lock, store, Some(intake.fetcher))?;
    for pin in leaving.iter().filter(|_| !ui.is_json()) {
        ui.warning(&pin.text());
    }
    let found: Vec<Newer> = lock
        .inputs
        .iter()
        .map(|(name, locked)| {
            let freeze = manifest.frozen.get(name).filter(|freeze| freeze.holds(session.now));
            Newer { freeze, ..Newer::new(name, locked, &wanted.moves, &latest.moves, series.get(name)) }
        })
        .collect();
    let outdated: Vec<&str> = found.iter().filter(|newer| newer.is_outdated()).map(|newer| newer.name).collect();
    if ui.is_json() {
        let all: Vec<Value> = found.iter().map(Newer::to_json).collect();
        ui.json(
            json!({ "inputs": all, "outdated": outdated, "warnings": warnings, "leaving": leaving, "advisories": bad }),
        );
        return Ok(if args.check && !outdated.is_empty() { Kind::Stale as u8 } else { 0 });
    }
    show(ui, &found);
    if args.check && !outdated.is_empty() {
        return Err(Error::new(
            Kind::Stale,
            format!("there is something newer than the lock for {}", outdated.join(", ")),
        )
        .hint("`strixlock update` takes what the manifest allows"));
    }
    Ok(0)
}

fn show(ui: &Ui, found: &[Newer]) {
    let mut table = Table::new([
        Column::name("input"),
        Column::text("locked"),
        Column::text("wanted"),
        Column::text("latest"),
        Column::word("made").spare(),
        Column::text("behind"),
    ]);
    found.iter().filter_map(Newer::row).for_each(|row| table.row(row));
    if table.is_empty() {
        ui.line("nothing is newer than the lock");
        return;
    }
    ui.table(&table);
    for detail in found.iter().flat_map(Newer::details) {
        ui.line(format!("  {detail}"));
    }
}

/// Everything that is newer than one locked input.
struct Newer<'a> {
    name: &'a str,
    locked: &'a LockedInput,
    /// The version that the manifest allows.
    wanted: Option<&'a Move>,
    /// The newest version of all, whatever the manifest is held to.
    latest: Option<&'a Move>,
    /// The newest version in the index, if it is older than the locked one, which was pinned by its URL.
    listed: Option<&'a Move>,
    series: Option<&'a Series>,
    /// The freeze of the input, if it holds.
    freeze: Option<&'a Freeze>,
}

impl<'a> Newer<'a> {
    fn new(
        name: &'a str,
        locked: &'a LockedInput,
        wanted: &'a [Move],
        latest: &'a [Move],
        series: Option<&'a Series>,
    ) -> Self {
        let of = |moves: &'a [Move]| moves.iter().find(|moved| moved.input == name);
        let (listed, latest): (Option<&Move>, Option<&Move>) = match of(latest) {
            Some(older) if older.downgrade => (Some(older), None),
            other => (None, other),
        };
        Self { name, locked, wanted: of(wanted), latest, listed, series, freeze: None }
    }

    /// Returns true if there is something newer than the locked version, and nobody holds that.
    fn is_outdated(&self) -> bool {
        self.freeze.is_none() && self.is_behind()
    }

    fn is_behind(&self) -> bool {
        self.latest.is_some() || self.wanted.is_some_and(|wanted| !wanted.downgrade)
    }

    /// Returns the row of the table; `None` if nothing else than the locked version was found.
    fn row(&self) -> Option<[String; 6]> {
        let newest = self.latest.or(self.wanted).or(self.listed)?;
        let (locked, _) = newest.versions();
        let locked = locked.unwrap_or_default().to_owned();
        let to = |moved: Option<&Move>| moved.map_or(locked.clone(), |moved| moved.versions().1.to_owned());
        let (wanted, latest) = (to(self.wanted), to(self.latest));
        let made = newest.made.clone().unwrap_or_default();
        Some([self.name.to_owned(), locked, wanted, latest, made, self.behind(newest)])
    }

    /// Returns the distance to the newest version: `31 builds, 12 days`.
    fn behind(&self, newest: &Move) -> String {
        let made = newest.made.as_deref().and_then(|made| made.parse::<Date>().ok());
        let days = self.locked.day().zip(made).and_then(|(old, new)| old.until(new).ok()).map(|span| span.get_days());
        let days = days.filter(|days| *days > 0).map(|days| text::counted(days.unsigned_abs() as usize, "day"));
        newest.distance.clone().into_iter().chain(days).collect::<Vec<_>>().join(", ")
    }

    /// Returns more about the input, one line each.
    fn details(&self) -> Vec<String> {
        let mut details = Vec::new();
        if let Some(freeze) = self.freeze.filter(|_| self.is_behind()) {
            details.push(format!("{} is {freeze}", self.name));
        }
        if let Some(listed) = self.listed {
            let back = if self.wanted.is_some_and(|wanted| wanted.to == listed.to) {
                format!("; `strixlock update {} --allow-downgrade` goes back to it", self.name)
            } else {
                String::new()
            };
            details.push(format!(
                "{} is newer than everything in the index; the newest there is {}{back}",
                self.locked.version(),
                listed.to
            ));
        }
        details.extend(self.latest.or(self.listed).iter().flat_map(|moved| moved.details.clone()));
        if self.locked.kind() == InputKind::Git && self.latest.or(self.wanted).is_some_and(|new| new.distance.is_none())
        {
            details.push(format!(
                "distance of {} unknown: its new commits are not fetched yet, which `strixlock update {}` does",
                self.name, self.name
            ));
        }
        // If it is also the latest of all, the table has it already.
        let series =
            self.series.filter(|series| self.latest.is_none_or(|latest| latest.to != series.newest.to_string()));
        details.extend(series.map(|series| format!("{} is the newest of {}", series.newest, series.name)));
        details
    }

    fn to_json(&self) -> Value {
        let to = |moved: Option<&Move>| moved.map(|moved| moved.to.clone());
        let newest = self.latest.or(self.wanted);
        json!({
            "input": self.name,
            "locked": self.locked.version(),
            "locked_made": self.locked.day().map(|day| day.to_string()),
            "wanted": to(self.wanted),
            "latest": to(self.latest),
            "listed": to(self.listed),
            "frozen": self.freeze,
            "made": newest.and_then(|moved| moved.made.clone()),
            "behind": newest.map(|moved| self.behind(moved)).filter(|behind| !behind.is_empty()),
            "series": self.series.map(|series| json!({ "name": series.name, "newest": series.newest })),
            "changes": self.latest.or(self.listed).map(|moved| moved.details.clone()).unwrap_or_default(),
        })
    }
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
