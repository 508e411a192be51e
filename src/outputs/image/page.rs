//! An image in REPRODUCIBLE.md.

use std::fmt::Write as _;

use crate::oci::layout;
use crate::page::fact;
use crate::recipe::ImageRecipe;
use crate::recipe::image::CREATED;
use crate::report::{Fact, Found};

/// Writes the contents of the image, and its program.
pub(super) fn image(page: &mut String, recipe: &ImageRecipe) {
    let _ = writeln!(
        page,
        "An OCI image, as a layout: a layer each of the following, in this order, and one of configuration. Entries \
         stand in the order of their paths, with owner 0:0 and time {CREATED}; layers are compressed with {}.\n",
        recipe.compression.name()
    );
    for (label, name) in [
        ("base", &recipe.base),
        ("base image", &recipe.from),
        ("ROCm", &recipe.rocm),
        ("runtime", &recipe.runtime),
        ("engine", &recipe.llama),
    ] {
        if let Some(name) = name {
            fact(page, label, name);
        }
    }
    for name in &recipe.certificates {
        fact(page, "trusts", &format!("the certificates of input {name}, besides those of the base"));
    }
    if let Some(program) = &recipe.program {
        fact(page, "runs", program);
    }
    for (name, value) in &recipe.environment {
        fact(page, name, value);
    }
    let _ = writeln!(page, "\nThe tree is that of the image's layout, not the digest that podman and skopeo show.");
}

/// Labels of the facts about a realized image.
pub(super) const LABELS: [&str; 1] = ["manifest"];

/// Returns the digest of the image's manifest, which podman and skopeo show.
pub(super) fn facts(found: &Found) -> Vec<Fact> {
    let manifest = layout::manifest(&found.tree.path);
    manifest
        .map(|manifest| vec![Fact { label: LABELS[0], values: vec![manifest.digest.to_string()] }])
        .unwrap_or_default()
}

/// Returns the command that prints the digest of the manifest.
pub(super) fn checks(place: &str, fact: &dyn Fn(&str) -> Option<Vec<String>>) -> Vec<String> {
    let digests = fact(LABELS[0]).unwrap_or_default();
    digests.iter().map(|digest| format!("grep -o 'sha256:[0-9a-f]*' {place}/index.json   # {digest}")).collect()
}
