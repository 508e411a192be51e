//! Garbage collection: removes everything that no root leads to.
//!
//! Roots are the generations of all profiles, everything that registered locks name, and the trees of running
//! processes. No other strixlock is at work, since the collector holds the exclusive lock. Directories are first
//! renamed into `tmp/`, so that a collector that is killed leaves nothing half removed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::profiles::{Profile, ProfileName, is_missing, project_of, real};
use super::{Numbered, Store, open_lock};
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::tree::Node;

/// Age at which a partial download is garbage.
const PARTIAL_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Roots besides generations and running processes.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// Trees.
    pub trees: BTreeSet<TreeDigest>,
    /// Outputs, with their trees.
    pub derivations: BTreeSet<DerivationId>,
    /// Downloads.
    pub downloads: BTreeSet<Sha256Digest>,
    /// The URLs of git repositories.
    pub repositories: BTreeSet<String>,
}

/// Rules for the removal of generations and profiles.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The profiles to which the rules below apply. Generations of other profiles stay.
    pub profiles: Vec<ProfileName>,
    /// Number of newest generations to keep in each profile. The current one stays in any case.
    pub keep: Option<usize>,
    /// Age from which generations are removed.
    pub older_than: Option<Duration>,
    /// Size in bytes. The oldest generations are removed until the store is not larger.
    pub max_size: Option<u64>,
    /// Profiles to remove with all their generations.
    pub drop: Vec<ProfileName>,
    /// True to remove all compiler caches.
    pub compile_cache: bool,
    /// Report only, and remove nothing.
    pub dry_run: bool,
}

/// Everything that was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Generations.
    pub generations: Vec<Numbered>,
    /// Profiles, with all of their generations.
    pub profiles: Vec<ProfileName>,
    /// Generations that the rules would remove, but that stay because they are current.
    pub kept: Vec<Numbered>,
    /// The bytes that remain, if they are more than the policy allows.
    pub over: Option<u64>,
    /// Trees.
    pub trees: Vec<TreeDigest>,
    /// Number of blobs.
    pub blobs: u64,
    /// Number of chunks of cold trees.
    pub chunks: u64,
    /// Number of downloads, verified or partial.
    pub downloads: u64,
    /// Number of git caches.
    pub repositories: u64,
    /// Number of compiler caches.
    pub compile_caches: u64,
    /// Bytes freed.
    pub bytes: u64,
}

impl Store {
    /// Registers the lock at `path`, so that everything that it names is kept.
    pub fn register_lock(&self, path: &Path) -> Result<()> {
        let path = std::path::absolute(path)?;
        // The lock of a generation is kept as long as the generation.
        if self.profile_around(&path)?.is_some() {
            return Ok(());
        }
        let text = path.as_os_str().as_bytes();
        let place = self.root.join("locks").join(Sha256Digest::of(text).hex());
        if place.is_file() { Ok(()) } else { self.write(&place, text) }
    }

    /// Returns the registered locks. Forgets missing ones. If a lock's directory is missing too, perhaps with the disk
    /// that it is on, forgets the lock only with `forget_missing`, and fails otherwise. A `dry_run` skips missing locks
    /// and keeps them registered.
    pub fn registered_locks(&self, forget_missing: bool, dry_run: bool) -> Result<Vec<PathBuf>> {
        let mut locks = Vec::new();
        for entry in fs_err::read_dir(self.root.join("locks"))? {
            let entry = entry?.path();
            let path = PathBuf::from(OsString::from_vec(fs_err::read(&entry)?));
            if !is_missing(&path) {
                locks.push(path);
            } else if forget_missing || path.parent().is_some_and(Path::is_dir) {
                if !dry_run {
                    fs_err::remove_file(&entry)?;
                }
            } else {
                return Err(self.missing_lock(&path)?);
            }
        }
        locks.sort();
        Ok(locks)
    }

    /// Reports that the directory of a registered lock is missing, and the ways to go on.
    fn missing_lock(&self, path: &Path) -> Result<Error> {
        let error =
            Error::new(Kind::NotFound, "the directory of a registered lock is missing").fact("lock", path.display());
        let project = project_of(path);
        let profiles = self.profiles()?;
        let Some(profile) = profiles.iter().find(|profile| profile.is_gone() && profile.project() == Some(project))
        else {
            return Ok(error.hint(
                "everything that it names is kept in case it comes back: mount its disk, or run `strixlock gc \
                 --forget-missing`",
            ));
        };
        Ok(error.fact("profile", &profile.name).hint(format!(
            "everything that it names is kept in case it comes back: mount its disk; if the project was moved, run \
             `strixlock generations --adopt {}` where it is now; `strixlock gc --forget-missing` drops its generations",
            profile.name
        )))
    }

    /// Forgets the registered locks of a missing project.
    pub(super) fn forget_locks_in(&self, project: &Path) -> Result<()> {
        for entry in fs_err::read_dir(self.root.join("locks"))? {
            let entry = entry?.path();
            let lock = real(&PathBuf::from(OsString::from_vec(fs_err::read(&entry)?)))?;
            if project_of(&lock) == project && is_missing(&lock) {
                fs_err::remove_file(entry)?;
            }
        }
        Ok(())
    }

    /// Takes the exclusive lock: waits until no other process uses the store, and keeps others out.
    pub fn exclusive(mut self) -> Result<Self> {
        // A shared lock cannot be turned into an exclusive one while another process wants the same.
        self.lock()?.unlock()?;
        let place = self.root.join("lock");
        let lock = open_lock(&place)?;
        self.waiting.alone(&lock, &place)?;
        self.lock = Some(lock);
        Ok(self)
    }

    /// Collects garbage. The store must be held by [`Self::exclusive`].
    pub fn collect(&self, roots: &Roots, policy: &Policy) -> Result<Collected> {
        let mut collected = Collected { profiles: policy.drop.clone(), ..Collected::default() };
        let mut left = Vec::new();
        for profile in self.profiles()? {
            let numbered = |number| Numbered { profile: profile.name.clone(), number };
            if policy.drop.contains(&profile.name) {
                collected.generations.extend(profile.generations()?.into_iter().map(numbered));
            } else if policy.profiles.contains(&profile.name) {
                let (old, kept) = old_generations(&profile, policy)?;
                collected.kept.extend(kept.map(numbered));
                let current = profile.current()?;
                for number in profile.generations()?.into_iter().filter(|number| Some(*number) != current) {
                    if !old.contains(&number) {
                        left.push((profile.made(number)?, numbered(number)));
                    }
                }
                collected.generations.extend(old.into_iter().map(numbered));
            }
        }
        let mut live = self.live(roots, &collected.generations)?;
        if let Some(most) = policy.max_size {
            left.sort();
            let mut left = left.into_iter();
            while self.size_of(&live)? > most {
                let Some((_, oldest)) = left.next() else {
                    collected.over = Some(self.size_of(&live)?);
                    break;
                };
                collected.generations.push(oldest);
                live = self.live(roots, &collected.generations)?;
            }
        }
        collected.generations.sort();
        self.sweep(roots, &live, policy.dry_run, &mut collected)?;
        self.sweep_compile_caches(&live, policy, &mut collected)?;
        Ok(collected)
    }

    /// Returns the trees that the roots and the generations lead to. Generations in `without` do not count.
    fn live(&self, roots: &Roots, without: &[Numbered]) -> Result<BTreeSet<TreeDigest>> {
        let mut live = roots.trees.clone();
        for id in &roots.derivations {
            live.extend(self.output_record(*id)?.map(|record| record.tree));
        }
        live.extend(self.trees_in_use()?);
        for (numbered, generation) in self.all_generations()? {
            if !without.contains(&numbered) {
                live.extend(generation.outputs.values().map(|output| output.tree));
            }
        }
        Ok(live)
    }

    /// Returns the size of these trees' contents.
    fn size_of(&self, trees: &BTreeSet<TreeDigest>) -> Result<u64> {
        Ok(self.contents(trees)?.values().sum())
    }

    /// Returns the blobs of hot trees and the chunks of cold ones, with their sizes.
    fn contents(&self, trees: &BTreeSet<TreeDigest>) -> Result<BTreeMap<PathBuf, u64>> {
        let mut all = BTreeMap::new();
        for digest in trees {
            if let Some(tree) = self.tree(*digest) {
                let listing = tree.listing()?;
                let files = listing.entries().iter().filter_map(|entry| match entry.node {
                    Node::File { executable, size, digest } => Some((self.blob(digest, executable), size)),
                    _ => None,
                });
                all.extend(files);
            } else if let Some(tree) = self.cold(*digest) {
                all.extend(self.chunk_files(&tree)?);
            }
        }
        Ok(all)
    }

    fn sweep(
        &self,
        roots: &Roots,
        live: &BTreeSet<TreeDigest>,
        dry_run: bool,
        collected: &mut Collected,
    ) -> Result<()> {
        let bin = Bin { store: self, dry_run };
        for profile in self.profiles()? {
            if collected.profiles.contains(&profile.name) {
                if profile.is_first() && !dry_run {
                    fs_err::remove_file(self.root.join("current"))?;
                }
                bin.take(&profile.directory())?;
                continue;
            }
            for numbered in collected.generations.iter().filter(|numbered| numbered.profile == profile.name) {
                bin.take(&profile.generation_directory(numbered.number))?;
            }
            if !dry_run {
                profile.forget_lost_previous()?;
            }
        }
        for digest in self.trees()?.into_iter().filter(|digest| !live.contains(digest)) {
            bin.take(&self.root.join("trees").join(digest.hex()))?;
            collected.trees.push(digest);
        }
        for entry in fs_err::read_dir(self.root.join("outputs"))? {
            let path = entry?.path();
            let id = path.file_name().and_then(|name| Sha256Digest::from_hex(name.to_str()?)).map(DerivationId);
            let tree = id.map(|id| self.output_record(id)).transpose()?.flatten().map(|record| record.tree);
            if tree.is_none_or(|tree| !live.contains(&tree)) {
                bin.take(&path)?;
            }
        }
        let kept = self.contents(live)?;
        for (place, count) in [("blobs", &mut collected.blobs), ("chunks", &mut collected.chunks)] {
            for directory in fs_err::read_dir(self.root.join(place))? {
                for entry in fs_err::read_dir(directory?.path())? {
                    let path = entry?.path();
                    if !kept.contains_key(&path) {
                        *count += 1;
                        collected.bytes += fs_err::symlink_metadata(&path)?.size();
                        bin.take(&path)?;
                    }
                }
            }
        }
        self.sweep_downloads(roots, &bin, collected)?;
        let wanted: BTreeSet<PathBuf> = roots.repositories.iter().map(|url| self.git_cache(url)).collect();
        for entry in fs_err::read_dir(self.root.join("git"))? {
            let path = entry?.path();
            if !wanted.contains(&path) {
                collected.repositories += 1;
                collected.bytes += super::size_below(&path)?;
                bin.take(&path)?;
            }
        }
        Ok(())
    }

    /// Removes compiler caches that nobody will use any more, and the locks of all that are gone.
    fn sweep_compile_caches(
        &self,
        live: &BTreeSet<TreeDigest>,
        policy: &Policy,
        collected: &mut Collected,
    ) -> Result<()> {
        let bin = Bin { store: self, dry_run: policy.dry_run };
        for cache in self.compile_caches()? {
            if policy.compile_cache || cache.is_garbage(&collected.profiles, live) {
                collected.compile_caches += 1;
                collected.bytes += cache.size.unwrap_or_default();
                bin.take(&cache.directory)?;
            }
        }
        for lock in self.compile_cache_locks() {
            if !lock.with_extension("").exists() {
                bin.take(&lock)?;
            }
        }
        Ok(())
    }

    fn sweep_downloads(&self, roots: &Roots, bin: &Bin, collected: &mut Collected) -> Result<()> {
        let mut garbage = Vec::new();
        for entry in fs_err::read_dir(self.root.join("downloads/sha256"))? {
            let path = entry?.path();
            let digest = path.file_name().and_then(|name| Sha256Digest::from_hex(name.to_str()?));
            if digest.is_none_or(|digest| !roots.downloads.contains(&digest)) {
                garbage.push(path);
            }
        }
        for entry in fs_err::read_dir(self.root.join("tmp/partial"))? {
            let path = entry?.path();
            let age = fs_err::metadata(&path)?.modified()?.elapsed().unwrap_or_default();
            let held = path.extension().is_some_and(|extension| extension == "held");
            if held || age > PARTIAL_AGE {
                garbage.push(path);
            }
        }
        for path in garbage {
            collected.downloads += u64::from(path.extension().is_none_or(|extension| extension == "part"));
            collected.bytes += fs_err::symlink_metadata(&path)?.size();
            bin.take(&path)?;
        }
        if bin.dry_run { Ok(()) } else { self.forget_origins() }
    }
}

/// Returns the generations of a profile that a policy removes, and the current one if only that keeps it.
fn old_generations(profile: &Profile, policy: &Policy) -> Result<(Vec<u64>, Option<u64>)> {
    let (current, all) = (profile.current()?, profile.generations()?);
    let surplus = policy.keep.map_or(0, |keep| all.len().saturating_sub(keep));
    let (mut old, mut kept) = (Vec::new(), None);
    for (index, number) in all.into_iter().enumerate() {
        let too_old = match policy.older_than {
            Some(age) => SystemTime::now().duration_since(profile.made(number)?).unwrap_or_default() > age,
            None => false,
        };
        match index < surplus || too_old {
            true if Some(number) == current => kept = Some(number),
            true => old.push(number),
            false => {}
        }
    }
    Ok((old, kept))
}

/// Remover of garbage. Renames directories into a staging directory before it removes their contents.
struct Bin<'a> {
    store: &'a Store,
    dry_run: bool,
}

impl Bin<'_> {
    fn take(&self, path: &Path) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        if path.is_dir() {
            let staging = self.store.stage()?;
            fs_err::rename(path, staging.path().join("garbage"))?;
        } else {
            fs_err::remove_file(path)?;
        }
        Ok(())
    }
}
