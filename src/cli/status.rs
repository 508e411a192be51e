//! `strixlock status`

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::advice::advice;
use super::current_generation::CurrentGeneration;
use super::leaving::{LeavingPin, leaving, left};
use super::paths::shown;
use super::table::{Column, Table};
use super::{Session, Ui};
use crate::digest::Sha256Digest;
use crate::error::{Kind, Result};
use crate::inputs::LockedInput;
use crate::lock::{Advice, Lock, Staleness};
use crate::manifest::{Freeze, Manifest};
use crate::realize::{Action, Plan, Step, StepKind, input_action};
use crate::recipe::OutputRole;
use crate::report::{Known, fits};
use crate::store::Store;
use crate::text;
use crate::validate::{self, Validation};

/// Show what is locked and present, how old it is, and what to do next; uses no network
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Fail with exit code 4 if the lock is not up to date with the manifest
    #[arg(long)]
    check: bool,
}

pub fn run(args: &StatusArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_if_there()?;
    let manifest = match session.manifest() {
        // A lock can be used without its manifest.
        Err(error) if error.kind() == Kind::NotFound && lock.is_some() => None,
        other => Some(other?),
    };
    if args.check {
        session.fresh_lock()?;
    }
    let (Some(lock), manifest) = (lock, manifest) else {
        if let Some(manifest) = manifest {
            nothing_locked(session, manifest)?;
        }
        return Ok(0);
    };
    let store = session.store_to_read()?;
    let profile = session.profile()?;
    let status = Status {
        session,
        lock,
        store,
        stale: manifest.map(|manifest| crate::lock::staleness(manifest, lock)),
        plan: Plan::new(lock, store, &[])?,
        generation: CurrentGeneration::of(&profile, lock)?,
        leaving: leaving(session, lock, store, None)?,
        page: Page::of(session, lock, store)?,
        validation: validation(session, lock)?,
        advisories: advice(session, lock),
        frozen: frozen(session, manifest),
    };
    if ui.is_json() {
        let mut value = status.to_json()?;
        value["profile"] = json!(profile.name());
        ui.json(value);
    } else {
        status.show()?;
    }
    Ok(0)
}

/// Returns the absolute path of the project's directory.
fn project(session: &Session) -> Result<PathBuf> {
    let directory = session.project.directory();
    Ok(if directory.as_os_str().is_empty() { std::env::current_dir()? } else { std::path::absolute(directory)? })
}

fn nothing_locked(session: &Session, manifest: &Manifest) -> Result<()> {
    let ui = &session.ui;
    let lock = session.project.lock_path();
    if ui.is_json() {
        let inputs: BTreeMap<_, _> =
            manifest.inputs.iter().map(|(name, request)| (name, json!({ "type": request.kind().name() }))).collect();
        ui.json(json!({
            "locked": false,
            "fresh": false,
            "stale": ["there is no lock"],
            "inputs": inputs,
            "project": project(session)?.display().to_string(),
            "lock": lock.display().to_string(),
            "next": "strixlock update",
        }));
        return Ok(());
    }
    ui.line(format!("project {}", shown(&project(session)?)));
    let mut table = Table::new([Column::name("input"), Column::word("type"), Column::word("state")]);
    for (name, request) in &manifest.inputs {
        table.row([name.as_str(), request.kind().name(), "not locked"]);
    }
    ui.table(&table);
    ui.line(format!("there is no lock yet: {}", lock.display()));
    next(ui, "strixlock update");
    Ok(())
}

/// Prints the command to run next.
fn next(ui: &Ui, command: &str) {
    ui.line(format!("next: {command}"));
}

/// State of REPRODUCIBLE.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Page {
    UpToDate,
    OutOfDate,
    Missing,
}

impl Page {
    fn of(session: &Session, lock: &Lock, store: &Store) -> Result<Self> {
        let Ok(there) = fs_err::read_to_string(session.project.directory().join("REPRODUCIBLE.md")) else {
            return Ok(Self::Missing);
        };
        Ok(if fits(&there, lock, &Known::read(lock, store))? { Self::UpToDate } else { Self::OutOfDate })
    }
}

/// Returns the validation of this lock.
fn validation(session: &Session, lock: &Lock) -> Result<Option<Validation>> {
    let digest = Sha256Digest::of(lock.to_text()?.as_bytes());
    Ok(validate::of(&session.project.directory().join("validation"), digest))
}

/// Everything that `status` shows of a lock.
struct Status<'s> {
    session: &'s Session,
    lock: &'s Lock,
    store: &'s Store,
    /// `None` if there is no manifest.
    stale: Option<Staleness>,
    plan: Plan,
    generation: Option<CurrentGeneration>,
    leaving: Vec<LeavingPin>,
    page: Page,
    validation: Option<Validation>,
    advisories: Vec<Advice>,
    /// The freezes that hold, by the names of their inputs.
    frozen: BTreeMap<&'s str, &'s Freeze>,
}

impl Status<'_> {
    fn to_json(&self) -> Result<Value> {
        let input = |name: &str, input: &LockedInput| {
            let action = input_action(self.store, input);
            json!({
                "type": input.kind().name(),
                "version": input.version(),
                "made": input.day().map(|day| day.to_string()),
                "leaves": left(self.session, input).map(|left| left.until.to_string()),
                "size": input.size(),
                "frozen": self.frozen.get(name),
                "present": action == Action::Have,
                "action": action,
            })
        };
        let models = self.lock.inputs.iter().filter_map(|(name, input)| Some((name, input.gguf()?)));
        let validation = self.validation.as_ref().map(|validation| {
            json!({
                "passed": validation.passed(),
                "device": validation.device,
                "time": text::rfc3339(validation.time),
            })
        });
        Ok(json!({
            "locked": true,
            "fresh": self.stale.as_ref().is_some_and(Staleness::is_fresh),
            "stale": self.stale.as_ref().map(|stale| &stale.reasons),
            "inputs": self.lock.inputs.iter().map(|(name, pin)| (name, input(name, pin))).collect::<BTreeMap<_, _>>(),
            "steps": self.plan.steps,
            "models": models.collect::<BTreeMap<_, _>>(),
            "generation": self.generation.as_ref().map(|generation| generation.current),
            "leaving": self.leaving,
            "advisories": self.advisories,
            "earlier_seals": earlier_seals(self.lock),
            "differs": self.generation.as_ref().map(|generation| &generation.differs),
            "page": self.page,
            "validation": validation,
            "project": project(self.session)?.display().to_string(),
            "lock": self.session.project.lock_path().display().to_string(),
            "store": self.store.root().display().to_string(),
            "next": self.next(),
        }))
    }

    fn show(&self) -> Result<()> {
        let ui = &self.session.ui;
        let lock = self.session.project.lock_path();
        ui.line(format!("project {}, lock {}", shown(&project(self.session)?), shown(&lock)));
        ui.table(&self.table()?);
        for (name, input) in &self.lock.inputs {
            if let Some(facts) = input.gguf() {
                ui.line(format!("{name}: {}", facts.summary()));
            }
        }
        for name in earlier_seals(self.lock) {
            ui.line(format!(
                "{name}: sealed by a version of strixlock with another recipe for it; the seal is still valid, and \
                 `strixlock realize {name} --seal` renews it"
            ));
        }
        for pin in &self.leaving {
            if pin.is_unkept() {
                ui.warning(&pin.text());
            } else {
                ui.line(pin.text());
            }
        }
        for (name, freeze) in &self.frozen {
            ui.line(format!("{name} is {freeze}"));
        }
        for one in &self.advisories {
            ui.line(one.text());
        }
        self.show_fit();
        if let Some(command) = self.next() {
            let bytes = self.plan.bytes();
            // Said where the command fetches.
            let fetches = if bytes > 0 && command.starts_with("strixlock realize") {
                format!(" (fetches {})", text::bytes(bytes))
            } else {
                String::new()
            };
            next(ui, &format!("{command}{fetches}"));
        }
        Ok(())
    }

    /// Shows what fits what: generation, lock, page and validation.
    fn show_fit(&self) {
        let ui = &self.session.ui;
        match &self.generation {
            Some(generation) => ui.line(generation.text()),
            None => ui.line("there is no generation yet"),
        }
        match &self.stale {
            None => ui.line(format!("there is no manifest: {}", self.session.project.manifest_path().display())),
            Some(stale) => {
                for reason in &stale.reasons {
                    ui.line(format!("stale: {reason}"));
                }
                let is = if stale.is_fresh() { "is" } else { "is not" };
                ui.line(format!("the lock {is} up to date with the manifest"));
            }
        }
        match self.page {
            Page::UpToDate => ui.line("REPRODUCIBLE.md is up to date with the lock"),
            Page::OutOfDate => ui.line("REPRODUCIBLE.md is not up to date with the lock"),
            Page::Missing => {}
        }
        if let Some(validation) = &self.validation {
            let verdict = if validation.passed() { "passed" } else { "failed" };
            let device = validation.device.name().to_uppercase();
            ui.line(format!("validation {verdict} on the {device}, {}", text::date(validation.time)));
        }
    }

    /// Returns the table of inputs and outputs.
    fn table(&self) -> Result<Table> {
        let mut table = Table::new([
            Column::word(""),
            Column::name("name"),
            Column::text("version"),
            Column::number("age").spare(),
            Column::number("leaves in").spare(),
            Column::number("size").spare(),
            Column::word("state"),
        ]);
        for (name, input) in &self.lock.inputs {
            let state = match input_action(self.store, input) {
                Action::Have => "present",
                Action::Thaw => "present, cold",
                Action::Fetch { .. } | Action::Build => "missing",
            };
            let age = input.day().map(|day| text::age(day, self.session.now)).unwrap_or_default();
            let leaves = left(self.session, input).map(|left| left.short()).unwrap_or_default();
            let version = input.short_version();
            table.row(["input", name, &version, &age, &leaves, &text::bytes(input.size()), state]);
        }
        for step in self.plan.steps.iter().filter(|step| step.what == StepKind::Output) {
            let state = match step.action {
                Action::Have => "realized",
                Action::Thaw => "realized, cold",
                Action::Fetch { .. } | Action::Build => "not realized",
            };
            table.row(["output", &step.name, &step.short, "", "", &self.size(step)?, state]);
        }
        Ok(table)
    }

    /// Returns the size of a realized output; empty if the store does not have it.
    fn size(&self, step: &Step) -> Result<String> {
        let listing = match step.tree.filter(|_| step.action != Action::Build) {
            Some(tree) => self.store.listing(tree)?,
            None => None,
        };
        Ok(listing.map(|listing| text::bytes(listing.total_size())).unwrap_or_default())
    }

    /// Returns the command to run next, if something is not up to date.
    fn next(&self) -> Option<String> {
        if self.stale.as_ref().is_some_and(|stale| !stale.is_fresh()) {
            return Some("strixlock update".to_owned());
        }
        match &self.generation {
            None => Some("strixlock realize".to_owned()),
            Some(generation) if !generation.differs.is_empty() => Some(generation.command()),
            Some(_) if self.page == Page::OutOfDate => Some("strixlock audit".to_owned()),
            Some(_) if self.validation.is_none() && can_validate(self.lock) => Some("strixlock validate".to_owned()),
            Some(_) => None,
        }
    }
}

/// Returns the freezes of the manifest that hold.
fn frozen<'m>(session: &Session, manifest: Option<&'m Manifest>) -> BTreeMap<&'m str, &'m Freeze> {
    let all = manifest.into_iter().flat_map(|manifest| &manifest.frozen);
    all.filter(|(_, freeze)| freeze.holds(session.now)).map(|(name, freeze)| (name.as_str(), freeze)).collect()
}

/// Returns true if `validate` has something to run, and one model to run it with.
fn can_validate(lock: &Lock) -> bool {
    let models = lock.inputs.values().filter(|input| input.gguf().is_some()).count();
    models == 1 && lock.outputs.values().any(|output| output.recipe.is(OutputRole::Engine))
}

/// Returns the outputs that were sealed by a version of strixlock with a different recipe.
fn earlier_seals(lock: &Lock) -> Vec<&str> {
    lock.outputs.iter().filter(|(_, output)| output.earlier.is_some()).map(|(name, _)| name.as_str()).collect()
}
