//! Outputs and inputs that are taken from remotes and archives before anything is fetched or built.

use super::plan::{Job, has_all, table};
use crate::archive::Taken;
use crate::cli::Ui;
use crate::cli::remote::take::{Taken as ReceivedOutput, Taking};
use crate::cli::table::stderr_width;
use crate::error::Result;
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::realize::{Action, Plan, StepKind};
use crate::text;

/// Takes outputs from remotes. Returns the plan of what is left, which it shows.
pub(super) fn from_remotes(job: &Job, mut plan: Plan) -> Result<(Plan, Vec<ReceivedOutput>)> {
    let mut received = Vec::new();
    if !job.args.build.no_remotes && !has_all(&plan) {
        // A seal is for what was made here.
        let is_sealed = |name: &str| job.args.seal && job.args.names(name);
        let mut taking = Taking::open(job.session, job.session.remotes_to_ask()?)?;
        plan = taking.take_planned(&job.lock, plan, &is_sealed, &|| job.steps())?;
        received = taking.into_taken();
    }
    if !has_all(&plan) {
        job.session.ui.note(&table(&plan).lines(stderr_width()).join("\n"));
    }
    Ok((plan, received))
}

/// Takes inputs that the plan fetches from the archive that is named.
pub(super) fn from_archive(job: &Job, plan: &Plan) -> Result<Option<Taken>> {
    let taken = job.archive.as_ref().map(|archive| archive.take(&to_fetch(plan, &job.lock))).transpose()?;
    report_taken(&job.session.ui, taken.as_ref());
    Ok(taken)
}

/// Returns the inputs that a plan fetches.
fn to_fetch<'l>(plan: &Plan, lock: &'l Lock) -> Vec<(&'l str, &'l LockedInput)> {
    let fetches = plan.steps.iter().filter(|step| matches!(step.action, Action::Fetch { .. }));
    let input = |name: &String| lock.inputs.get_key_value(name).map(|(name, input)| (name.as_str(), input));
    fetches.filter(|step| step.what == StepKind::Input).filter_map(|step| input(&step.name)).collect()
}

/// Reports what was taken from an archive, and what it does not have.
fn report_taken(ui: &Ui, taken: Option<&Taken>) {
    let Some(taken) = taken else { return };
    if taken.files > 0 {
        let files = text::counted(taken.files as usize, "file");
        ui.note(&format!("took {files}, {}, from {}", text::bytes(taken.bytes), taken.archive));
    }
    for input in &taken.lacking {
        ui.warning(&format!("{input}: the archive does not have all of it, which is left to upstream"));
    }
}
