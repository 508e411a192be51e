//! `strixlock validate --against`

use std::path::Path;

use serde_json::json;

use crate::cli::table::{Column, Table};
use crate::cli::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::intake::Intake;
use crate::lock::Lock;
use crate::progress::{Doing, Unit};
use crate::text::shell_word;
use crate::validate::{Against, Comparand, Compared, Options, against};

/// Compares the lock with that of a generation of this profile, and prints what differs.
pub(super) fn run(
    session: &Session,
    (lock, intake): (&Lock, Intake),
    options: &Options,
    (directory, number): (&Path, u64),
) -> Result<u8> {
    let ui = &session.ui;
    let profile = session.profile_there()?;
    // Its error names the generations that there are.
    profile.generation(number)?;
    let path = profile.generation_lock(number);
    let other = Lock::parse(&fs_err::read_to_string(&path)?)?;
    let realize = format!("`{}` realizes generation {number} again", realize_command(&path));
    let this = Comparand { lock, realize: "run `strixlock realize` first" };
    let other = Comparand { lock: &other, realize: &realize };
    let logs = directory.join(format!("against-g{number}"));
    let found = {
        let _task = ui.progress.begin(Doing::Validate, "two generations", None, Unit::Steps);
        against(this, other, intake, options, &logs)?
    };
    if ui.is_json() {
        let value = serde_json::to_value(&found)
            .map_err(|error| Error::failure("cannot print the comparison").because(&error))?;
        ui.json(json!({ "against": { "generation": number, "logs": logs.display().to_string(), "result": value } }));
        return Ok(if found.agree { 0 } else { Kind::Unfit as u8 });
    }
    show(ui, &found);
    match contradiction(&found, &format!("those of generation {number}"), &logs) {
        None => Ok(0),
        Some(error) => Err(error.hint("`strixlock rollback` switches back to the generation before")),
    }
}

/// Returns the command that realizes another lock than that of the project, and leaves the current generation.
pub(in crate::cli) fn realize_command(lock: &Path) -> String {
    format!("strixlock --lock {} realize --no-switch", shell_word(&lock.display().to_string()))
}

/// Prints the comparison.
pub(in crate::cli) fn show(ui: &Ui, found: &Against) {
    let mut table = Table::new([Column::word("result"), Column::word("what"), Column::text("found")]);
    for one in &found.outputs {
        table.row([word(one), one.what, one.found.as_str()]);
    }
    for one in &found.speeds {
        let word = if one.beyond_noise { "changed" } else { "same" };
        table.row([word.to_owned(), format!("llama-bench {}", one.test), one.describe()]);
    }
    ui.table(&table);
}

fn word(one: &Compared) -> &'static str {
    match (one.equal, one.agree) {
        (true, _) => "equal",
        (false, true) => "parted",
        (false, false) => "wrong",
    }
}

/// Returns the error for outputs that contradict others, if they do.
pub(in crate::cli) fn contradiction(found: &Against, others: &str, logs: &Path) -> Option<Error> {
    if found.agree {
        return None;
    }
    let wrong = found.outputs.iter().filter(|one| !one.agree).map(|one| format!("{}: {}", one.what, one.found));
    let error = Error::new(Kind::Unfit, format!("the outputs differ from {others}"));
    Some(error.fact("found", wrong.collect::<Vec<_>>().join("; ")).fact("logs", logs.display()))
}
