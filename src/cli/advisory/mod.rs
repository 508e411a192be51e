//! `strixlock advisory`

mod draft;

pub(super) use draft::id;

use super::advice::{advice, policy};
use super::table::{Column, Table};
use super::{Session, Ui};
use crate::advisories::{Advisory, built_in};
use crate::error::{Error, Kind, Result};
use crate::lock::known;
use crate::suggest::suggest;

/// Show versions that are known to be bad
#[derive(Debug, clap::Subcommand)]
pub enum AdvisoryCommand {
    /// List all that are known; `*` marks those that apply to the lock
    List,
    /// Show one in full
    Show(ShowArgs),
    /// Write a new one, from the last validation that failed, for you to complete
    ///
    /// Prints an entry for a document of advisories: the version that failed, for which backends and GPUs, and the
    /// checks that failed. Its source is left empty, and no document is read before you fill it in.
    Draft(draft::DraftArgs),
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Its name
    #[arg(value_name = "ID")]
    id: String,
}

pub fn run(command: &AdvisoryCommand, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    // The lock adds entries and marks: without one, those of the program remain.
    let lock = session.lock_if_there()?;
    let all = lock.map_or_else(|| built_in().to_vec(), |lock| known(&lock.inputs));
    let here = lock.map(|lock| advice(session, lock)).unwrap_or_default();
    let hits = |one: &Advisory| -> Vec<String> {
        here.iter().filter(|hit| hit.advisory.id == one.id).map(|hit| hit.input.clone()).collect()
    };
    let to_json = |one: &Advisory| serde_json::json!({ "advisory": one, "inputs": hits(one) });
    match command {
        AdvisoryCommand::List => {
            let json = serde_json::json!({ "advisories": all.iter().map(to_json).collect::<Vec<_>>() });
            ui.result(json, || ui.table(&table(session, &all, |one| !hits(one).is_empty())));
        }
        AdvisoryCommand::Show(args) => {
            let Some(one) = all.iter().find(|one| one.id == args.id) else {
                return Err(Error::new(Kind::NotFound, format!("there is no advisory `{}`", args.id))
                    .hint(suggest(&args.id, all.iter().map(|one| one.id.as_str()))));
            };
            ui.result(to_json(one), || show(ui, one, &hits(one)));
        }
        AdvisoryCommand::Draft(args) => draft::run(args, session)?,
    }
    Ok(0)
}

fn table(session: &Session, all: &[Advisory], is_hit: impl Fn(&Advisory) -> bool) -> Table {
    let policy = policy(session);
    let mut table = Table::new([
        Column::word(""),
        Column::name("advisory"),
        Column::word("about"),
        Column::text("versions"),
        Column::text("what happens"),
        Column::word("").spare(),
    ]);
    for one in all {
        let decided = if policy.allow.contains(&one.id) {
            "allowed"
        } else if policy.deny.contains(&one.id) {
            "denied"
        } else {
            ""
        };
        let mark = if is_hit(one) { "*" } else { "" };
        table.row([mark, &one.id, one.about.name(), &one.range(), &one.what, decided]);
    }
    table
}

fn show(ui: &Ui, one: &Advisory, inputs: &[String]) {
    ui.line(format!("{}: {}", one.id, one.what));
    let row = |name: &str, value: &str| {
        if !value.is_empty() {
            ui.line(format!("  {name:<9} {value}"));
        }
    };
    let targets: Vec<&str> = one.targets.iter().map(crate::gfx::GfxTarget::as_str).collect();
    row("about", one.about.name());
    row("versions", &one.range());
    row("good", one.good.as_deref().unwrap_or_default());
    row("GPUs", &targets.join(", "));
    row("backends", &one.backends.join(", "));
    row("source", &one.source);
    row("in use by", &inputs.join(", "));
}
