//! A git commit: fetched into the cache, its raw blobs written as a tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;

use super::GitPin;
use super::patches::{self, PatchPin};
use crate::error::{About, Error, Kind, Result};
use crate::fetch::Voucher;
use crate::inputs::{Block, Kept, KeptCommit, KeptFile, Presence, Supply};
use crate::intake::Intake;
use crate::progress::{Doing, Unit};
use crate::store::gc::Roots;
use crate::store::{Staging, Store, StoredTree};
use crate::tree::{Limits, Listing, TreeWriter};
use crate::upstream::git::{Content, GitRequest, Repository, Submodule, apply, write_content};

impl Supply for Block<GitRequest> {
    fn fetch(&self, intake: Intake, name: &str) -> Result<()> {
        let pin = &self.locked;
        if intake.store.tree(pin.content.digest).is_some() {
            return Ok(());
        }
        git(intake, name, &pin.url, |repository| {
            repository.fetch(&pin.commit, pin.reference.as_deref())?;
            git_tree(intake, repository, &pin.commit, &pin.patches, Some(pin)).map(drop)
        })
    }

    fn presence(&self, store: &Store) -> Presence {
        Presence::of_tree(store, self.locked.content.digest, None)
    }

    fn keep(&self, roots: &mut Roots) {
        roots.repositories.insert(self.locked.url.clone());
        roots.downloads.extend(self.locked.patches.iter().map(|patch| patch.sha256));
        roots.repositories.extend(self.locked.submodules.values().map(|one| one.url.clone()));
    }

    fn bring(&self, intake: Intake, name: &str, directory: &Path) -> Result<()> {
        patches::bring(intake, name, &self.locked.patches, directory)
    }

    /// Returns the commit, those of its submodules, and the patches. The project has the patches: they have no URLs.
    fn kept(&self) -> Vec<Kept> {
        let pin = &self.locked;
        let own = KeptCommit { url: pin.url.clone(), commit: pin.commit.clone(), reference: pin.reference.clone() };
        let of_submodule =
            |one: &Submodule| KeptCommit { url: one.url.clone(), commit: one.commit.clone(), reference: None };
        let patch = |patch: &PatchPin| KeptFile {
            name: patch.path.clone(),
            digest: patch.sha256,
            size: None,
            urls: Vec::new(),
            voucher: Voucher::Lock,
            mtime: None,
            tree: None,
        };
        let commits = std::iter::once(own).chain(pin.submodules.values().map(of_submodule)).map(Kept::Commit);
        commits.chain(pin.patches.iter().map(patch).map(Kept::File)).collect()
    }

    /// Reads the packs into repositories of their own, which are dropped afterwards: see [`Repository::read_pack`].
    fn unpack_kept(&self, intake: Intake, name: &str, file: &dyn Fn(&Kept) -> Result<PathBuf>) -> Result<()> {
        let (pin, staging) = (&self.locked, intake.store.stage()?);
        let place = |url: &str| staging.path().join(crate::digest::Sha256Digest::of(url.as_bytes()).hex());
        for kept in self.kept() {
            if let Kept::Commit(one) = &kept {
                let repository = Repository::open(name, &one.url, &place(&one.url), intake.fetcher)?;
                repository.read_pack(&file(&kept)?).about(name)?;
            }
        }
        let repository = Repository::open(name, &pin.url, &place(&pin.url), intake.fetcher)?;
        let (tree, listing, _) =
            write(intake, &repository, &pin.commit, &pin.patches, Some(pin), &place).about(name)?;
        intake.store.publish_tree(&tree, &listing).map(drop)
    }

    fn restore(&self, intake: Intake, name: &str) -> Result<()> {
        git_contents(intake, name, &self.locked)
    }
}

/// The content of a commit.
pub struct GitContent {
    /// The tree.
    pub tree: StoredTree,
    /// The listing of the tree.
    pub listing: Listing,
    /// The submodules that are part of it.
    pub submodules: BTreeMap<String, Submodule>,
}

/// Runs `action` with the repository at `url`, or where that fails for want of a network or commit, at its mirrors.
/// Nobody else uses the cache meanwhile.
pub fn git<T>(intake: Intake, name: &str, url: &str, action: impl Fn(&Repository) -> Result<T>) -> Result<T> {
    let _held = intake.store.partial(&format!("git:{url}"))?;
    let cache = intake.store.git_cache(url);
    let settings = intake.fetcher.settings();
    let mut urls = vec![url.to_owned()];
    if let Ok(parsed) = Url::parse(url) {
        urls.extend(settings.with_mirrors(&[parsed]).into_iter().skip(1).map(String::from));
    }
    let mut failure: Option<Error> = None;
    for at in urls {
        let repository = Repository::open(name, url, &cache, intake.fetcher)?.asked_at(at);
        match action(&repository) {
            Err(error) if matches!(error.kind(), Kind::Unreachable | Kind::NotFound) => {
                failure = failure.or(Some(error));
            }
            other => return other.about(name),
        }
    }
    Err(failure.unwrap_or_else(|| Error::failure("there is no URL to ask")).about(name))
}

/// Fetches the commits of several pins of one input with their histories, each from the address in the first pin.
pub fn fetch_history(intake: Intake, name: &str, pins: &[&GitPin]) -> Result<()> {
    let Some(first) = pins.first() else { return Ok(()) };
    git(intake, name, &first.url, |repository| {
        pins.iter().try_for_each(|pin| repository.fetch(&pin.commit, pin.reference.as_deref()))
    })
}

/// Writes the content of a fetched commit as a tree into the store. Fails if it does not match the pin, if there is
/// one.
pub fn git_tree(
    intake: Intake,
    repository: &Repository,
    commit: &str,
    patches: &[PatchPin],
    pin: Option<&GitPin>,
) -> Result<GitContent> {
    let _unpacking = intake.fetcher.progress().begin(Doing::Unpack, repository.name, None, Unit::Steps);
    let (staging, listing, submodules) =
        write(intake, repository, commit, patches, pin, &|url| intake.store.git_cache(url))?;
    let tree = intake.store.publish_tree(&staging, &listing)?;
    Ok(GitContent { tree, listing, submodules })
}

/// Writes the contents of a pinned commit's files into the blob store again, to repair a damaged tree.
fn git_contents(intake: Intake, name: &str, pin: &GitPin) -> Result<()> {
    git(intake, name, &pin.url, |repository| {
        repository.fetch(&pin.commit, pin.reference.as_deref())?;
        let cache_of = |url: &str| intake.store.git_cache(url);
        let (staging, listing, _) = write(intake, repository, &pin.commit, &pin.patches, Some(pin), &cache_of)?;
        intake.store.share_all(&staging, &listing)
    })
}

type Written = (Staging, Listing, BTreeMap<String, Submodule>);

fn write(
    intake: Intake,
    repository: &Repository,
    commit: &str,
    patches: &[PatchPin],
    pin: Option<&GitPin>,
    cache_of: &dyn Fn(&str) -> PathBuf,
) -> Result<Written> {
    let tree = apply(repository, commit, &patches::load(intake.store, patches)?)?;
    let staging = intake.store.stage()?;
    let directory = staging.path().join("tree");
    fs_err::create_dir(&directory)?;
    let limits = Limits { colliding_names: true, ..Limits::default() };
    let limits = pin.map_or(limits, |pin| Limits { entries: pin.content.entries, bytes: pin.content.size, ..limits });
    let mut writer = TreeWriter::new(&directory, limits)?;
    let content = Content {
        cache_of,
        pinned: pin.map(|pin| &pin.submodules),
        limits,
        demand_space: &|bytes| intake.store.demand_space(bytes),
    };
    let submodules = write_content(repository, tree, &content, &mut writer)?;
    let listing = writer.finish()?;
    if let Some(pin) = pin {
        pin.content.demand(repository.name, &listing)?;
    }
    Ok((staging, listing, submodules))
}

/// Writes a pack with a pinned commit to `out`. Fetches the commit if the cache lacks it.
pub fn write_pack(intake: Intake, name: &str, kept: &KeptCommit, out: &Path) -> Result<()> {
    git(intake, name, &kept.url, |repository| {
        repository.fetch(&kept.commit, kept.reference.as_deref())?;
        let mut file = std::io::BufWriter::new(fs_err::File::create(out)?);
        repository.write_pack(&kept.commit, &mut file)?;
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(())
    })
}
