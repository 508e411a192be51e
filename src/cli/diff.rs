//! `strixlock diff`

use super::ui::GOOD;
use super::{GlobalArgs, Ui};
use crate::error::{Error, Kind, Result};
use crate::realize::compare;
use crate::store::{Generation, Store};
use crate::text;

/// Show what changed between two generations
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// The first [default: the next older than the second]
    from: Option<u64>,
    /// The second [default: the current one]
    to: Option<u64>,
    /// Show every path, not only the first few
    #[arg(long)]
    all: bool,
}

/// How many paths of a kind are shown.
const SHOWN: usize = 10;

pub fn diff(ui: &Ui, global: &GlobalArgs, args: &DiffArgs) -> Result<u8> {
    let store = global.open_store()?;
    let (from, to) = which(&store, args)?;
    let (first, second): (Generation, Generation) = (store.generation(from)?, store.generation(to)?);
    let differences = compare(&store, &first, &second)?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "from": from, "to": to, "outputs": differences }));
        return Ok(0);
    }
    if differences.is_empty() {
        ui.line(format!("generations {from} and {to} hold the same trees"));
    }
    for difference in &differences {
        let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "nothing".to_owned());
        ui.line(format!(
            "{GOOD}{}{GOOD:#} {} -> {}, {} -> {}",
            difference.output,
            version(&difference.from),
            version(&difference.to),
            text::bytes(difference.from_size),
            text::bytes(difference.to_size)
        ));
        for (mark, paths) in [('+', &difference.added), ('-', &difference.removed), ('~', &difference.changed)] {
            let shown = if args.all { paths.len() } else { SHOWN };
            for path in paths.iter().take(shown) {
                ui.line(format!("  {mark} {path}"));
            }
            if paths.len() > shown {
                ui.line(format!("  {mark} and {} more", paths.len() - shown));
            }
        }
    }
    Ok(0)
}

fn which(store: &Store, args: &DiffArgs) -> Result<(u64, u64)> {
    let none = || {
        Error::new(Kind::NotFound, "there are no two generations to compare").hint("`strixlock generations` lists them")
    };
    let to = match (args.from, args.to) {
        (_, Some(to)) => to,
        (_, None) => store.current_generation()?.ok_or_else(none)?,
    };
    let from = match args.from {
        Some(from) => from,
        None => store.generations()?.into_iter().rfind(|number| *number < to).ok_or_else(none)?,
    };
    Ok((from, to))
}
