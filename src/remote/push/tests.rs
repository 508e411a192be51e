//! Pushes while somebody else removes what they need.

use super::*;
use crate::digest::DerivationId;
use crate::progress::Silent;
use crate::remote::layout::Layout;
use crate::remote::layout::memory::Memory;
use crate::tree::scan::scan;

/// A store, and a remote whose files cannot be locked, as those of a bucket.
struct Place {
    store: Store,
    remote: Memory,
    _directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap();
        Self { store, remote: Memory::default(), _directory: directory }
    }

    /// Pushes a tree with these files.
    fn push(&self, files: &[(&str, &[u8])]) -> Result<Sent> {
        let staging = self.store.stage().unwrap();
        let top = staging.path().join("tree");
        fs_err::create_dir(&top).unwrap();
        for (name, bytes) in files {
            fs_err::write(top.join(name), bytes).unwrap();
        }
        let tree = self.store.publish_tree(&staging, &scan(&top).unwrap()).unwrap();
        let derivation = DerivationId(tree.digest.0);
        let about = About { name: "rocm".to_owned(), ..About::default() };
        push(&Layout::new(&self.remote), &self.store, &[Outgoing { about, derivation, tree }], "{}", &Silent)
    }

    /// Returns the path of the largest file of the remote: the pack of the first push.
    fn pack(&self) -> String {
        let files = self.remote.files.lock().unwrap();
        files.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap().0.clone()
    }

    fn gc(&self) -> Result<()> {
        super::super::gc(&Layout::new(&self.remote), 1, false).map(drop)
    }

    #[track_caller]
    fn is_whole(&self) {
        let directory = tempfile::tempdir().unwrap();
        let verified = super::super::verify(&Layout::new(&self.remote), directory.path(), &Silent).unwrap();
        assert_eq!(verified.faults, []);
    }
}

/// Returns a text that does not become much shorter by compression.
fn noise() -> Vec<u8> {
    (0_u32..2000).flat_map(|number| Sha256Digest::of(&number.to_le_bytes()).hex().into_bytes()).collect()
}

#[test]
fn packs_that_are_removed_during_a_push_are_told_and_sent_by_the_next() {
    let place = Place::new();
    let large = noise();
    let first = place.push(&[("large", &large)]).unwrap();
    let pack = place.pack();
    // The tree's manifest is there, and the pack that it shares with the first push is gone.
    place.remote.meanwhile("index.json", move |files| drop(files.remove(&pack)));
    let error = place.push(&[("large", &large), ("new", b"new")]).unwrap_err();
    assert_eq!(error.kind(), Kind::Busy, "{error}");
    let sent = place.push(&[("large", &large), ("new", b"new")]).unwrap();
    assert_eq!(sent.bytes, first.bytes);
    place.gc().unwrap();
    place.is_whole();
}

#[test]
fn a_collection_says_that_a_push_came_between() {
    let place = Place::new();
    let large = noise();
    place.push(&[("large", &large)]).unwrap();
    let (pack, before) = (place.pack(), place.remote.files.lock().unwrap().clone());
    place.push(&[("large", &large), ("new", b"new")]).unwrap();
    let pushed = std::mem::replace(&mut *place.remote.files.lock().unwrap(), before);
    place.push(&[("other", b"other")]).unwrap();
    // The first push is removed; when its pack is gone, the index has the push that found the pack a moment ago.
    let without = pack.clone();
    place.remote.meanwhile(&pack, move |files| files.extend(pushed.into_iter().filter(|(path, _)| *path != without)));
    let error = place.gc().unwrap_err();
    assert_eq!(error.kind(), Kind::Busy, "{error}");
    assert!(error.to_string().contains("`strixlock push`"), "{error}");
}
