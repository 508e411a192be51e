//! `strixlock gc`

use std::collections::BTreeMap;
use std::time::Duration;

use super::Session;
use super::session::described;
use super::tree_names::TreeNames;
use super::versions::{line, versions};
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::store::gc::{Collected, Policy, Roots};
use crate::store::{Numbered, Profile, ProfileName, Store, no_profile};
use crate::text;

/// Remove what no generation and no known lock needs
///
/// Without options, keeps every generation of every project and removes garbage: trees, blobs and downloads that
/// nothing refers to. Locks used by `update` or `realize` are known as long as their files exist. The options for
/// generations apply to this project; the current generation is always kept.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct GcArgs {
    /// Keep only the newest N generations, and the current one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep: Option<u64>,
    /// Drop generations older than this, such as 30d or 12h, but never the current one
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Drop generations, oldest first and never the current one, until the remaining files fit into this size, such as
    /// 60G or 500M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Apply these rules to each project that uses the store
    #[arg(long)]
    all_profiles: bool,
    /// Drop this profile with all its generations, including the current one
    #[arg(long, value_name = "PROFILE")]
    drop_profile: Vec<ProfileName>,
    /// Forget locks whose directories are missing, and drop the generations of those projects; by default both are
    /// kept, since the disk may be mounted again
    #[arg(long)]
    forget_missing: bool,
    /// Remove all compiler caches too; the next build of each project compiles everything
    #[arg(long)]
    compile_cache: bool,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: &GcArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = session.exclusive_store()?;
    let policy = policy(session, store, args)?;
    let roots = roots(store, args)?;
    let profiles = store.profiles()?;
    for profile in profiles.iter().filter(|profile| profile.is_gone() && !policy.drop.contains(profile.name())) {
        ui.warning(&format!(
            "kept the generations of {}: if the project was moved, run `strixlock generations --adopt {}` there; \
             `strixlock gc --forget-missing` drops them",
            described(profile),
            profile.name()
        ));
    }
    let all = described_generations(&profiles)?;
    let names = TreeNames::read(store, session.profile().ok().as_ref());
    let collected = store.collect(&roots, &policy)?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "dry_run": args.dry_run, "collected": collected }));
        return Ok(0);
    }
    let would = if args.dry_run { "would remove" } else { "removed" };
    for numbered in &collected.generations {
        ui.line(format!("{would} generation {}", all.get(numbered).map_or("", String::as_str)));
    }
    for numbered in &collected.kept {
        ui.line(format!("kept generation {}: it is current", all.get(numbered).map_or("", String::as_str)));
    }
    for tree in &collected.trees {
        ui.line(format!("{would} {}", names.or_digest(*tree)));
    }
    if let (Some(over), Some(most)) = (collected.over, policy.max_size) {
        let others = if args.all_profiles { "" } else { ", generations of other projects (`--all-profiles`)" };
        ui.warning(&format!(
            "kept {}, more than the maximum of {}: needed by current generations{others} and by locks",
            text::bytes(over),
            text::bytes(most)
        ));
    }
    ui.line(total(&collected, would));
    Ok(0)
}

/// Returns the last line: counts of what there was, and the space.
fn total(collected: &Collected, would: &str) -> String {
    let counts = [
        (collected.trees.len() as u64, "tree"),
        (collected.blobs, "file"),
        (collected.chunks, "chunk"),
        (collected.downloads, "download"),
        (collected.repositories, "git cache"),
        (collected.compile_caches, "compiler cache"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> = some.map(|(count, what)| text::counted(*count as usize, what)).collect();
    match (some.is_empty(), collected.generations.is_empty()) {
        (true, true) => "nothing to remove".to_owned(),
        (true, false) => "everything in them is still needed: nothing else to remove".to_owned(),
        (false, _) => format!("{would} {}: {}", some.join(", "), text::bytes(collected.bytes)),
    }
}

fn policy(session: &Session, store: &Store, args: &GcArgs) -> Result<Policy> {
    let rules = args.keep.is_some() || args.older_than.is_some() || args.max_size.is_some();
    let all = store.profiles()?;
    let profiles = if args.all_profiles {
        all.iter().map(|profile| profile.name().clone()).collect()
    } else if rules {
        let profile = session.profile_there()?;
        if !profile.exists() {
            session.ui.warning(
                "this project has no generations in the store, so no rule drops any; choose others with `--profile \
                 NAME` or `--all-profiles`",
            );
        }
        vec![profile.name().clone()]
    } else {
        Vec::new()
    };
    let mut drop = args.drop_profile.clone();
    if let Some(name) = drop.iter().find(|name| all.iter().all(|profile| profile.name() != *name)) {
        return Err(no_profile(name));
    }
    if args.forget_missing {
        drop.extend(all.iter().filter(|profile| profile.is_gone()).map(|profile| profile.name().clone()));
    }
    drop.sort();
    drop.dedup();
    Ok(Policy {
        profiles,
        keep: args.keep.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX)),
        older_than: args.older_than,
        max_size: args.max_size,
        drop,
        compile_cache: args.compile_cache,
        dry_run: args.dry_run,
    })
}

/// Describes every generation for output: number, profile, project and versions.
fn described_generations(profiles: &[Profile]) -> Result<BTreeMap<Numbered, String>> {
    let mut all = BTreeMap::new();
    for profile in profiles {
        for number in profile.generations()? {
            let what = line(&versions(profile, number, &profile.generation(number)?));
            let numbered = Numbered { profile: profile.name().clone(), number };
            all.insert(numbered, format!("{number} of {}, {what}", described(profile)));
        }
    }
    Ok(all)
}

/// Returns the trees, blobs and derivations that registered locks refer to.
fn roots(store: &Store, args: &GcArgs) -> Result<Roots> {
    let mut roots = Roots::default();
    for path in store.registered_locks(args.forget_missing, args.dry_run)? {
        // An unreadable lock may refer to anything, so nothing is removed.
        let lock = Lock::read(&path)?;
        for input in lock.inputs.values() {
            roots.trees.extend(input.tree().map(|tree| tree.digest));
            input.keep(&mut roots);
        }
        for output in lock.outputs.values() {
            roots.derivations.insert(output.derivation);
            // After an update of strixlock itself the outputs are not rebuilt yet: keep the sealed ones.
            roots.derivations.extend(output.earlier.map(|earlier| earlier.derivation));
        }
    }
    Ok(roots)
}

fn age(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => 0,
    };
    let number: u64 = number
        .parse()
        .ok()
        .filter(|_| seconds > 0)
        .ok_or_else(|| Error::new(Kind::Usage, "expected an age such as 30d, 12h or 2w"))?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

fn size(text: &str) -> Result<u64> {
    let invalid = || Error::new(Kind::Usage, "expected a size such as 60G, 500M or 1T");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match &text[end..] {
        "" | "B" => 1,
        "k" | "K" | "kB" => 1000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "T" | "TB" => 1_000_000_000_000,
        _ => return Err(invalid()),
    };
    let number: u64 = text[..end].parse().map_err(|_| invalid())?;
    number.checked_mul(factor).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_have_units() {
        assert_eq!(age("30d").unwrap(), Duration::from_secs(30 * 86_400));
        assert_eq!(size("60G").unwrap(), 60_000_000_000);
        for wrong in ["", "d", "30", "30x", "-1d", "30é"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "G", "6X", "-1", "99999999999T"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
