//! Labels of an image: versions and sources of its parts, from the lock.
//!
//! Names are those of OCI's `annotations.md` if it has one. URLs of archives and mirrors are left out: the same bytes
//! from elsewhere give the same image.

use std::collections::BTreeMap;

use super::rocm::published_rocm;
use crate::gfx::GfxTarget;
use crate::inputs::LockedInput;
use crate::recipe::{ImageRecipe, Layer, Recipe};

/// The label with the derivation id of the image, as `strixlock lock digest NAME` prints it. It covers all parts of the
/// lock that the image is made from.
pub const LOCK_DIGEST: &str = "io.strixlock.lock-digest";

/// Most layers that a label names; a circle of outputs is refused elsewhere.
const MOST_LAYERS: usize = 256;

/// Returns the labels of an image without [`LOCK_DIGEST`]; `output` finds the recipe of an output.
#[must_use]
pub fn labels<'l>(
    image: &ImageRecipe,
    inputs: &BTreeMap<String, LockedInput>,
    output: impl Fn(&str) -> Option<&'l Recipe>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: String| drop(all.insert(name.to_owned(), value));
    let mut parts = Vec::new();
    let llama = image.llama.as_deref().and_then(&output);
    if let Some(Recipe::Llama(recipe)) = llama
        && let Some(LockedInput::Git(block)) = inputs.get(&recipe.source)
    {
        let pin = &block.locked;
        set("org.opencontainers.image.source", pin.url.clone());
        set("org.opencontainers.image.revision", pin.commit.clone());
        set("io.strixlock.llama.version", format!("b{}", pin.number));
        set("io.strixlock.llama.backend", recipe.backend.name().to_owned());
        parts.push(format!("llama.cpp b{}", pin.number));
    } else if let (Some(Recipe::CMake(recipe)), Some(name)) = (llama, &image.llama)
        && let Some(input) = inputs.get(&recipe.source)
    {
        if let LockedInput::Git(block) = input {
            set("org.opencontainers.image.source", block.locked.url.clone());
            set("org.opencontainers.image.revision", block.locked.commit.clone());
        }
        set("io.strixlock.engine.name", name.clone());
        set("io.strixlock.engine.version", input.version());
        parts.push(format!("{name} {}", input.short_version()));
    }
    if let Some(Recipe::Prebuilt(recipe)) = llama
        && let Some(LockedInput::Release(block)) = inputs.get(&recipe.input)
    {
        let pin = &block.locked;
        set("org.opencontainers.image.source", block.requested.url.clone());
        set("org.opencontainers.image.revision", pin.commit.clone());
        set("io.strixlock.llama.version", pin.number.map_or_else(|| pin.tag.clone(), |number| format!("b{number}")));
        set("io.strixlock.llama.prebuilt", pin.file.clone());
        set("io.strixlock.llama.digest", pin.sha256.to_string());
        parts.push(format!("llama.cpp {}", pin.names()));
    }
    let runtime = image.runtime.as_deref().and_then(&output);
    let rocm = runtime.and_then(Recipe::rocm).or(image.rocm.as_deref());
    if let Some(rocm) = rocm
        && let Some((_, block)) = published_rocm(inputs, &output, rocm)
    {
        // An engine that its recipe names no GPU for is for that of the tree.
        let named = llama.map(Recipe::gpus).filter(|named| !named.is_empty());
        let targets = named.unwrap_or(std::slice::from_ref(&block.requested.target));
        let targets = targets.iter().map(GfxTarget::as_str).collect::<Vec<_>>().join(", ");
        let layers = layers(rocm, &output);
        if !layers.is_empty() {
            set("io.strixlock.rocm.overlay", layers.join(", "));
        }
        let pin = &block.locked;
        set("io.strixlock.rocm.version", pin.version.to_string());
        set("io.strixlock.rocm.source", pin.file.clone());
        set("io.strixlock.rocm.digest", pin.sha256.to_string());
        set("io.strixlock.rocm.target", targets.clone());
        if let Some(therock) = &pin.therock {
            set("io.strixlock.rocm.revision", therock.commit.clone());
        }
        parts.push(format!("ROCm {} for {targets}", pin.version));
    }
    if let Some(Recipe::Vulkan(recipe)) = runtime {
        set("io.strixlock.vulkan.drivers", recipe.drivers.join(", "));
        parts.push(format!("Vulkan with {}", recipe.drivers.join(", ")));
    }
    let base = match image.base.as_deref().and_then(&output) {
        Some(Recipe::Sysroot(recipe)) => recipe.packages.as_ref().or(recipe.image.as_ref()),
        _ => image.from.as_ref(),
    };
    match base.and_then(|name| inputs.get(name)) {
        Some(LockedInput::Debs(block)) => set("io.strixlock.base.packages", block.locked.version()),
        Some(LockedInput::Oci(block)) => {
            set("org.opencontainers.image.base.name", block.requested.image.to_string());
            set("org.opencontainers.image.base.digest", block.locked.manifest.digest.to_string());
        }
        _ => {}
    }
    set("org.opencontainers.image.title", image.name.clone());
    if !parts.is_empty() {
        set("org.opencontainers.image.version", parts.join(", "));
    }
    all
}

/// Returns the layers over the published tree of a ROCm output, the lowest first.
fn layers<'l>(rocm: &str, output: &impl Fn(&str) -> Option<&'l Recipe>) -> Vec<String> {
    let (mut all, mut at) = (Vec::new(), output(rocm));
    while let Some(Recipe::Overlay(over)) = at
        && all.len() < MOST_LAYERS
    {
        all.splice(0..0, over.layers.iter().map(Layer::called));
        at = output(&over.base);
    }
    all
}
