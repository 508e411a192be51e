//! `strixlock export oci`

use std::path::{Path, PathBuf};

use crate::cli::choices::link_mode;
use crate::cli::{Session, Ui, image};
use crate::error::Result;
use crate::export::oci;
use crate::oci::layout;
use crate::store::{LinkMode, StoredTree, checkout};
use crate::text;

/// Write an image, made from the lock without a container engine
///
/// The image is realized if it is not. Its digest is the same on every machine. Without --output a layout stays where it is
/// in the store, read-only: `skopeo copy oci:PATH containers-storage:NAME` takes it from there; `podman load -i FILE` and
/// `docker load -i FILE` take an archive.
#[derive(Debug, clap::Args)]
pub struct OciArgs {
    /// The output of type image; the only one when none is named
    image: Option<String>,
    /// A directory, or one file
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where to write it [default: the layout in the store; IMAGE.oci.tar]
    #[arg(short, long, value_name = "PATH", value_parser = crate::cli::paths::path())]
    output: Option<PathBuf>,
    /// How files get into a layout
    #[arg(long, value_parser = link_mode(), default_value = "auto", requires = "output")]
    link_mode: LinkMode,
    /// Replace what stands there
    #[arg(short, long)]
    force: bool,
    /// Threads that compress; the image is the same with any number [default: all cores]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// An OCI layout: a directory with index.json and blobs.
    #[default]
    Layout,
    /// The layout as a tar file.
    Archive,
}

pub fn run(args: &OciArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock()?;
    let name = match &args.image {
        Some(name) => name.clone(),
        None => image::only(lock)?,
    };
    let tree = image::realize(session, lock, &name, args.jobs)?;
    let path = match (args.format, &args.output) {
        (Format::Layout, None) => tree.path.clone(),
        (Format::Layout, Some(path)) => {
            checkout(&tree, path, args.link_mode, args.force)?;
            path.clone()
        }
        (Format::Archive, path) => {
            let path = path.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.oci.tar")));
            oci::archive(&tree, &path, args.force, &*ui.progress)?;
            path
        }
    };
    report(ui, &name, &tree, &path)?;
    Ok(0)
}

fn report(ui: &Ui, name: &str, tree: &StoredTree, path: &Path) -> Result<()> {
    let descriptor = layout::manifest(&tree.path)?;
    let manifest = layout::image(&tree.path)?;
    let size = manifest.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
    if ui.is_json() {
        let layers: Vec<_> = manifest
            .layers
            .iter()
            .map(|layer| serde_json::json!({ "digest": layer.digest, "size": layer.size }))
            .collect();
        ui.json(serde_json::json!({
            "image": name, "digest": descriptor.digest, "path": path.display().to_string(), "size": size,
            "layers": layers,
        }));
    } else {
        let layers = if manifest.layers.len() == 1 { "layer" } else { "layers" };
        ui.line(format!("{name}: {} in {} {layers}, {}", text::bytes(size), manifest.layers.len(), path.display()));
        ui.line(descriptor.digest.to_string());
    }
    Ok(())
}
