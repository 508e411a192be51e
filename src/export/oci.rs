//! Images out of the store: as the layout that they are there, or as one archive of it.
//!
//! The digest by which engines and registries know an image is its manifest's, `sha256:` and 64 digits. It follows from the
//! lock; once the image is realized its layout gives it, without network and without an engine.
//!
//! An archive is the layout in a tar file, which podman and skopeo call `oci-archive`, and in it the file that `docker load` wants
//! besides; equal images give equal bytes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::oci::layout;
use crate::progress::{Progress, Unit};
use crate::recipe::Recipe;
use crate::store::{Store, StoredTree};
use crate::tree::confined::Root;
use crate::tree::{ArchiveWriter, Node};

/// The layout of the image that the output `name` of the lock is, if it is realized.
pub fn realized(store: &Store, lock: &Lock, name: &str) -> Result<Option<StoredTree>> {
    let output = lock.output(name)?;
    if !matches!(output.recipe, Recipe::Image(_)) {
        return Err(Error::new(Kind::Usage, format!("`{name}` is a {}, and no image", output.recipe.kind())));
    }
    let found = store.output(output.derivation)?;
    let found = found.filter(|(record, _)| output.tree.is_none_or(|sealed| sealed == record.tree));
    Ok(found.map(|(_, tree)| tree))
}

/// The same of an image that must be there; where it is not, the error says how to make it.
pub fn demand(store: &Store, lock: &Lock, name: &str) -> Result<StoredTree> {
    realized(store, lock, name)?.ok_or_else(|| {
        Error::new(Kind::NotFound, "this image is not realized")
            .about(name)
            .hint(format!("`strixlock realize {name}` makes it"))
    })
}

/// Writes the layout as one archive to `file`, whole or not at all. What stands there is replaced only if `replace`.
pub fn archive(tree: &StoredTree, file: &Path, replace: bool, progress: &dyn Progress) -> Result<()> {
    if !replace && fs_err::symlink_metadata(file).is_ok() {
        return Err(Error::failure("something stands where the archive should go")
            .fact("path", file.display())
            .hint("name another file with --output, or replace it with --force"));
    }
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    let cannot = |error: &std::io::Error| Error::failure(format!("cannot write {}", file.display())).because(error);
    let new = tempfile::Builder::new()
        .prefix(".strixlock-image-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(parent)
        .map_err(|error| cannot(&error))?;
    // What is damaged in the store is told as that.
    let unwritten = |error: Error| match error.kind() {
        Kind::Failure => Error::failure(format!("cannot write {}", file.display()))
            .because(&error)
            .hint("nothing of it was left; free some space, or write it elsewhere with --output"),
        _ => error,
    };
    let (root, listing) = (Root::open(&tree.path)?, tree.listing()?);
    let task = progress.begin("archive", Some(listing.total_size()), Unit::Bytes);
    let mut done = 0;
    let mut archive = ArchiveWriter::new(new.as_file());
    for entry in listing.entries() {
        archive.entry(&entry.path, &root, entry, None).map_err(&unwritten)?;
        if let Node::File { size, .. } = entry.node {
            done += size;
            task.set_position(done);
        }
    }
    archive.file(b"manifest.json", 0o644, &layout::for_docker(&tree.path)?).map_err(&unwritten)?;
    archive.finish().map_err(&unwritten)?;
    new.as_file().sync_all().map_err(|error| cannot(&error))?;
    new.persist(file).map_err(|error| cannot(&error.error))?;
    Ok(fs_err::File::open(parent)?.sync_all()?)
}
