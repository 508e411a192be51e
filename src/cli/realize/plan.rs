//! The plan of a run: the lock that is realized, and the steps from it to the outputs.

use super::RealizeArgs;
use crate::archive::Source;
use crate::cli::advice::heed;
use crate::cli::table::{Column, Table};
use crate::cli::{Session, Ui};
use crate::error::Result;
use crate::lock::{Advice, Lock};
use crate::realize::{Action, Plan, prefix};
use crate::store::Store;
use crate::text;

/// One run: its options, and what they name.
pub(super) struct Job<'s> {
    pub args: &'s RealizeArgs,
    pub session: &'s Session,
    /// The lock to realize, without the seals that this run writes.
    pub lock: Lock,
    pub advisories: Vec<Advice>,
    pub store: &'s Store,
    pub archive: Option<Source<'s>>,
}

impl<'s> Job<'s> {
    /// Opens all that the options name. A wrong name is an error before anything is planned.
    pub fn open(args: &'s RealizeArgs, session: &'s Session) -> Result<Self> {
        if let Some(prefix) = &args.prefix {
            prefix::check(prefix)?;
        }
        // With --locked a stale lock is refused, which needs no warning.
        let mut lock = if args.locked { session.fresh_lock()? } else { session.lock_to_use()? }.clone();
        if args.seal {
            // Outputs that get a new seal are not compared with the old one.
            let sealed = lock.outputs.iter_mut().filter(|(name, _)| args.names(name));
            sealed.for_each(|(_, output)| output.remove_seal());
        }
        let advisories = heed(session, &lock)?;
        let store = session.store()?;
        let archive = args.from.as_ref().map(|name| session.open_archive(name)).transpose()?;
        Ok(Self { args, session, lock, advisories, store, archive })
    }

    /// Plans the outputs, and registers the lock with the store. Fails if the store is read-only and lacks some.
    pub fn plan(&self) -> Result<Plan> {
        let plan = self.steps()?;
        // A read-only store will do if it has everything already.
        if self.store.can_write() {
            self.store.register_lock(&self.session.project.lock_path())?;
        } else if !has_all(&plan) && !self.args.dry_run {
            self.store.demand_writable()?;
        }
        Ok(plan)
    }

    /// Plans the outputs from what the store has now.
    pub fn steps(&self) -> Result<Plan> {
        let plan = if self.args.seal { Plan::to_seal } else { Plan::new };
        plan(&self.lock, self.store, &self.args.outputs)
    }
}

/// Returns true if the store has all that is planned.
pub(super) fn has_all(plan: &Plan) -> bool {
    plan.steps.iter().all(|step| step.action == Action::Have)
}

/// Prints the plan, which is all that --dry-run does.
pub(super) fn report(ui: &Ui, plan: &Plan) {
    ui.result(serde_json::json!({ "steps": plan.steps, "bytes": plan.bytes() }), || ui.table(&table(plan)));
}

/// Returns the plan as a table.
pub(super) fn table(plan: &Plan) -> Table {
    let mut table = Table::new([
        Column::word("do"),
        Column::number("size"),
        Column::word("what"),
        Column::name("name"),
        Column::text("version"),
    ]);
    for step in &plan.steps {
        let (action, bytes) = match step.action {
            Action::Have => ("have", None),
            Action::Fetch { bytes } => ("fetch", bytes),
            Action::Thaw => ("unpack", None),
            Action::Build => ("build", None),
        };
        let bytes = bytes.map(text::bytes).unwrap_or_default();
        table.row([action, &bytes, step.what.word(), &step.name, &step.short]);
    }
    let known = plan.steps.iter().filter(|step| matches!(step.action, Action::Fetch { bytes: Some(_) }));
    if known.count() > 1 {
        table.row(["total", &text::bytes(plan.bytes())]);
    }
    table
}
