//! Images from the store, as an OCI layout or as an archive of it.
//!
//! Engines and registries identify an image by the digest of its manifest. It follows from the lock, and is read from
//! the layout of a realized image, without network and without an engine.
//!
//! An archive is a tar file of the layout, which podman and skopeo call `oci-archive`, with the additional file that
//! `docker load` needs. Equal images give equal bytes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::oci::layout;
use crate::progress::{Doing, Progress, Unit};
use crate::recipe::Recipe;
use crate::store::{Store, StoredTree};
use crate::tree::confined::Root;
use crate::tree::{ArchiveWriter, Node};

/// Returns the layout of the image output `name`, if it is realized. Fails if that is not an image.
pub fn realized(store: &Store, lock: &Lock, name: &str) -> Result<Option<StoredTree>> {
    let output = lock.output(name)?;
    if !matches!(output.recipe, Recipe::Image(_)) {
        return Err(Error::new(Kind::Usage, format!("`{name}` is not an image but a {}", output.recipe.kind())));
    }
    let found = store.output(output.derivation)?;
    let found = found.filter(|(record, _)| output.tree.is_none_or(|sealed| sealed == record.tree));
    Ok(found.map(|(_, tree)| tree))
}

/// Returns the layout of the image output `name`. Fails with a hint if it is not realized.
pub fn demand(store: &Store, lock: &Lock, name: &str) -> Result<StoredTree> {
    realized(store, lock, name)?.ok_or_else(|| {
        Error::new(Kind::NotFound, "the image is not realized")
            .about(name)
            .hint(format!("`strixlock realize {name}` makes it"))
    })
}

/// Writes the layout as an archive to `file`, atomically. Replaces an existing file only if `replace` is set.
pub fn archive(tree: &StoredTree, file: &Path, replace: bool, progress: &dyn Progress) -> Result<()> {
    if !replace && fs_err::symlink_metadata(file).is_ok() {
        return Err(Error::failure("the archive file already exists")
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
    // Damage in the store is reported as damage, not as a failure to write.
    let unwritten = |error: Error| match error.kind() {
        Kind::Failure => Error::failure(format!("cannot write {}", file.display()))
            .because(&error)
            .hint("no partial file was left; free some space, or choose another path with --output"),
        _ => error,
    };
    let (root, listing) = (Root::open(&tree.path)?, tree.listing()?);
    let task = progress.begin(Doing::Pack, "the image", Some(listing.total_size()), Unit::Bytes);
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
