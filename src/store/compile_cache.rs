//! Compiler caches: objects of earlier compilations, for builds that are much like an earlier one.
//!
//! ```text
//! STORE/compile-cache/<hex>/scope.json   the builds that share the cache; its time is that of the last use
//! STORE/compile-cache/<hex>/objects/     the cache, which a compiler launcher in the sandbox reads and writes
//! STORE/compile-cache/<hex>.lock         flock: shared while a build uses the cache, exclusive to remove it
//! ```
//!
//! A build can write anything into the cache that it uses, also objects that a later build takes for its own. So builds
//! share a cache only if they have the same [`CacheScope`], after whose digest it is named; the sandbox of one never
//! sees that of another. Nothing in a cache is believed here: it is counted, without following links, and removed.
//! A cache is no part of an output, and may be removed at any time between builds.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::remove::remove_tree;
use super::{ProfileName, Store, open_lock};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::Result;

/// The directory below the store.
const PLACE: &str = "compile-cache";
/// Name of the directory that is visible in a sandbox.
const OBJECTS: &str = "objects";
/// Name of the file that holds a [`CacheScope`].
const SCOPE: &str = "scope.json";
/// Levels of directories that are counted. Caches have four; what is deeper was not written by one.
const DEPTH: usize = 8;
/// Bytes of a block, the unit of `st_blocks`.
const BLOCK: u64 = 512;

/// The builds that share a compiler cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheScope {
    /// The profile of the project.
    pub profile: ProfileName,
    /// The input with the source.
    pub source: String,
    /// The origin of the source, without the version.
    pub origin: String,
    /// The trees that have compilers and headers: the root of the build and ROCm.
    pub trees: BTreeSet<TreeDigest>,
}

/// A compiler cache in use by a build.
#[derive(Debug)]
pub struct CompileCache {
    directory: PathBuf,
    _lock: File,
}

/// A compiler cache that a build left.
#[derive(Debug)]
pub(super) struct OldCache {
    pub directory: PathBuf,
    /// Its builds; `None` if its record cannot be read.
    pub scope: Option<CacheScope>,
    /// Disk space; `None` if something in it was not written by a cache.
    pub size: Option<u64>,
    used: SystemTime,
}

impl CompileCache {
    /// Returns the directory of the objects.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.directory.join(OBJECTS)
    }
}

impl Store {
    /// Returns the cache of these builds, which it creates if it is missing. It is kept from being removed while the
    /// value lives.
    pub fn compile_cache(&self, scope: &CacheScope) -> Result<CompileCache> {
        // A structure of texts always serializes.
        let record = serde_json::to_vec(scope).unwrap_or_default();
        let name = Sha256Digest::of(&record).hex();
        let place = self.make_directory(PLACE)?;
        let (lock_path, directory) = (place.join(format!("{name}.lock")), place.join(&name));
        let lock = open_lock(&lock_path)?;
        self.waiting.shared(&lock, &lock_path)?;
        self.make_directory(&format!("{PLACE}/{name}"))?;
        self.write(&directory.join(SCOPE), &record)?;
        self.make_directory(&format!("{PLACE}/{name}/{OBJECTS}"))?;
        Ok(CompileCache { directory, _lock: lock })
    }

    /// Returns the disk space of all caches.
    pub fn compile_cache_size(&self) -> Result<u64> {
        Ok(self.compile_caches()?.iter().filter_map(|cache| cache.size).sum())
    }

    /// Removes caches until the rest takes no more than `most` bytes: first those that no cache wrote, then those that
    /// were not used for the longest time. Caches in use stay. Returns the number that was removed.
    pub fn bound_compile_cache(&self, most: u64) -> Result<usize> {
        let (mut all, mut removed) = (self.compile_caches()?, 0);
        all.sort_by_key(|cache| (cache.size.is_some(), cache.used));
        let mut total: u64 = all.iter().filter_map(|cache| cache.size).sum();
        for cache in all {
            if cache.size.is_some() && total <= most {
                break;
            }
            let lock = open_lock(&cache.directory.with_extension("lock"))?;
            if lock.try_lock().is_ok() {
                remove_tree(&cache.directory)?;
                total -= cache.size.unwrap_or_default();
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Returns all caches.
    pub(super) fn compile_caches(&self) -> Result<Vec<OldCache>> {
        let mut all = Vec::new();
        if self.own(PLACE).is_none_or(|found| !found.is_dir()) {
            return Ok(all);
        }
        for entry in fs_err::read_dir(self.root.join(PLACE))? {
            let directory = entry?.path();
            if directory.extension().is_some() {
                continue;
            }
            let record = directory.join(SCOPE);
            let used = record.symlink_metadata().and_then(|found| found.modified());
            let scope = fs_err::read(&record).ok().and_then(|text| serde_json::from_slice(&text).ok());
            let size = disk_space(&directory, DEPTH).ok().flatten();
            all.push(OldCache { directory, scope, size, used: used.unwrap_or(SystemTime::UNIX_EPOCH) });
        }
        all.sort_by(|one, other| one.directory.cmp(&other.directory));
        Ok(all)
    }

    /// Returns the files that lock the caches. Only `gc` may remove them: it works alone.
    pub(super) fn compile_cache_locks(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join(PLACE)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some()).collect()
    }
}

impl OldCache {
    /// Returns true if nobody will use the cache any more: its project or one of its trees is gone, or it is damaged.
    pub(super) fn is_garbage(&self, dropped: &[ProfileName], live: &BTreeSet<TreeDigest>) -> bool {
        let Some(scope) = self.scope.as_ref().filter(|_| self.size.is_some()) else { return true };
        dropped.contains(&scope.profile) || !scope.trees.is_subset(live)
    }
}

/// Returns the disk space of everything below a directory, or `None` if it is nested deeper than `depth`.
fn disk_space(directory: &Path, depth: usize) -> std::io::Result<Option<u64>> {
    if depth == 0 {
        return Ok(None);
    }
    let mut size = 0_u64;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let found = match path.symlink_metadata() {
            // A build that uses the cache has removed it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let below = if found.is_dir() { disk_space(&path, depth - 1)? } else { Some(found.blocks() * BLOCK) };
        let Some(below) = below else { return Ok(None) };
        size = size.saturating_add(below);
    }
    Ok(Some(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::gc::{Policy, Roots};

    fn scope(source: &str, trees: &[TreeDigest]) -> CacheScope {
        CacheScope {
            profile: "mine".parse().unwrap(),
            source: source.to_owned(),
            origin: "https://a.invalid/x".to_owned(),
            trees: trees.iter().copied().collect(),
        }
    }

    /// A cache of this scope with a file of this size, and its directory.
    fn filled(store: &Store, scope: &CacheScope, size: usize, age: u64) -> PathBuf {
        let cache = store.compile_cache(scope).unwrap();
        fs_err::write(cache.objects().join("object"), vec![1; size]).unwrap();
        let time = SystemTime::now() - std::time::Duration::from_secs(age);
        File::options().write(true).open(cache.directory.join(SCOPE)).unwrap().set_modified(time).unwrap();
        cache.directory.clone()
    }

    #[test]
    fn builds_share_a_cache_only_within_their_scope() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        let tree = TreeDigest(Sha256Digest::of(b"sysroot"));
        let usual = scope("llama-cpp", &[tree]);
        let mut all = BTreeSet::from([filled(&store, &usual, 1, 0)]);
        assert!(!all.insert(filled(&store, &usual.clone(), 1, 0)));
        for other in [
            CacheScope { profile: "other".parse().unwrap(), ..usual.clone() },
            CacheScope { source: "fork".to_owned(), ..usual.clone() },
            CacheScope { origin: "https://a.invalid/x refs/pull/7/head".to_owned(), ..usual.clone() },
            CacheScope { trees: BTreeSet::new(), ..usual.clone() },
        ] {
            assert!(all.insert(filled(&store, &other, 1, 0)), "{other:?}");
        }
    }

    #[test]
    fn the_cache_that_was_not_used_for_the_longest_time_makes_room() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        let old = filled(&store, &scope("old", &[]), 300_000, 200);
        let new = filled(&store, &scope("new", &[]), 300_000, 100);
        let size = store.compile_cache_size().unwrap();
        assert!(size >= 600_000, "{size}");
        assert_eq!(store.bound_compile_cache(size).unwrap(), 0);
        let held = store.compile_cache(&scope("held", &[])).unwrap();
        filled(&store, &scope("held", &[]), 300_000, 300);
        assert_eq!(store.bound_compile_cache(size - 1).unwrap(), 2, "the one in use stays");
        assert!(!old.exists() && !new.exists() && held.objects().exists());
        drop(held);
        assert_eq!(store.bound_compile_cache(0).unwrap(), 1);
        assert_eq!(store.compile_cache_size().unwrap(), 0);
    }

    #[test]
    fn a_cache_that_no_cache_wrote_is_removed_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("store")).unwrap();
        let kept = place.path().join("kept");
        fs_err::create_dir(&kept).unwrap();
        fs_err::write(kept.join("file"), vec![1; 500_000]).unwrap();
        let hostile = filled(&store, &scope("hostile", &[]), 1, 0);
        fs_err::os::unix::fs::symlink(&kept, hostile.join(OBJECTS).join("link")).unwrap();
        assert!(store.compile_cache_size().unwrap() < 500_000);
        fs_err::create_dir_all(hostile.join(OBJECTS).join("a/".repeat(200))).unwrap();
        assert_eq!(store.bound_compile_cache(u64::MAX).unwrap(), 1);
        assert!(!hostile.exists() && kept.join("file").exists());
    }

    #[test]
    fn gc_keeps_the_cache_of_living_trees() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap().exclusive().unwrap();
        let [living, dead] = [b"living".as_slice(), b"dead"].map(|text| TreeDigest(Sha256Digest::of(text)));
        let kept = filled(&store, &scope("kept", &[living]), 1, 0);
        let gone = filled(&store, &scope("gone", &[living, dead]), 1, 0);
        let damaged = filled(&store, &scope("damaged", &[living]), 1, 0);
        fs_err::write(damaged.join(SCOPE), "[").unwrap();
        let roots = Roots { trees: BTreeSet::from([living]), ..Roots::default() };
        let dry_run = store.collect(&roots, &Policy { dry_run: true, ..Policy::default() }).unwrap();
        assert_eq!((dry_run.compile_caches, gone.exists()), (2, true));
        let collected = store.collect(&roots, &Policy::default()).unwrap();
        assert_eq!(collected, dry_run);
        assert!(kept.exists() && !gone.exists() && !damaged.exists());
        let all = Policy { compile_cache: true, ..Policy::default() };
        assert_eq!(store.collect(&roots, &all).unwrap().compile_caches, 1);
        assert_eq!(fs_err::read_dir(place.path().join(PLACE)).unwrap().count(), 0, "a lock is left");
    }
}
