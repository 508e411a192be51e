//! `strixlock diff`

use std::collections::BTreeSet;

use super::session::described;
use super::table::{Column, Table};
use super::ui::GOOD;
use super::versions::versions;
use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::realize::{OutputDifference, compare_generations};
use crate::store::{Generation, Profile};
use crate::text;

/// Show what changed between two generations
///
/// Without numbers: from the next older generation to the current one; if the current one is the oldest, from it to the
/// next newer one. With one number: from that generation to the current one. The current one's own number counts as no
/// number.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// First generation [default: see above]
    #[arg(value_name = "GENERATION")]
    from: Option<u64>,
    /// Second generation [default: the current one]
    #[arg(value_name = "GENERATION")]
    to: Option<u64>,
    /// Show every path, not only the first few
    #[arg(long)]
    all: bool,
    /// Show only sizes and numbers of files
    #[arg(long, conflicts_with = "all")]
    stat: bool,
}

/// Number of paths shown of each kind.
const SHOWN: usize = 10;

pub fn run(args: &DiffArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = session.store()?;
    let profile = session.profile_there()?;
    let (from, to) = chosen(&profile, args)?;
    let (first, second): (Generation, Generation) = (profile.generation(from)?, profile.generation(to)?);
    let mut differences = compare_generations(store, &first, &second)?;
    let order: Vec<String> = [(to, &second), (from, &first)]
        .into_iter()
        .flat_map(|(number, generation)| versions(&profile, number, generation))
        .map(|output| output.name)
        .collect();
    differences.sort_by_key(|difference| order.iter().position(|name| *name == difference.output));
    // A generation whose lock cannot be read is compared by its outputs alone.
    let inputs = match [from, to].map(|number| Lock::read(&profile.generation_lock(number))) {
        [Ok(from), Ok(to)] => changed_inputs(&from, &to),
        _ => Vec::new(),
    };
    if ui.is_json() {
        ui.json(serde_json::json!({
            "profile": profile.name(), "from": from, "to": to, "inputs": inputs, "outputs": differences,
        }));
        return Ok(0);
    }
    if differences.is_empty() {
        ui.line(format!("generations {from} and {to} hold the same trees"));
        return Ok(0);
    }
    ui.line(format!("generation {from} -> {to}"));
    for input in &inputs {
        show_input(ui, input);
    }
    if args.stat {
        ui.table(&stat(&differences));
    } else {
        for difference in &differences {
            show_output(ui, difference, args.all);
        }
    }
    Ok(0)
}

/// An input that differs between two generations.
#[derive(Debug, serde::Serialize)]
struct ChangedInput {
    input: String,
    /// Absent if only the second generation has it.
    from: Option<String>,
    /// Absent if only the first generation has it.
    to: Option<String>,
    changes: Vec<String>,
}

fn changed_inputs(from: &Lock, to: &Lock) -> Vec<ChangedInput> {
    let names: BTreeSet<&String> = from.inputs.keys().chain(to.inputs.keys()).collect();
    let changed = |name: &&String| {
        let (old, new) = (from.inputs.get(*name), to.inputs.get(*name));
        let version = |input: Option<&LockedInput>| input.map(|input| input.version());
        let changes = old.zip(new).map(|(old, new)| new.changes_since(old)).unwrap_or_default();
        let input = ChangedInput { input: (*name).clone(), from: version(old), to: version(new), changes };
        (input.from != input.to || !input.changes.is_empty()).then_some(input)
    };
    names.iter().filter_map(changed).collect()
}

fn show_input(ui: &Ui, input: &ChangedInput) {
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "nothing".to_owned());
    ui.line(format!("input {GOOD}{}{GOOD:#} {} -> {}", input.input, version(&input.from), version(&input.to)));
    for change in &input.changes {
        ui.line(format!("  {change}"));
    }
}

fn show_output(ui: &Ui, difference: &OutputDifference, all: bool) {
    let before = difference.from.as_ref().map_or_else(|| "nothing".to_owned(), |_| text::bytes(difference.from_size));
    let after = difference.to.as_ref().map_or_else(|| "nothing".to_owned(), |_| text::bytes(difference.to_size));
    ui.line(format!("output {GOOD}{}{GOOD:#} {before} -> {after}", difference.output));
    for (mark, paths) in [('+', &difference.added), ('-', &difference.removed), ('~', &difference.changed)] {
        let shown = if all { paths.len() } else { SHOWN };
        for path in paths.iter().take(shown) {
            ui.line(format!("  {mark} {path}"));
        }
        if paths.len() > shown {
            ui.line(format!("  {mark} and {} more (--all)", paths.len() - shown));
        }
    }
}

/// Returns the numbers of added, removed and changed files of each output.
fn stat(differences: &[OutputDifference]) -> Table {
    let mut table = Table::new([
        Column::name("output"),
        Column::number("before"),
        Column::number("after"),
        Column::number("added"),
        Column::number("removed"),
        Column::number("changed"),
    ]);
    for difference in differences {
        let counts = [&difference.added, &difference.removed, &difference.changed].map(|paths| paths.len().to_string());
        let sizes = [difference.from_size, difference.to_size].map(text::bytes);
        table.row(std::iter::once(difference.output.clone()).chain(sizes).chain(counts));
    }
    table
}

/// Chooses the two generations. See [`DiffArgs`].
fn chosen(profile: &Profile, args: &DiffArgs) -> Result<(u64, u64)> {
    if let (Some(from), Some(to)) = (args.from, args.to) {
        return Ok((from, to));
    }
    let all = profile.generations()?;
    let not_found = |message: String| {
        Error::new(Kind::NotFound, message).fact("profile", described(profile)).hint(
            "`strixlock realize` makes a generation of what the lock pins; `strixlock generations --all` lists all",
        )
    };
    let Some(current) = profile.current()? else {
        return Err(not_found("there is no generation yet".to_owned()));
    };
    if let Some(from) = args.from.filter(|from| *from != current) {
        return Ok((from, current));
    }
    let older = all.iter().rfind(|number| **number < current).map(|older| (*older, current));
    let newer = || all.iter().find(|number| **number > current).map(|newer| (current, *newer));
    older
        .or_else(newer)
        .ok_or_else(|| not_found(format!("there is nothing to compare generation {current} with: it is the only one")))
}
