//! The directory of an image, as in OCI's `image-layout.md`.

use std::io::Read as _;
use std::path::Path;

use super::document::{self, CONTAINERD_NAME, Descriptor, INDEX, Index, MANIFEST, Manifest, REF_NAME};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::tree::confined::Root;

/// Longest document of an image that is written or read here, in bytes.
pub const MOST_DOCUMENT: u64 = 4 << 20;

/// The directory with the blobs.
pub const BLOBS: &str = "blobs/sha256";

/// Returns the files of a layout besides its blobs: name and contents. `name` is the image's name in the layout.
pub fn files(manifest: &[u8], name: &str) -> Result<[(&'static str, Vec<u8>); 2]> {
    let mut descriptor = Descriptor::new(MANIFEST, Sha256Digest::of(manifest), manifest.len() as u64);
    descriptor.annotations.insert(REF_NAME.to_owned(), name.to_owned());
    // Docker's containerd does not show an image without it, though it reports that it has loaded one.
    descriptor.annotations.insert(CONTAINERD_NAME.to_owned(), format!("{}:latest", qualified(name)));
    let index = Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests: vec![descriptor] };
    Ok([("index.json", document::write(&index)?), ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())])
}

/// Returns the name by which engines on this machine know an image: they would look up a name without a registry in
/// registries, and podman's own images are in `localhost`.
#[must_use]
pub fn qualified(name: &str) -> String {
    let has_host = name.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost");
    if has_host { name.to_owned() } else { format!("localhost/{name}") }
}

/// Returns the file by which a Docker that does not know layouts finds the parts of the image in an archive of the
/// layout at `directory` (`manifest.json` of <https://github.com/moby/docker-image-spec>, chapter "Combined Image
/// JSON").
pub fn for_docker(directory: &Path) -> Result<Vec<u8>> {
    let name: Vec<String> = manifest(directory)?.annotations.remove(CONTAINERD_NAME).into_iter().collect();
    let image = image(directory)?;
    let path = |blob: &Descriptor| format!("{BLOBS}/{}", blob.digest.hex());
    let layers: Vec<String> = image.layers.iter().map(path).collect();
    document::write(&[serde_json::json!({ "Config": path(&image.config), "RepoTags": name, "Layers": layers })])
}

/// Reads the descriptor of the one manifest of the layout at `directory`. Its digest is the image's.
pub fn manifest(directory: &Path) -> Result<Descriptor> {
    let index: Index = document::read(&read(directory, "index.json")?, "image index")?;
    let mut manifests = index.manifests.into_iter();
    match (manifests.next(), manifests.next()) {
        (Some(one), None) => Ok(one),
        _ => {
            Err(Error::new(Kind::Damaged, "expected exactly one image in the layout").fact("path", directory.display()))
        }
    }
}

/// Reads configuration and layers of the image in the layout at `directory`.
pub fn image(directory: &Path) -> Result<Manifest> {
    let digest = manifest(directory)?.digest;
    let bytes = read(directory, &format!("{BLOBS}/{}", digest.hex()))?;
    if Sha256Digest::of(&bytes) != digest {
        return Err(Error::new(Kind::Damaged, "the manifest of an image is damaged").fact("expected", digest));
    }
    document::read(&bytes, "image manifest")
}

fn read(directory: &Path, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Root::open(directory)?.open_file(name.as_bytes())?.take(MOST_DOCUMENT).read_to_end(&mut bytes)?;
    Ok(bytes)
}
