//! The report of a run.

use std::path::PathBuf;
use std::time::Duration;

use super::RealizeArgs;
use super::make::Made;
use super::plan::Job;
use crate::cli::paths::shown;
use crate::cli::progress::took;
use crate::cli::remote::take::Taken as ReceivedOutput;
use crate::cli::switch::report_switch;
use crate::cli::table::{Column, Table};
use crate::cli::{Session, Ui, run};
use crate::error::Result;
use crate::lock::Lock;
use crate::realize::{Action, Plan, Realized, StepKind, short_version};
use crate::recipe::Origin;
use crate::store::Profile;
use crate::text;

/// Prints the result as JSON.
pub(super) fn json(job: &Job, made: &Made, received: &[ReceivedOutput]) -> Result<()> {
    let outputs: serde_json::Map<_, _> = made
        .realized
        .iter()
        .map(|(name, output)| {
            let value = serde_json::json!({
                "derivation": output.derivation,
                "tree": output.tree.digest,
                "path": path_of(job.args, name, output).display().to_string(),
                "version": output.version,
                "made": output.fresh,
                "compile_cache": output.compile_cache,
            });
            (name.clone(), value)
        })
        .collect();
    let generation = made.generation.as_ref().map(|one| one.number);
    let profile = generation.map(|_| job.session.profile()).transpose()?;
    job.session.ui.json(serde_json::json!({
        "outputs": outputs,
        "profile": profile.as_ref().map(Profile::name),
        "generation": generation,
        "current": profile.as_ref().map(|profile| profile.current_link().display().to_string()),
        "sealed": job.args.seal,
        "left_for_root": made.left,
        "advisories": job.advisories,
        "from": made.from_archive,
        "received": received,
    }));
    Ok(())
}

/// Prints the result as text. `time` is the time that the run took.
pub(super) fn text(job: &Job, plan: &Plan, made: &Made, received: &[ReceivedOutput], time: Duration) -> Result<()> {
    let (args, ui) = (job.args, &job.session.ui);
    ui.table(&table(args, plan, made, received, time)?);
    if let Some(generation) = &made.generation {
        let number = generation.number;
        if args.no_switch {
            ui.line(format!("generation {number} is kept: `strixlock switch {number}` makes it current"));
        } else {
            let profile = job.session.profile()?;
            report_switch(ui, &profile, generation.before.as_ref(), number)?;
            ui.line(format!("current: {}", shown(&profile.current_link())));
        }
    }
    report_left(ui, &made.left);
    report_caches(ui, made);
    if let Some(generation) = made.generation.as_ref().filter(|_| !args.no_switch) {
        tell_first_command(job.session, generation.number);
    }
    Ok(())
}

/// Returns the table of results: versions, sizes, where each output came from, and how long that took.
fn table(args: &RealizeArgs, plan: &Plan, made: &Made, received: &[ReceivedOutput], time: Duration) -> Result<Table> {
    let mut table = Table::new([
        Column::name("output"),
        Column::text("version"),
        Column::number("size"),
        Column::word("result"),
        Column::number("time"),
        Column::name("path"),
    ]);
    let mut total = 0_u64;
    for (name, output) in made.lock.ordered().into_iter().filter_map(|name| made.realized.get_key_value(name)) {
        let size = output.tree.listing()?.total_size();
        total = total.saturating_add(size);
        let path = args.to.as_ref().map(|_| shown(&path_of(args, name, output))).unwrap_or_default();
        let is_received = received.iter().any(|one| one.output == *name);
        let result = if is_received { "received" } else { origin(&made.lock, plan, name, output) };
        // Finding a tree takes no time worth a column, and downloads have lines of their own.
        let spent = if result == "built" { took(output.time) } else { String::new() };
        table.row([name.as_str(), &short_version(&made.lock, name), &text::bytes(size), result, &spent, &path]);
    }
    table.row(["total", "", &text::bytes(total), "", &took(time)]);
    Ok(table)
}

/// Returns the path at which the user finds an output.
fn path_of(args: &RealizeArgs, name: &str, output: &Realized) -> PathBuf {
    args.to.as_ref().map_or_else(|| output.tree.path.clone(), |to| to.join(name))
}

/// Returns the word for where a realized output came from.
fn origin(lock: &Lock, plan: &Plan, name: &str, output: &Realized) -> &'static str {
    let step = |what: StepKind, name: &str| plan.steps.iter().find(|step| step.what == what && step.name == name);
    let is_fetched =
        |input: &str| step(StepKind::Input, input).is_some_and(|step| matches!(step.action, Action::Fetch { .. }));
    let recipe = lock.outputs.get(name).map(|output| &output.recipe);
    if step(StepKind::Output, name).is_some_and(|step| step.action == Action::Thaw) {
        return "unpacked";
    }
    match recipe.filter(|recipe| recipe.origin() == Origin::Taken) {
        Some(recipe) if recipe.inputs().iter().any(|(_, input)| is_fetched(input)) => "fetched",
        None if output.fresh => "built",
        _ => "present",
    }
}

/// Prints the commands for the links that only root can make.
fn report_left(ui: &Ui, left: &[String]) {
    if !left.is_empty() {
        ui.line("run these commands as root once; the links then follow every switch:");
    }
    for command in left {
        ui.line(format!("  {command}"));
    }
}

/// Reports what builds took from the compiler cache.
fn report_caches(ui: &Ui, made: &Made) {
    for (name, output) in &made.realized {
        if let Some(used) = &output.compile_cache {
            ui.line(format!("{name}: {used}"));
        }
    }
}

/// Prints the command that runs a program of the new generation, if it has one.
fn tell_first_command(session: &Session, number: u64) {
    let outputs = run::outputs(session, Some(number)).ok();
    if let Some(command) = outputs.and_then(|outputs| outputs.first_command()) {
        session.ui.note(&format!("run it: `{command}`"));
    }
}
