//! Takes in distribution packages and the lists that name them, by their digests.

use std::path::PathBuf;

use url::Url;

use super::DebsPin;
use crate::digest::Promise;
use crate::error::{About, Error, Kind, Result};
use crate::fetch::Voucher;
use crate::inputs::{Block, Kept, KeptFile, Presence, Supply};
use crate::intake::{Intake, MissingFile, download_all, drop_damaged, file_vouched, is_here};
use crate::store::Store;
use crate::store::gc::Roots;
use crate::upstream::debs::{DebPackage, DebsRequest};
use crate::urls::show_url;

impl Supply for Block<DebsRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        debs(intake, name, &self.locked).map(drop)
    }

    fn presence(&self, store: &Store) -> Presence {
        Presence::of_missing(missing_debs(store, &self.locked).map(|package| package.size))
    }

    fn keep(&self, roots: &mut Roots) {
        roots.downloads.extend(self.locked.packages.iter().map(|package| package.sha256));
    }

    fn kept(&self) -> Vec<Kept> {
        let file = |package: &DebPackage| {
            let name = package.path.rsplit('/').next().unwrap_or(&package.path);
            Kept::File(KeptFile::new(name, promise(package), self.locked.urls(package), Voucher::Archive))
        };
        self.locked.packages.iter().map(file).collect()
    }

    fn fetch_kept(&self, intake: Intake, name: &str) -> Result<()> {
        self.fetch(intake, name)
    }
}

/// Takes in a pinned set of packages; where each of them lies in the store, in the pin's order. Each has the pinned
/// digest now: one that was damaged in the store since it came is fetched again.
pub fn debs(intake: Intake, name: &str, pin: &DebsPin) -> Result<Vec<(DebPackage, PathBuf)>> {
    for package in &pin.packages {
        drop_damaged(intake.store, package.sha256)?;
    }
    let piece = |package: &DebPackage| MissingFile {
        promise: promise(package),
        urls: pin.urls(package),
        called: format!("{} {} {}", package.name, package.version, package.architecture),
    };
    let missing: Vec<MissingFile> = missing_debs(intake.store, pin).map(piece).collect();
    download_all(intake, name, &missing, Voucher::Archive, &explained).about(name)?;
    let place = |package: &DebPackage| (package.clone(), intake.store.download_path(package.sha256));
    Ok(pin.packages.iter().map(place).collect())
}

fn promise(package: &DebPackage) -> Promise {
    Promise { size: package.size, digest: package.sha256 }
}

/// Returns the packages of a set that are not in the store.
fn missing_debs<'p>(store: &'p Store, pin: &'p DebsPin) -> impl Iterator<Item = &'p DebPackage> {
    pin.packages.iter().filter(move |package| !is_here(store, promise(package)))
}

/// Takes in a package list of a signed Release file.
pub(super) fn package_list(intake: Intake, name: &str, urls: &[Url], promise: Promise) -> Result<PathBuf> {
    file_vouched(intake, name, urls, Some(promise), Voucher::Archive).map(|(path, _)| path)
}

/// Explains an error: a package that the archive no longer has gets a message of its own.
fn explained(error: Error, piece: &MissingFile) -> Error {
    if error.kind() != Kind::NotFound {
        return error.fact("package", &piece.called);
    }
    let missing =
        Error::new(Kind::NotFound, "a pinned package is no longer in the archive").fact("package", &piece.called);
    let missing = piece.urls.iter().fold(missing, |missing, url| missing.fact("url", show_url(url)));
    missing.fact("locked", format!("{}  {} bytes", piece.promise.digest, piece.promise.size)).hint(
        "archives keep only their newest versions: name a snapshot service's URL with its date as `archive` or under \
         `archives`, or update this input",
    )
}
