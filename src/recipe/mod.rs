//! Recipes: how an output is made from inputs and other outputs. Manifest and lock hold them in the same form.
//!
//! A recipe is hashed, with the digests of all that it uses, into the derivation id: two outputs with equal ids are
//! made from the same things in the same way. This module does not decide when a recipe is run.

pub mod base_files;
pub mod build;
pub mod cmake;
pub mod image;
mod kind;
pub mod llama;
pub mod model;
pub mod overlay;
pub mod prebuilt;
pub mod rocm;
pub mod runtime;
pub mod sysroot;
pub mod vulkan;

use serde::{Deserialize, Serialize};

use crate::gfx::GfxTarget;
use crate::inputs::InputKind;

pub use build::CMakeBuild;
pub use cmake::CMakeRecipe;
pub use image::ImageRecipe;
pub use kind::{BuildRoot, Origin, OutputKind, OutputRole};
pub use llama::{Backend, LlamaRecipe};
pub use model::ModelRecipe;
pub use overlay::{Layer, OverlayRecipe};
pub use prebuilt::PrebuiltRecipe;
pub use rocm::RocmRecipe;
pub use runtime::{Edge, RuntimeRecipe, Target};
pub use sysroot::SysrootRecipe;
pub use vulkan::VulkanRecipe;

/// Returns true if a recipe that needs an input of kind `wanted` accepts one of kind `found`. A model may be any file. A
/// layer may be the tree of an unpacked file, of a commit or of a release.
#[must_use]
pub fn fits(wanted: InputKind, found: InputKind) -> bool {
    use InputKind::{Directory, File, Git, Huggingface, Release};
    wanted == found || matches!((wanted, found), (Huggingface, File) | (Directory, Git | File | Release))
}

/// Most outputs that are laid over each other. Two are usual.
const MOST_BASES: usize = 64;

/// Defines, from one list of all kinds of outputs, the enum of them and the two macros that call each kind.
///
/// `each_output!(recipe, it => it.inputs())` evaluates the expression with the recipe of an output of any kind.
/// `each_kind!(Kind => Kind::NAME)` evaluates it for the type of every kind. The first token is `$`, because a macro
/// cannot write a `$` of its own into the macros that it defines.
macro_rules! output_kinds {
    ($dollar:tt $($(#[$doc:meta])* $kind:ident($recipe:ty),)*) => {
        /// A recipe: how one output is made.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all = "lowercase")]
        pub enum Recipe {
            $($(#[$doc])* #[doc = concat!("\n\nSee [`", stringify!($recipe), "`].")] $kind($recipe),)*
        }

        $(impl From<$recipe> for Recipe {
            fn from(recipe: $recipe) -> Self {
                Self::$kind(recipe)
            }
        })*

        macro_rules! each_output {
            ($dollar recipe:expr, $dollar it:ident => $dollar body:expr) => {
                match $dollar recipe { $($crate::recipe::Recipe::$kind($dollar it) => $dollar body,)* }
            };
        }

        macro_rules! each_kind {
            ($dollar name:ident => $dollar body:expr) => {
                [$({ type $dollar name = $recipe; $dollar body },)*]
            };
        }
    };
}

output_kinds! { $
    /// The ROCm tree as it was published.
    Rocm(crate::recipe::RocmRecipe),
    /// A ROCm tree with other files laid over it.
    Overlay(crate::recipe::OverlayRecipe),
    /// Distribution packages or a base image, unpacked.
    Sysroot(crate::recipe::SysrootRecipe),
    /// llama.cpp, built from source.
    Llama(crate::recipe::LlamaRecipe),
    /// Any project that is built with CMake.
    CMake(crate::recipe::CMakeRecipe),
    /// Programs that others built, from an archive.
    Prebuilt(crate::recipe::PrebuiltRecipe),
    /// The parts of a ROCm tree that an engine needs.
    Runtime(crate::recipe::RuntimeRecipe),
    /// The Vulkan loader and drivers that an engine needs.
    Vulkan(crate::recipe::VulkanRecipe),
    /// The files of a model.
    Model(crate::recipe::ModelRecipe),
    /// An OCI image of other outputs.
    Image(crate::recipe::ImageRecipe),
}

impl Recipe {
    /// Returns the names of all kinds, in the order in which outputs of them are shown.
    #[must_use]
    pub fn kinds() -> Vec<&'static str> {
        each_kind!(Kind => Kind::NAME).to_vec()
    }

    /// Returns the `type` field.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        fn name<Kind: OutputKind>(_: &Kind) -> &'static str {
            Kind::NAME
        }
        each_output!(self, recipe => name(recipe))
    }

    /// See [`OutputKind::ROLE`].
    #[must_use]
    pub fn role(&self) -> Option<OutputRole> {
        fn role<Kind: OutputKind>(_: &Kind) -> Option<OutputRole> {
            Kind::ROLE
        }
        each_output!(self, recipe => role(recipe))
    }

    /// See [`OutputKind::HAS_KNOWN_PROGRAMS`].
    #[must_use]
    pub fn has_known_programs(&self) -> bool {
        fn known<Kind: OutputKind>(_: &Kind) -> bool {
            Kind::HAS_KNOWN_PROGRAMS
        }
        each_output!(self, recipe => known(recipe))
    }

    /// Returns true if it can play the part for others.
    #[must_use]
    pub fn is(&self, role: OutputRole) -> bool {
        self.role() == Some(role)
    }

    /// Returns the position of its kind in the order in which outputs are shown.
    #[must_use]
    pub fn rank(&self) -> usize {
        Self::kinds().iter().position(|kind| *kind == self.kind()).unwrap_or_default()
    }
}

impl OutputRole {
    /// Returns the names of the kinds that can play the part, as in "`llama` or `prebuilt`".
    #[must_use]
    pub fn kinds(self) -> String {
        let kinds = each_kind!(Kind => (Kind::ROLE == Some(self)).then_some(Kind::NAME));
        kinds.into_iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
    }
}

#[allow(clippy::single_component_path_imports, reason = "this is how a macro is named from other modules")]
pub(crate) use {each_kind, each_output};

/// Returns the names of all kinds with their revisions.
#[must_use]
pub fn revisions() -> Vec<(&'static str, u32)> {
    each_kind!(Kind => (Kind::NAME, Kind::REVISION)).to_vec()
}

/// The methods of [`OutputKind`] for any kind.
impl Recipe {
    /// See [`OutputKind::REVISION`].
    #[must_use]
    pub fn revision(&self) -> u32 {
        fn revision<Kind: OutputKind>(_: &Kind) -> u32 {
            Kind::REVISION
        }
        each_output!(self, recipe => revision(recipe))
    }

    /// See [`OutputKind::inputs`].
    #[must_use]
    pub fn inputs(&self) -> Vec<(InputKind, &str)> {
        each_output!(self, recipe => recipe.inputs())
    }

    /// See [`OutputKind::outputs`].
    #[must_use]
    pub fn outputs(&self) -> Vec<(OutputRole, &str)> {
        each_output!(self, recipe => recipe.outputs())
    }

    /// See [`OutputKind::TAKES_ARCHIVES`].
    #[must_use]
    pub fn takes_archives(&self) -> bool {
        fn takes<Kind: OutputKind>(_: &Kind) -> bool {
            Kind::TAKES_ARCHIVES
        }
        each_output!(self, recipe => takes(recipe))
    }

    /// See [`OutputKind::rocm`].
    #[must_use]
    pub fn rocm(&self) -> Option<&str> {
        each_output!(self, recipe => recipe.rocm())
    }

    /// See [`OutputKind::base`].
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        each_output!(self, recipe => recipe.base())
    }

    /// Returns the recipe at the bottom: that of the output which this one, perhaps over others, is laid over. `output`
    /// finds the recipe of an output.
    #[must_use]
    pub fn bottom<'l>(&'l self, output: impl Fn(&str) -> Option<&'l Self>) -> &'l Self {
        let mut at = self;
        // A lock with more of them, or with a circle, is refused where ids are computed.
        for _ in 0..MOST_BASES {
            let Some(below) = at.base().and_then(&output) else { break };
            at = below;
        }
        at
    }

    /// See [`OutputKind::gpus`].
    #[must_use]
    pub fn gpus(&self) -> &[GfxTarget] {
        each_output!(self, recipe => recipe.gpus())
    }

    /// See [`OutputKind::prefix`].
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        each_output!(self, recipe => recipe.prefix())
    }

    /// See [`OutputKind::published`].
    #[must_use]
    pub fn published(&self) -> Option<&str> {
        each_output!(self, recipe => recipe.published())
    }

    /// See [`OutputKind::origin`].
    #[must_use]
    pub fn origin(&self) -> Origin {
        each_output!(self, recipe => recipe.origin())
    }

    /// See [`OutputKind::cmake_build`].
    #[must_use]
    pub fn cmake_build(&self) -> Option<&dyn CMakeBuild> {
        each_output!(self, recipe => recipe.cmake_build())
    }

    /// See [`OutputKind::build_root`].
    #[must_use]
    pub fn build_root(&self) -> BuildRoot<'_> {
        each_output!(self, recipe => recipe.build_root())
    }

    /// See [`OutputKind::is_image`].
    #[must_use]
    pub fn is_image(&self) -> bool {
        each_output!(self, recipe => recipe.is_image())
    }

    /// See [`OutputKind::is_root`].
    #[must_use]
    pub fn is_root(&self) -> bool {
        each_output!(self, recipe => recipe.is_root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_name_in_the_lock_and_in_messages() {
        for kind in Recipe::kinds() {
            let error = serde_json::from_value::<Recipe>(serde_json::json!({ "type": kind })).err();
            let told = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(!told.contains("unknown variant"), "{kind}: {told}");
        }
    }
}
