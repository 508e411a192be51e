//! The provenance files in a ROCm tree: version, targets and commits.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::tree::confined::Root;
use crate::upstream::rocm::RocmVersion;

/// Greatest size of a provenance file, in bytes; AMD's has less than 100 kB.
const MOST: u64 = 4 << 20;

/// The contents of a tree's provenance files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// `.info/version`, e.g. `10.1.0`.
    pub version: Option<String>,
    /// `dist_amdgpu_targets` of `share/therock/dist_info.json`.
    pub targets: Option<String>,
    /// `share/therock/therock_manifest.json`.
    pub therock: Option<TheRock>,
    /// `rocm_package_version` of it, e.g. `10.1.0a20260901`; `rocm_version` where there is none.
    pub package_version: Option<String>,
}

/// `share/therock/therock_manifest.json` of a ROCm tree: the commits that it was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TheRock {
    /// The commit of the ROCm/TheRock repository.
    pub commit: String,
    /// The submodules' commits by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub submodules: BTreeMap<String, String>,
}

impl Provenance {
    /// Reads the files that exist. Fails if one is invalid, but not if one is missing.
    pub fn read(tree: &Path) -> Result<Self> {
        let version = read(tree, ".info/version")?.map(|text| text.trim().to_owned());
        let targets = json(tree, "share/therock/dist_info.json")?
            .and_then(|value| Some(value.get("dist_amdgpu_targets")?.as_str()?.to_owned()));
        let manifest = json(tree, "share/therock/therock_manifest.json")?;
        let therock = manifest.as_ref().and_then(the_rock);
        let package_version = ["rocm_package_version", "rocm_version"]
            .iter()
            .find_map(|key| Some(manifest.as_ref()?.get(*key)?.as_str()?.trim().to_owned()));
        Ok(Self { version, targets, therock, package_version })
    }

    /// Fails unless version and target match the file name.
    pub fn check(&self, version: &RocmVersion, target: &GfxTarget) -> Result<()> {
        for (label, found) in [(".info/version", &self.version), ("therock_manifest", &self.package_version)] {
            let Some(found) = found.as_deref().filter(|found| !fits(found, version)) else { continue };
            return Err(Error::new(Kind::Mismatch, "the tree is of another version than its file name says")
                .fact("file name", version)
                .fact(label, found)
                .hint("upstream published a wrong file; choose another version"));
        }
        if let Some(found) = &self.targets
            && !found.split([';', ',', ' ']).any(|found| found == target.as_str())
        {
            return Err(Error::new(Kind::Mismatch, "the tree is for another GPU than its file name says")
                .fact("wanted", target)
                .fact("dist_info.json", found)
                .hint("upstream published a wrong file; choose another version"));
        }
        Ok(())
    }
}

/// Returns whether what a tree says can be meant by the version of a file name: the same, or the release that a nightly
/// or candidate comes before. A text without numbers says nothing.
fn fits(found: &str, version: &RocmVersion) -> bool {
    let promised = version.to_string();
    let (have, want) = (release(found), release(&promised));
    let longer = have.len().max(want.len());
    let padded = |numbers: &[u64]| numbers.iter().copied().chain(std::iter::repeat(0)).take(longer).collect::<Vec<_>>();
    if have.is_empty() {
        return true;
    }
    if padded(&have) != padded(&want) {
        return false;
    }
    // Two nightlies of one release are different builds.
    match (found.parse::<RocmVersion>().ok().and_then(|found| found.date()), version.date()) {
        (Some(found), Some(named)) => found == named,
        _ => true,
    }
}

/// Returns the leading numbers: `10.1.0` for `10.1.0a20260901` and `10.1.0-42`.
fn release(version: &str) -> Vec<u64> {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let all: Vec<u64> = version[..end].split('.').map_while(|number| number.parse().ok()).collect();
    all
}

fn the_rock(value: &Value) -> Option<TheRock> {
    let commit = value.get("the_rock_commit")?.as_str().filter(|text| is_commit(text))?.to_owned();
    let mut submodules = BTreeMap::new();
    for module in value.get("submodules").and_then(Value::as_array).into_iter().flatten() {
        let text = |key| module.get(key).and_then(Value::as_str);
        if let (Some(name), Some(pin)) = (text("submodule_name"), text("pin_sha").filter(|text| is_commit(text))) {
            submodules.insert(name.to_owned(), pin.to_owned());
        }
    }
    Some(TheRock { commit, submodules })
}

fn json(tree: &Path, name: &str) -> Result<Option<Value>> {
    let Some(text) = read(tree, name)? else { return Ok(None) };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Error::new(Kind::Mismatch, format!("`{name}` in the tree is not JSON")).because(&error))
}

pub(super) fn read(tree: &Path, name: &str) -> Result<Option<String>> {
    // No part of the path may be a symlink: it could lead anywhere on this machine.
    let Ok(file) = Root::open(tree)?.open_file(name.as_bytes()) else { return Ok(None) };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MOST {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_another_version_or_target_is_noticed() {
        let provenance = Provenance {
            version: Some("10.1.0".into()),
            targets: Some("gfx1150;gfx1151".into()),
            ..Provenance::default()
        };
        let target = |text: &str| text.parse::<GfxTarget>().unwrap();
        let version = |text: &str| text.parse::<RocmVersion>().unwrap();
        assert!(provenance.check(&version("10.1.0a20260901"), &target("gfx1151")).is_ok());
        assert!(provenance.check(&version("10.2.0a20260901"), &target("gfx1151")).is_err());
        assert!(provenance.check(&version("10.1.0a20260901"), &target("gfx1100")).is_err());
        assert!(Provenance::default().check(&version("10.1.0"), &target("gfx1151")).is_ok());
    }

    #[test]
    fn a_nightly_and_a_candidate_may_call_themselves_by_their_release() {
        let target: GfxTarget = "gfx1151".parse().unwrap();
        for (name, says, fits) in [
            ("10.1.0rc0", "10.1.0", true),
            ("10.1.0a20260901", "10.1.0", true),
            ("10.1.0a20260901", "10.1", true),
            ("10.1.0a20260901", "10.1.0a20260901", true),
            ("10.1.0a20260901", "10.1.0-42", true),
            ("10.1.0a20260901", "10.1.0~20260901", true),
            ("10.1.0a20260811+bkc.20260814", "10.1.0a20260811", true),
            ("10.0.0.post1", "10.0.0", true),
            ("10.1.0", "10.1.0", true),
            ("10.1.0", "", true),
            ("10.1.0", "unknown", true),
            ("10.1.0a20260901", "10.1.0a20260902", false),
            ("10.1.0a20260901", "10.2.0", false),
            ("10.1.0rc0", "10.0.0", false),
            ("10.0.1", "10.0.0", false),
            ("10.1.0", "1.10.1", false),
        ] {
            let version: RocmVersion = name.parse().unwrap();
            let info = Provenance { version: Some(says.to_owned()), ..Provenance::default() };
            let manifest = Provenance { package_version: Some(says.to_owned()), ..Provenance::default() };
            for provenance in [info, manifest] {
                let checked = provenance.check(&version, &target);
                assert_eq!(checked.is_ok(), fits, "{name} says {says:?}");
                if let Err(error) = checked {
                    assert!(
                        error.to_string().contains(name) && error.to_string().contains(says),
                        "both are told: {error}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_version_is_read_from_the_manifest_in_the_tree() {
        let directory = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(directory.path().join("share/therock")).unwrap();
        let read = |text: &str| {
            fs_err::write(directory.path().join("share/therock/therock_manifest.json"), text).unwrap();
            Provenance::read(directory.path()).unwrap().package_version
        };
        assert_eq!(
            read(r#"{"rocm_package_version": "10.1.0a20260901", "rocm_version": "10.1.0"}"#).as_deref(),
            Some("10.1.0a20260901")
        );
        assert_eq!(read(r#"{"rocm_version": "10.1.0"}"#).as_deref(), Some("10.1.0"));
        assert_eq!(read(r#"{"rocm_package_version": 5}"#), None);
        assert_eq!(read("[]"), None);
    }
}
