//! Recipes: how an output is made from trees and other outputs. The manifest and the lock hold them in the same form.
//!
//! A recipe and the digests of what goes into it, as canonical JSON, hash to the derivation id: two outputs with equal
//! ids are made from the same things in the same way. This module decides nothing about when a recipe is run.

pub mod furnish;
pub mod image;
pub mod llama;
pub mod rocm;
pub mod runtime;
pub mod sysroot;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::suggest::one_of;

pub use image::ImageRecipe;
pub use runtime::{Edge, RuntimeRecipe, Target};

/// Grows with every change of the recipe `model` that can show in its result.
pub const MODEL_REVISION: u32 = 1;

/// Whether an input of type `found` can stand where a recipe names one of type `wanted`: a model may be any file.
#[must_use]
pub fn fits(wanted: &str, found: &str) -> bool {
    wanted == found || (wanted, found) == ("huggingface", "file")
}

/// How one output is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Recipe {
    /// Distribution packages or a base image, unpacked.
    Sysroot(SysrootRecipe),
    /// The ROCm tree as it was published.
    Rocm(RocmRecipe),
    /// llama.cpp, built from source.
    Llama(LlamaRecipe),
    /// The parts of a ROCm tree that a llama.cpp build needs.
    Runtime(RuntimeRecipe),
    /// The files of a model.
    Model(ModelRecipe),
    /// An OCI image of other outputs.
    Image(ImageRecipe),
}

/// See [`Recipe::Sysroot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SysrootRecipe {
    /// The input with the packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<String>,
    /// In place of them, the input that is a base image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Links to make, path and target, beside those that the recipe makes by itself ([`sysroot::LINKS`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
}

/// See [`Recipe::Rocm`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocmRecipe {
    /// The input that is the tree.
    pub input: String,
    /// Where the tree stands when it is used.
    pub prefix: String,
}

/// See [`Recipe::Llama`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlamaRecipe {
    /// The input with the source.
    pub source: String,
    /// The output that is the ROCm tree; the `cpu` backend has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rocm: Option<String>,
    /// The output that is the root of the build: compilers, CMake, headers. Without it the host's own are used, and what
    /// comes out is the same on one machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysroot: Option<String>,
    /// What it computes with.
    pub backend: Backend,
    /// Where it stands when it is used.
    pub prefix: String,
    /// CMake variables, over the recipe's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cmake: BTreeMap<String, String>,
}

/// See [`Recipe::Model`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// The input that is the model: of type `huggingface` or `file`.
    pub input: String,
}

/// What llama.cpp computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The GPU, through HIP, with the compiler of the ROCm tree.
    Hip,
    /// The CPU alone.
    Cpu,
    /// The GPU, through Vulkan: headers and shader compiler of the sysroot.
    Vulkan,
}

impl Backend {
    /// Its name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hip => "hip",
            Self::Cpu => "cpu",
            Self::Vulkan => "vulkan",
        }
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        one_of("backend", text, &[Self::Hip, Self::Cpu, Self::Vulkan].map(|backend| (backend.name(), backend)))
    }
}

impl Recipe {
    /// The `type` field.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sysroot(_) => "sysroot",
            Self::Rocm(_) => "rocm",
            Self::Llama(_) => "llama",
            Self::Runtime(_) => "runtime",
            Self::Model(_) => "model",
            Self::Image(_) => "image",
        }
    }

    /// Returns the place of its kind in the order in which outputs are made and shown: each kind is made from those before it.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Rocm(_) => 0,
            Self::Sysroot(_) => 1,
            Self::Llama(_) => 2,
            Self::Runtime(_) => 3,
            Self::Model(_) => 4,
            Self::Image(_) => 5,
        }
    }

    /// Whether it is an image of other outputs.
    #[must_use]
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Image(_))
    }

    /// Where the output stands when it is used, if it has a place of its own.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        match self {
            Self::Rocm(recipe) => Some(&recipe.prefix),
            Self::Llama(recipe) => Some(&recipe.prefix),
            Self::Sysroot(_) | Self::Runtime(_) | Self::Model(_) | Self::Image(_) => None,
        }
    }

    /// The inputs that go into it: kind and name.
    #[must_use]
    pub fn inputs(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Sysroot(recipe) => {
                let image = recipe.image.iter().map(|name| ("oci", name.as_str()));
                recipe.packages.iter().map(|name| ("debs", name.as_str())).chain(image).collect()
            }
            Self::Rocm(recipe) => vec![("rocm", &recipe.input)],
            Self::Llama(recipe) => vec![("git", &recipe.source)],
            Self::Runtime(_) => Vec::new(),
            Self::Model(recipe) => vec![("huggingface", &recipe.input)],
            Self::Image(recipe) => recipe.from.iter().map(|name| ("oci", name.as_str())).collect(),
        }
    }

    /// The other outputs that go into it: kind and name.
    #[must_use]
    pub fn outputs(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Sysroot(_) | Self::Rocm(_) | Self::Model(_) => Vec::new(),
            Self::Llama(recipe) => {
                let sysroot = recipe.sysroot.iter().map(|name| ("sysroot", name.as_str()));
                recipe.rocm.iter().map(|name| ("rocm", name.as_str())).chain(sysroot).collect()
            }
            Self::Runtime(recipe) => vec![("rocm", &recipe.rocm), ("llama", &recipe.llama)],
            Self::Image(recipe) => [
                ("sysroot", &recipe.base),
                ("rocm", &recipe.rocm),
                ("runtime", &recipe.runtime),
                ("llama", &recipe.llama),
            ]
            .into_iter()
            .filter_map(|(kind, name)| Some((kind, name.as_deref()?)))
            .collect(),
        }
    }
}
