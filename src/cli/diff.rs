//! `strixlock diff`

use super::Session;
use super::session::described;
use super::ui::GOOD;
use super::versions::versions;
use crate::error::{Error, Kind, Result};
use crate::realize::compare_generations;
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
        .map(|(name, _)| name)
        .collect();
    differences.sort_by_key(|difference| order.iter().position(|name| *name == difference.output));
    if ui.is_json() {
        ui.json(serde_json::json!({ "profile": profile.name(), "from": from, "to": to, "outputs": differences }));
        return Ok(0);
    }
    if !differences.is_empty() {
        ui.line(format!("generation {from} -> {to}"));
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
