//! The lock's model, format version 1.

use std::collections::BTreeMap;

use semver::VersionReq;
use serde::{Deserialize, Serialize};
use url::Url;

use super::order::in_order;
use super::{DebsPin, HuggingfacePin, ModelFile, OciPin};
use crate::canonical::canonical;
use crate::digest::{DerivationId, Sha256Digest, TreeDigest};
use crate::error::{Error, Kind, Result};
use crate::gguf::Gguf;
use crate::manifest::InputRequest;
use crate::recipe::rocm::TheRock;
use crate::recipe::{BuildRoot, Recipe};
use crate::suggest::suggest;
use crate::upstream::debs::DebsRequest;
use crate::upstream::file::FileRequest;
use crate::upstream::git::{GitRequest, Submodule};
use crate::upstream::huggingface::HuggingfaceRequest;
use crate::upstream::oci::OciRequest;
use crate::upstream::rocm::{RocmRequest, RocmVersion};

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The format, [`super::FORMAT`].
    pub version: u64,
    /// Which versions of strixlock may read it, as the manifest says.
    pub requires: VersionReq,
    /// The pins by name.
    pub inputs: BTreeMap<String, LockedInput>,
    /// The outputs by name.
    pub outputs: BTreeMap<String, LockedOutput>,
}

/// One pinned input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum LockedInput {
    /// A ROCm nightly.
    Rocm(Block<RocmRequest, RocmPin>),
    /// A git commit.
    Git(Block<GitRequest, GitPin>),
    /// A file.
    File(Block<FileRequest, FilePin>),
    /// A set of distribution packages.
    Debs(Block<DebsRequest, DebsPin>),
    /// A model.
    Huggingface(Block<HuggingfaceRequest, HuggingfacePin>),
    /// A base image.
    Oci(Block<OciRequest, OciPin>),
}

/// The request, what it resolved to, and the digest of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block<Request, Pin> {
    /// The manifest's wish as parsed.
    pub requested: Request,
    /// The pin.
    pub locked: Pin,
    /// SHA-256 of the canonical text of this block without this field.
    pub entry: Sha256Digest,
}

/// A pinned ROCm tarball and the tree in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocmPin {
    /// Where the tarball can be had.
    pub urls: Vec<Url>,
    /// Its file name.
    pub file: String,
    /// The version in the file name.
    pub version: RocmVersion,
    /// When upstream says that it was made, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    /// The tarball's size in bytes.
    pub size: u64,
    /// The tarball's digest.
    pub sha256: Sha256Digest,
    /// What is in it.
    pub tree: TreePin,
    /// What the tree says of its own origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub therock: Option<TheRock>,
}

/// A tree as a pin knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreePin {
    /// Its digest.
    pub digest: TreeDigest,
    /// SHA-256 of its NAR, for `nix hash path`.
    pub nar: Sha256Digest,
    /// Directories, files and links.
    pub entries: u64,
    /// The sum of the files' sizes in bytes.
    pub size: u64,
}

/// A pinned git commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitPin {
    /// The repository.
    pub url: String,
    /// The ref that was followed, e.g. `refs/heads/master`; absent where a commit was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// 40 hex digits.
    pub commit: String,
    /// The git tree of the commit, 40 hex digits.
    pub tree: String,
    /// The committer's time, in seconds since 1970.
    pub time: i64,
    /// llama.cpp's build number: from the tag `b<number>`, else the number of commits up to this one.
    pub number: u64,
    /// Submodules by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub submodules: BTreeMap<String, Submodule>,
    /// The raw blobs as a tree, submodules in their places.
    pub content: TreePin,
}

/// A pinned file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePin {
    /// Where it can be had.
    pub urls: Vec<Url>,
    /// Bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Sha256Digest,
    /// What it says of itself, where it is a GGUF file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gguf: Option<Gguf>,
}

impl FilePin {
    /// The name that the file has in a tree: the last part of its first URL.
    #[must_use]
    pub fn name(&self) -> String {
        let last = self.urls.first().and_then(|url| url.path().rsplit('/').next()).unwrap_or_default();
        let name = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
        let sound = !name.contains('/') && !name.contains(char::is_control) && crate::tree::is_path(name.as_bytes());
        if sound { name } else { "file".to_owned() }
    }
}

/// One output: how it is made, and once sealed what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedOutput {
    /// How it is made.
    pub recipe: Recipe,
    /// The digest of the recipe with everything that goes into it.
    pub derivation: DerivationId,
    /// Its tree, once sealed; for `rocm` always, since the input's tree is the output.
    pub tree: Option<TreeDigest>,
}

impl Lock {
    /// The output `name`, or an error that says which there are.
    pub fn output(&self, name: &str) -> Result<&LockedOutput> {
        self.outputs.get(name).ok_or_else(|| {
            let error = Error::new(Kind::NotFound, format!("the lock has no output `{name}`"));
            let made =
                self.outputs.iter().find(|(_, output)| output.recipe.inputs().iter().any(|(_, input)| *input == name));
            error.hint(match made {
                Some((output, _)) if self.inputs.contains_key(name) => {
                    format!("`{name}` is an input, and the output `{output}` is made from it")
                }
                _ => suggest(name, self.outputs.keys().map(String::as_str)),
            })
        })
    }

    /// Returns the names of all outputs in the one order in which they are made and shown everywhere: by kind, each after
    /// those that it is made from, and by name.
    #[must_use]
    pub fn ordered(&self) -> Vec<&String> {
        in_order(self.outputs.iter().map(|(name, output)| (name, &output.recipe)))
    }

    /// The outputs that are meant where none is named: all but images, which hold them once more, and the roots that images
    /// alone have. In the order of [`Self::ordered`].
    pub fn usual_outputs(&self) -> impl Iterator<Item = &String> {
        let usual = |name: &&String| self.outputs.get(*name).is_some_and(|output| self.is_usual(name, output));
        self.ordered().into_iter().filter(usual)
    }

    fn is_usual(&self, name: &str, output: &LockedOutput) -> bool {
        let used = |by_images: bool| {
            let users = self.outputs.values().filter(|output| output.recipe.is_image() == by_images);
            users.flat_map(|output| output.recipe.outputs()).any(|(_, used)| used == name)
        };
        let root_of_images = output.recipe.is_root() && used(true) && !used(false);
        !output.recipe.is_image() && !root_of_images
    }

    /// Returns the output that is the root of the sandbox in which another one is built or proven; none where that is the host's.
    #[must_use]
    pub fn base_of(&self, root: BuildRoot<'_>) -> Option<&str> {
        let built = match root {
            BuildRoot::NoSandbox | BuildRoot::Host => return None,
            BuildRoot::Output(name) => name,
            BuildRoot::RootOf(built) => match self.outputs.get(built)?.recipe.build_root() {
                BuildRoot::Output(name) => name,
                _ => return None,
            },
        };
        self.outputs.get_key_value(built).map(|(name, _)| name.as_str())
    }
}

impl<Request: Serialize + Clone, Pin: Serialize + Clone> Block<Request, Pin> {
    fn new(kind: &str, requested: Request, locked: Pin) -> Result<Self> {
        let entry = entry_digest(kind, &requested, &locked)?;
        Ok(Self { requested, locked, entry })
    }
}

fn entry_digest(kind: &str, requested: &impl Serialize, locked: &impl Serialize) -> Result<Sha256Digest> {
    #[derive(Serialize)]
    struct Signed<'a, Request, Pin> {
        r#type: &'a str,
        requested: &'a Request,
        locked: &'a Pin,
    }
    Ok(Sha256Digest::of(canonical(&Signed { r#type: kind, requested, locked })?.as_bytes()))
}

impl LockedInput {
    /// A ROCm block.
    pub fn rocm(requested: RocmRequest, locked: RocmPin) -> Result<Self> {
        Block::new("rocm", requested, locked).map(Self::Rocm)
    }

    /// A git block.
    pub fn git(requested: GitRequest, locked: GitPin) -> Result<Self> {
        Block::new("git", requested, locked).map(Self::Git)
    }

    /// A file block.
    pub fn file(requested: FileRequest, locked: FilePin) -> Result<Self> {
        Block::new("file", requested, locked).map(Self::File)
    }

    /// A block of packages.
    pub fn debs(requested: DebsRequest, locked: DebsPin) -> Result<Self> {
        Block::new("debs", requested, locked).map(Self::Debs)
    }

    /// A block of a model.
    pub fn huggingface(requested: HuggingfaceRequest, locked: HuggingfacePin) -> Result<Self> {
        Block::new("huggingface", requested, locked).map(Self::Huggingface)
    }

    /// A block of a base image.
    pub fn oci(requested: OciRequest, locked: OciPin) -> Result<Self> {
        Block::new("oci", requested, locked).map(Self::Oci)
    }

    /// The `type` field.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rocm(_) => "rocm",
            Self::Git(_) => "git",
            Self::File(_) => "file",
            Self::Debs(_) => "debs",
            Self::Huggingface(_) => "huggingface",
            Self::Oci(_) => "oci",
        }
    }

    /// The request that it answers.
    #[must_use]
    pub fn requested(&self) -> InputRequest {
        match self {
            Self::Rocm(block) => InputRequest::Rocm(block.requested.clone()),
            Self::Git(block) => InputRequest::Git(block.requested.clone()),
            Self::File(block) => InputRequest::File(block.requested.clone()),
            Self::Debs(block) => InputRequest::Debs(block.requested.clone()),
            Self::Huggingface(block) => InputRequest::Huggingface(block.requested.clone()),
            Self::Oci(block) => InputRequest::Oci(block.requested.clone()),
        }
    }

    /// The digest that the block carries, and the one that it has.
    pub fn entries(&self) -> Result<(Sha256Digest, Sha256Digest)> {
        match self {
            Self::Rocm(block) => Ok((block.entry, entry_digest("rocm", &block.requested, &block.locked)?)),
            Self::Git(block) => Ok((block.entry, entry_digest("git", &block.requested, &block.locked)?)),
            Self::File(block) => Ok((block.entry, entry_digest("file", &block.requested, &block.locked)?)),
            Self::Debs(block) => Ok((block.entry, entry_digest("debs", &block.requested, &block.locked)?)),
            Self::Huggingface(block) => {
                Ok((block.entry, entry_digest("huggingface", &block.requested, &block.locked)?))
            }
            Self::Oci(block) => Ok((block.entry, entry_digest("oci", &block.requested, &block.locked)?)),
        }
    }

    /// What a person calls the pinned thing.
    #[must_use]
    pub fn version(&self) -> String {
        match self {
            Self::Rocm(block) => block.locked.version.to_string(),
            Self::Git(block) => {
                format!("b{} ({})", block.locked.number, &block.locked.commit[..12.min(block.locked.commit.len())])
            }
            Self::File(block) => format!("sha256:{}…", &block.locked.sha256.hex()[..12]),
            Self::Debs(block) => block.locked.version(),
            Self::Huggingface(block) => block.locked.version(),
            Self::Oci(block) => format!("{} ({})", block.requested.image, &block.locked.top().hex()[..12]),
        }
    }

    /// The tree that the input is, where it is one.
    #[must_use]
    pub fn tree(&self) -> Option<&TreePin> {
        match self {
            Self::Rocm(block) => Some(&block.locked.tree),
            Self::Git(block) => Some(&block.locked.content),
            Self::File(_) | Self::Debs(_) | Self::Huggingface(_) | Self::Oci(_) => None,
        }
    }

    /// What the input says of itself, where it is a model.
    #[must_use]
    pub fn gguf(&self) -> Option<&Gguf> {
        match self {
            Self::File(block) => block.locked.gguf.as_ref(),
            Self::Huggingface(block) => block.locked.gguf.as_ref(),
            Self::Rocm(_) | Self::Git(_) | Self::Debs(_) | Self::Oci(_) => None,
        }
    }

    /// The files of a model, as they stand in the tree of a `model` output; none where the input cannot be a model.
    #[must_use]
    pub fn model_files(&self) -> Vec<ModelFile> {
        match self {
            Self::Huggingface(block) => block.locked.files.clone(),
            Self::File(block) => {
                let pin = &block.locked;
                vec![ModelFile { path: pin.name(), size: pin.size, sha256: pin.sha256 }]
            }
            Self::Rocm(_) | Self::Git(_) | Self::Debs(_) | Self::Oci(_) => Vec::new(),
        }
    }
}
