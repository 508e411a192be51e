//! `strixlock gc`

use std::time::Duration;

use super::{GlobalArgs, Ui};
use crate::error::{Error, Kind, Result};
use crate::lock::{Lock, LockedInput};
use crate::store::Store;
use crate::store::gc::{Policy, Roots};
use crate::text;

/// Remove what no generation and no known lock needs
///
/// Without options every generation stays, and what goes are leftovers: trees, contents and downloads that nothing
/// leads to. Locks that `update` or `realize` used are known as long as their files exist.
#[derive(Debug, clap::Args)]
pub struct GcArgs {
    /// Keep only the newest N generations
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Drop generations older than this, such as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Drop the oldest generations until their files fit into this, such as 60G or 500M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Forget locks whose directories are not there any more; without this they may be on a disk that comes back
    #[arg(long)]
    forget_missing: bool,
    /// Only tell what would go
    #[arg(long)]
    dry_run: bool,
}

pub fn gc(ui: &Ui, global: &GlobalArgs, args: &GcArgs) -> Result<u8> {
    let store = global.open_store()?.exclusive()?;
    let roots = roots(&store, args)?;
    let policy =
        Policy { keep: args.keep, older_than: args.older_than, max_size: args.max_size, dry_run: args.dry_run };
    let collected = store.collect(&roots, policy)?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "dry_run": args.dry_run, "collected": collected }));
        return Ok(0);
    }
    let would = if args.dry_run { "would remove" } else { "removed" };
    if !collected.generations.is_empty() {
        let numbers: Vec<String> = collected.generations.iter().map(u64::to_string).collect();
        ui.line(format!("{would} generation(s) {}", numbers.join(", ")));
    }
    ui.line(format!(
        "{would} {} trees, {} files, {} chunks, {} downloads, {} git caches: {}",
        collected.trees.len(),
        collected.blobs,
        collected.chunks,
        collected.downloads,
        collected.repositories,
        text::bytes(collected.bytes)
    ));
    Ok(0)
}

/// What the registered locks name.
fn roots(store: &Store, args: &GcArgs) -> Result<Roots> {
    let mut roots = Roots::default();
    for path in store.registered_locks(args.forget_missing, args.dry_run)? {
        // A lock that cannot be read may name anything: nothing is removed then.
        let lock = Lock::read(&path)?;
        for input in lock.inputs.values() {
            roots.trees.extend(input.tree().map(|tree| tree.digest));
            match input {
                LockedInput::Rocm(block) => drop(roots.downloads.insert(block.locked.sha256)),
                LockedInput::File(block) => drop(roots.downloads.insert(block.locked.sha256)),
                LockedInput::Debs(block) => {
                    roots.downloads.extend(block.locked.packages.iter().map(|package| package.sha256));
                }
                LockedInput::Huggingface(block) => {
                    roots.downloads.extend(block.locked.files.iter().map(|file| file.sha256));
                }
                LockedInput::Oci(block) => {
                    roots.downloads.extend(block.locked.blobs().iter().map(|blob| blob.digest));
                }
                LockedInput::Git(block) => {
                    roots.repositories.insert(block.locked.url.clone());
                    roots.repositories.extend(block.locked.submodules.values().map(|one| one.url.clone()));
                }
            }
        }
        roots.derivations.extend(lock.outputs.values().map(|output| output.derivation));
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
        .ok_or_else(|| Error::new(Kind::Usage, "an age is such as 30d, 12h or 2w"))?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

fn size(text: &str) -> Result<u64> {
    let wrong = || Error::new(Kind::Usage, "a size is such as 60G, 500M or 1T");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match &text[end..] {
        "" | "B" => 1,
        "k" | "K" | "kB" => 1000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "T" | "TB" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..end].parse().map_err(|_| wrong())?;
    number.checked_mul(factor).ok_or_else(wrong)
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
