//! `strixlock diff`

mod answers;
mod show;
mod side;

use super::ui::WARNING;
use super::{Session, Ui};
use crate::changes::{Changes, between, fetch_commits, markdown};
use crate::error::{Error, Result};
use answers::{AnswerArgs, Answers};
use side::{Named, sides};

pub use show::show_changes;

/// Show what changed between two locks or generations
///
/// Each of the two is the number of a generation, a lock file, a git revision (`HEAD~1` for this project's lock,
/// `HEAD~1:lock/strix.lock` for any), `current` and `previous` for generations, `now` for the lock as it is, or `before`
/// for its last committed version that differs. Without any: from the next older generation to the current one; if the
/// current one is the oldest, from it to the next newer one; if there is none, from `before` to `now`. With one: from
/// that generation to the current one, or from that lock to `now`.
///
/// Says first which outputs are equal, by digest. What the store has adds details: commits, changelogs of packages,
/// files. Asks no server without --fetch. Runs nothing without --answers.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct DiffArgs {
    /// First lock or generation [default: see above]
    #[arg(value_name = "GENERATION|FILE|REVISION")]
    from: Option<String>,
    /// Second lock or generation [default: see above]
    #[arg(value_name = "GENERATION|FILE|REVISION")]
    to: Option<String>,
    /// Show every row of each list, not only the first few
    #[arg(long)]
    all: bool,
    /// Show only versions, sizes and numbers of files
    #[arg(long, conflicts_with = "all")]
    stat: bool,
    /// Print Markdown, as for a pull request
    #[arg(long, conflicts_with_all = ["all", "stat"])]
    markdown: bool,
    /// Fetch commits that the store lacks
    #[arg(long)]
    fetch: bool,
    #[command(flatten)]
    answers: AnswerArgs,
}

pub fn run(args: &DiffArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = if args.fetch || args.answers.answers { session.store()? } else { session.store_to_read()? };
    let (from, to) = sides(session, args.from.as_deref(), args.to.as_deref())?;
    if let (true, Some(one), Some(other)) = (args.fetch, from.lock(), to.lock()) {
        fetch_commits(one, other, session.intake()?)?;
    }
    let changes = between(&from.side(), &to.side(), Some(store))?;
    if ui.is_json() {
        let mut value = serde_json::to_value(&changes)
            .map_err(|error| Error::failure("cannot print the changes").because(&error))?;
        let generations = from.number().or(to.number()).is_some();
        let profile = if generations { Some(session.profile()?.name().clone()) } else { None };
        value["profile"] = serde_json::json!(profile);
        value["from"] = serde_json::json!(from.number());
        value["to"] = serde_json::json!(to.number());
        value["first"] = from.to_json()?;
        value["second"] = to.to_json()?;
        let answers = args.answers.compare(session, (&from, &to))?;
        value["answers"] = serde_json::json!(answers.as_ref().map(Answers::to_json).transpose()?);
        ui.json(value);
        return Ok(answers.map_or(0, |answers| answers.code()));
    }
    if args.markdown {
        ui.line(markdown(&changes).trim_end());
        return Ok(0);
    }
    show(ui, args, &changes, (&from, &to));
    match args.answers.compare(session, (&from, &to))? {
        None => Ok(0),
        Some(answers) => answers.report(ui, &from),
    }
}

fn show(ui: &Ui, args: &DiffArgs, changes: &Changes, (from, to): (&Named, &Named)) {
    if changes.is_empty() {
        return ui.line(match (from.number(), to.number()) {
            (Some(from), Some(to)) => format!("generations {from} and {to} hold the same trees"),
            _ => format!("{} and {} pin the same", from.label, to.label),
        });
    }
    ui.line(heading(from, to));
    let mark = if changes.equality.different.is_empty() { super::ui::GOOD } else { WARNING };
    ui.line(format!("{mark}{}{mark:#}", changes.equality.sentence()));
    if args.stat {
        ui.table(&show::input_table(changes));
        ui.table(&show::output_table(changes));
    } else {
        show_changes(ui, changes, args.all);
    }
}

fn heading(from: &Named, to: &Named) -> String {
    match (from.number(), to.number()) {
        (Some(from), Some(to)) => format!("generation {from} -> {to}"),
        _ => format!("{} -> {}", from.label, to.label),
    }
}
