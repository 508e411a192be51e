//! Runs the `image` recipe: makes an OCI layout of layers, configuration and manifest.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Realizer;
use super::base_tree::BaseTree;
use super::execute::Made;
use super::layers::{LayerParts, Layers};
use crate::digest::Sha256Digest;
use crate::error::{About as _, Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::inputs::oci::oci_base;
use crate::lock::{LOCK_DIGEST, LockedOutput, labels};
use crate::oci::document::{self, CONFIG, History, ImageConfig, MANIFEST, RootFs};
use crate::oci::{Descriptor, Inherited, Layer, Manifest, layer_kind, layout};
use crate::recipe::image::{CREATED, MODES, Prefixes, SET_UP};
use crate::recipe::{ImageRecipe, Recipe, base_files};
use crate::threads::cores;
use crate::tree::confined::seal_file;
use crate::tree::{Entry, Listing, Node};

/// First line of a certificate.
const PEM: &str = "-----BEGIN CERTIFICATE-----";

/// Largest file of certificates, in bytes. That of a distribution has a quarter of it.
const MOST_CERTIFICATES: u64 = 1 << 20;

impl Realizer<'_> {
    /// Makes an image. With `anew`, compresses or checks again the layers that the store has.
    pub(crate) fn image(&self, locked: &LockedOutput, recipe: &ImageRecipe, anew: bool) -> Result<Made> {
        let prefixes = recipe.prefixes(|name| self.lock.outputs.get(name).map(|output| &output.recipe));
        let base = recipe.from.as_ref().map(|name| self.base_image(name, anew)).transpose()?;
        let mut said = labels(recipe, &self.lock.inputs, |name| self.lock.outputs.get(name).map(|one| &one.recipe));
        said.insert(LOCK_DIGEST.to_owned(), locked.derivation.to_string());
        if let Some((name, (_, run))) = recipe.from.as_ref().zip(base.as_ref()) {
            self.judge_base(name, recipe, run, &said)?;
        }
        let parts = self.layer_parts(recipe, prefixes)?;
        let staging = self.intake.store.stage()?;
        let mut image = LayoutFiles::new(staging.path().join("tree"))?;
        let layers = Layers {
            store: self.intake.store,
            progress: self.intake.fetcher.progress(),
            compression: recipe.compression,
            threads: self.settings.jobs.map_or_else(cores, usize::from) as u32,
            anew,
        };
        let mut stack = Stack::default();
        for (layer, file) in base.iter().flat_map(|(layers, _)| layers) {
            image.link(file, &layer.blob)?;
            stack.put("base image", layer.clone());
        }
        for (called, part) in &parts {
            let made = layers.layer(called, part).about(called.as_str())?;
            image.link(&made.file, &made.layer.blob)?;
            stack.put(called, made.layer);
        }
        let config = document::write(&ImageConfig {
            created: Some(CREATED.to_owned()),
            architecture: self.architecture(recipe),
            os: "linux".to_owned(),
            config: recipe.config(prefixes, said.clone(), base.map(|(_, run)| run.config).unwrap_or_default()),
            rootfs: RootFs { r#type: "layers".to_owned(), diff_ids: stack.diff_ids },
            history: stack.history,
        })?;
        let config = image.blob(CONFIG, &config)?;
        let manifest = document::write(&Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config,
            layers: stack.blobs,
            annotations: said,
        })?;
        image.blob(MANIFEST, &manifest)?;
        for (name, contents) in layout::files(&manifest, &recipe.name)? {
            image.file(name, &contents)?;
        }
        Ok(Made::Staged(staging, image.listing()))
    }

    /// Returns layers and configuration of an input that is a base image.
    fn base_image(&self, name: &str, anew: bool) -> Result<(Vec<(Layer, PathBuf)>, Inherited)> {
        let pin = self.image_pin(name)?;
        let image = oci_base(self.intake, name, pin, anew)?;
        let mut layers = Vec::new();
        for (layer, file) in pin.layers.iter().zip(image.layers) {
            let media_type = layer_kind(&layer.media_type)?.media_type();
            let blob = Descriptor::new(media_type, layer.digest, layer.size);
            layers.push((Layer { blob, diff_id: layer.diff_id }, file));
        }
        Ok((layers, image.config.run))
    }

    /// Fails if the image inherits a malformed field of the base image. Notes malformed fields that it does not
    /// inherit.
    fn judge_base(
        &self,
        name: &str,
        recipe: &ImageRecipe,
        run: &Inherited,
        said: &BTreeMap<String, String>,
    ) -> Result<()> {
        if let Some(odd) = recipe.lacks(run, said) {
            let hint = match odd.field {
                "User" => "set `user` in the output, or use another base image",
                "Entrypoint" | "Cmd" => "set `llama` and `program` in the output, or use another base image",
                "Labels" if odd.entry.is_some() => "set this label in the output's `labels`, or use another base image",
                _ => "use another base image, or fix the field where this one is built",
            };
            return Err(Error::new(Kind::Invalid, "malformed field in the configuration of the base image")
                .fact("field", odd.describe())
                .hint(hint)
                .about(name));
        }
        if let Some(told) = run.describe() {
            self.intake.fetcher.progress().note(&format!("{name}: {told}"));
        }
        Ok(())
    }

    /// Returns the parts that become one layer each above a base image, the lowest first, with their names in the
    /// history.
    fn layer_parts<'p>(&self, recipe: &ImageRecipe, prefixes: Prefixes<'p>) -> Result<Vec<(String, LayerParts<'p>)>> {
        let mut parts = Vec::new();
        let mut files = BTreeMap::new();
        if let Some(name) = &recipe.base {
            let tree = self.output_tree(name)?;
            files = base_files::missing_files(&BaseTree::open(&tree)?, &self.certificates(recipe)?)?;
            parts.push(("base".to_owned(), LayerParts::Tree { tree, prefix: "", modes: MODES }));
        }
        let vulkan = prefixes.vulkan.map(|vulkan| vulkan.prefix);
        let runtime = if vulkan.is_some() { "Vulkan runtime" } else { "ROCm runtime" };
        for (called, name, prefix) in [
            ("ROCm", &recipe.rocm, prefixes.rocm),
            (runtime, &recipe.runtime, vulkan.or(prefixes.rocm)),
            ("llama.cpp", &recipe.llama, prefixes.llama),
        ] {
            if let Some((name, prefix)) = name.as_ref().zip(prefix) {
                let (tree, prefix) = (self.output_tree(name)?, prefix.trim_start_matches('/'));
                parts.push((called.to_owned(), LayerParts::Tree { tree, prefix, modes: &[] }));
            }
        }
        let profile = base_files::profile(&recipe.variables(prefixes));
        base_files::put(&mut files, "etc/profile.d/strixlock.sh", profile);
        if recipe.is_toolbox() {
            base_files::put(&mut files, SET_UP, Vec::new());
        }
        parts.push(("configuration".to_owned(), LayerParts::Small(files)));
        Ok(parts)
    }

    /// Returns the certificates that an image trusts besides those of its base.
    fn certificates(&self, recipe: &ImageRecipe) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        for name in &recipe.certificates {
            let LockedInput::File(block) = self.input(name)? else {
                return Err(Error::new(Kind::Invalid, format!("`{name}` is not a file")));
            };
            let mut text = Vec::new();
            let path = self.intake.store.download_path(block.locked.sha256);
            fs_err::File::open(path)?.take(MOST_CERTIFICATES + 1).read_to_end(&mut text)?;
            let is_pem = std::str::from_utf8(&text).is_ok_and(|text| text.lines().any(|line| line == PEM));
            if !is_pem || text.len() as u64 > MOST_CERTIFICATES {
                return Err(Error::new(Kind::Invalid, "not a file of certificates in PEM form")
                    .about(name)
                    .fact("expected", PEM)
                    .hint("`openssl x509 -inform DER -in FILE` prints the PEM form of one in DER form"));
            }
            all.extend(text);
            if !all.ends_with(b"\n") {
                all.push(b'\n');
            }
        }
        Ok(all)
    }

    /// Returns the architecture of the base by its Go name, which distributions share for this one.
    fn architecture(&self, recipe: &ImageRecipe) -> String {
        let base = recipe.base.as_ref().and_then(|name| self.lock.outputs.get(name)).map(|output| &output.recipe);
        let input = match base {
            Some(Recipe::Sysroot(sysroot)) => sysroot.packages.as_ref().or(sysroot.image.as_ref()),
            _ => recipe.from.as_ref(),
        };
        match input.and_then(|name| self.lock.inputs.get(name)) {
            Some(LockedInput::Debs(block)) => block.requested.architecture.clone(),
            Some(LockedInput::Oci(block)) => block.requested.architecture.clone(),
            _ => "amd64".to_owned(),
        }
    }
}

/// The layers of an image, the lowest first, as they appear in its documents.
#[derive(Default)]
struct Stack {
    blobs: Vec<Descriptor>,
    diff_ids: Vec<Sha256Digest>,
    history: Vec<History>,
}

impl Stack {
    fn put(&mut self, called: &str, layer: Layer) {
        self.blobs.push(layer.blob);
        self.diff_ids.push(layer.diff_id);
        self.history.push(History {
            created: Some(CREATED.to_owned()),
            created_by: Some(format!("strixlock: {called}")),
            empty_layer: false,
        });
    }
}

/// The files of an OCI layout in a staging directory, with the entries of their listing.
struct LayoutFiles {
    tree: PathBuf,
    entries: Vec<Entry>,
}

impl LayoutFiles {
    fn new(tree: PathBuf) -> Result<Self> {
        fs_err::create_dir_all(tree.join(layout::BLOBS))?;
        let directory = |path: &str| Entry { path: path.into(), node: Node::Directory };
        Ok(Self { tree, entries: vec![directory("blobs"), directory(layout::BLOBS)] })
    }

    /// Adds a blob by a hard link to a file of the store.
    fn link(&mut self, file: &Path, blob: &Descriptor) -> Result<()> {
        let path = format!("{}/{}", layout::BLOBS, blob.digest.hex());
        // An image may have the same layer twice.
        if !self.tree.join(&path).exists() {
            fs_err::hard_link(file, self.tree.join(&path))?;
            self.enter(&path, blob.size, blob.digest);
        }
        Ok(())
    }

    /// Adds a document as a blob. Returns its descriptor.
    fn blob(&mut self, media_type: &str, contents: &[u8]) -> Result<Descriptor> {
        let digest = Sha256Digest::of(contents);
        self.file(&format!("{}/{}", layout::BLOBS, digest.hex()), contents)?;
        Ok(Descriptor::new(media_type, digest, contents.len() as u64))
    }

    fn file(&mut self, path: &str, contents: &[u8]) -> Result<()> {
        let place = self.tree.join(path);
        fs_err::write(&place, contents)?;
        seal_file(fs_err::File::open(&place)?.file(), 0o444)?;
        self.enter(path, contents.len() as u64, Sha256Digest::of(contents));
        Ok(())
    }

    fn enter(&mut self, path: &str, size: u64, digest: Sha256Digest) {
        self.entries.push(Entry { path: path.into(), node: Node::File { executable: false, size, digest } });
    }

    fn listing(self) -> Listing {
        Listing::new(self.entries)
    }
}
