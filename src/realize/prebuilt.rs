//! Makes `prebuilt` outputs: programs that others built, each looked up in the pinned ROCm.

use std::path::Path;

use serde_json::json;

use super::Realizer;
use super::build_record::{ABOUT, LOG, needed};
use super::execute::Made;
use crate::digest::DerivationId;
use crate::elf::{Elf, ElfKind};
use crate::error::{About as _, Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::manifest::known_edges;
use crate::recipe::prebuilt::{layout, library_series, moves, pinned_range};
use crate::recipe::{PrebuiltRecipe, Recipe};
use crate::store::StoredTree;
use crate::tree::path::parent;
use crate::tree::{Listing, Node, show};
use crate::trim::{self, trim};

impl Realizer<'_> {
    /// Puts the files of an archive to their places. With ROCm, fails if a program needs a library of ROCm that the
    /// pinned one does not have.
    pub(crate) fn prebuilt(&self, derivation: DerivationId, recipe: &PrebuiltRecipe) -> Result<Made> {
        let store = self.intake.store;
        let archive = self.demand_intact(&recipe.input, self.input_tree(&recipe.input)?)?;
        let published = archive.listing()?;
        let listing = layout(&published)?;
        let staging = store.stage_from_blobs(&listing)?;
        fs_err::write(staging.path().join(LOG), log(&published)?)?;
        fs_err::write(staging.path().join(ABOUT), self.about(recipe, &staging.path().join("tree"), &listing))?;
        let tree = StoredTree { digest: listing.digest(), path: staging.path().join("tree") };
        let mut named = self.lock.outputs.iter().filter(|(_, output)| output.derivation == derivation);
        let name = named.next().map_or("prebuilt", |(name, _)| name);
        let programs = programs(&tree, &listing).about(name)?;
        if let Some(rocm) = &recipe.rocm {
            self.demand_libraries(recipe, rocm, (&tree, &listing), &programs).about(name)?;
        }
        Ok(Made::Staged(staging, listing))
    }

    /// Returns the record of an output: which release it is, and what its files need.
    fn about(&self, recipe: &PrebuiltRecipe, tree: &Path, listing: &Listing) -> Vec<u8> {
        let mut about = json!({ "needed": needed(tree, listing) });
        if let Some(LockedInput::Release(block)) = self.lock.inputs.get(&recipe.input) {
            let pin = &block.locked;
            about["repository"] = block.requested.url.as_str().into();
            about["release"] = pin.tag.as_str().into();
            about["commit"] = pin.commit.as_str().into();
            about["number"] = pin.number.into();
            about["archive"] = pin.file.as_str().into();
            about["sha256"] = pin.sha256.to_string().into();
            about["made_for_rocm"] = pin.rocm.as_ref().map(ToString::to_string).into();
        }
        // Strings and numbers always serialize.
        serde_json::to_vec_pretty(&about).unwrap_or_default()
    }

    /// Fails if a program needs a library of ROCm that the output `rocm` does not have.
    fn demand_libraries(
        &self,
        recipe: &PrebuiltRecipe,
        rocm: &str,
        (tree, listing): (&StoredTree, &Listing),
        programs: &[String],
    ) -> Result<()> {
        let (prefix, target) = self.rocm_settings(rocm)?;
        let whole = self.demand_intact(rocm, self.output_tree(rocm)?)?;
        let whole_listing = whole.listing()?;
        let sysroot = recipe.sysroot.as_ref().map(|name| self.output_tree(name)).transpose()?;
        let sysroot_listing = sysroot.as_ref().map(StoredTree::listing).transpose()?;
        let base = sysroot.as_ref().zip(sysroot_listing.as_ref());
        let request = trim::Request {
            rocm: trim::Mounted { dir: &whole.path, listing: &whole_listing, prefix },
            llama: trim::Mounted { dir: &tree.path, listing, prefix: &recipe.prefix },
            roots: programs,
            targets: std::slice::from_ref(target),
            edges: known_edges()?,
            base: base.map(|(tree, listing)| trim::Mounted { dir: &tree.path, listing, prefix: "" }),
        };
        trim(&request).map(drop).map_err(|error| self.with_series(error, rocm, recipe))
    }

    /// Returns the roots of a runtime: those of its recipe and, for programs that others built, all others too. Nobody
    /// has seen them run together with this ROCm.
    pub(super) fn roots(
        &self,
        engine: &str,
        tree: &StoredTree,
        listing: &Listing,
        wanted: &[String],
    ) -> Result<Vec<String>> {
        let mut roots = wanted.to_vec();
        if self.is_prebuilt(engine) {
            let others = programs(tree, listing)?;
            roots.extend(others.into_iter().filter(|program| !wanted.contains(program)));
        }
        Ok(roots)
    }

    /// Returns true if an output was built by others.
    pub(super) fn is_prebuilt(&self, engine: &str) -> bool {
        matches!(self.lock.outputs.get(engine).map(|output| &output.recipe), Some(Recipe::Prebuilt(_)))
    }

    /// Adds to the error for a library that an engine lacks which series of ROCm has it, if others built the engine.
    pub(super) fn with_series_of(&self, error: Error, rocm: &str, engine: &str) -> Error {
        match self.lock.outputs.get(engine).map(|output| &output.recipe) {
            Some(Recipe::Prebuilt(recipe)) => self.with_series(error, rocm, recipe),
            _ => error,
        }
    }

    fn with_series(&self, mut error: Error, rocm: &str, recipe: &PrebuiltRecipe) -> Error {
        let Some(missing) = error.facts().find(|(label, _)| *label == "missing").map(|(_, name)| name.to_owned())
        else {
            return error;
        };
        let made_for = match self.lock.inputs.get(&recipe.input) {
            Some(LockedInput::Release(block)) => block.locked.rocm.clone(),
            _ => None,
        };
        let known = library_series(&missing);
        if let Some(library) = known {
            error = error.fact("in ROCm", &library.series);
        }
        if let Some(series) = &made_for {
            error = error.fact("made for", format!("ROCm {series}"));
        }
        let Some((published, _)) = self.lock.published_rocm(rocm) else { return error };
        let input = &published.input;
        if let Some(pin) = self.lock.inputs.get(input) {
            error = error.fact("pinned", format!("ROCm {}", pin.version()));
        }
        let range = made_for.as_ref().and_then(pinned_range).or_else(|| Some(known?.range.clone()));
        let ask = range.map_or_else(
            || "another ROCm".to_owned(),
            |range| format!("a ROCm that has it, such as `version = \"{range}\"` in input `{input}`"),
        );
        error.hint(format!("pin {ask}; or name an archive for the pinned ROCm in input `{}`", recipe.input))
    }
}

/// Returns the log: which files of the archive were put elsewhere.
fn log(archive: &Listing) -> Result<String> {
    let lines = moves(archive)?.into_iter().map(|(from, to)| format!("{} -> {}\n", show(&from), show(&to)));
    Ok(format!("unpacked, not built; every file was taken as it is\n{}", lines.collect::<String>()))
}

/// Returns the names of the ELF programs in `bin`. Fails if one is for another processor.
fn programs(tree: &StoredTree, listing: &Listing) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in listing.entries() {
        let name = entry.path.strip_prefix(b"bin/").and_then(|name| std::str::from_utf8(name).ok());
        let is_file = matches!(entry.node, Node::File { executable: true, .. }) && parent(&entry.path) == b"bin";
        let Some(name) = name.filter(|_| is_file) else { continue };
        match Elf::open(&tree.path.join("bin").join(name))? {
            Some(Elf::Native(file)) if file.kind == ElfKind::Executable => all.push(name.to_owned()),
            Some(Elf::Foreign { bits, machine, .. }) if !name.contains(".so") => {
                return Err(Error::new(Kind::Invalid, "a program of the archive is for another processor")
                    .fact("program", name)
                    .fact("is for", format!("{bits}-bit {machine}"))
                    .hint("`asset` of the input must name an archive for Linux on x86-64"));
            }
            _ => {}
        }
    }
    Ok(all)
}
