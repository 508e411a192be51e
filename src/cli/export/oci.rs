//! `strixlock export oci`

use std::path::{Path, PathBuf};

use crate::cli::choices::{BuildArgs, link_mode};
use crate::cli::{Session, Ui, image};
use crate::error::Result;
use crate::export::oci;
use crate::oci::layout;
use crate::store::{LinkMode, StoredTree, checkout};
use crate::text;

/// Write an OCI image, built without a container engine
///
/// Realizes the image first if necessary. Its digest is the same on every machine. Without --output, prints the path of
/// the read-only layout in the store, for `skopeo copy oci:PATH containers-storage:NAME`. Load an archive with `podman
/// load -i FILE` or `docker load -i FILE`.
#[derive(Debug, clap::Args)]
pub struct OciArgs {
    /// Output of type image [default: the only one in the lock]
    #[arg(value_name = "OUTPUT")]
    image: Option<String>,
    /// Directory or single file
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Path to write [default: the layout in the store; OUTPUT.oci.tar for an archive]
    #[arg(short, long, value_name = "PATH", value_parser = crate::cli::paths::path())]
    output: Option<PathBuf>,
    /// Method of copying files into a layout
    #[arg(long, value_parser = link_mode(), default_value = "auto", requires = "output")]
    link_mode: LinkMode,
    /// Replace what exists at that path
    #[arg(short, long)]
    force: bool,
    /// Compress with N threads; the result does not depend on N [default: one per core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    build: BuildArgs,
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
    let tree = image::realize(session, lock, &name, args.jobs, &args.build)?;
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
