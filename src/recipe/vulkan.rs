//! Recipe `vulkan`: the Vulkan loader and drivers of a pinned root, with the libraries that they and an engine need.
//!
//! The engine's programs run with these files instead of the machine's. The C library alone is left to the system that
//! they run on: its loader, `ld.so`, is named in every program by an absolute path and fits no other C library.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::{BuildRoot, Origin, OutputKind, OutputRole};
use crate::inputs::InputKind;

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 1;

/// The driver that is kept if none is named: Mesa's for AMD GPUs.
pub const USUAL_DRIVER: &str = "radeon";

/// Directory of the drivers' manifests in the output's tree.
pub const MANIFESTS: &str = "share/vulkan/icd.d";

/// The recipe of a Vulkan runtime: see [`super::Recipe::Vulkan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VulkanRecipe {
    /// The engine that must run.
    pub engine: String,
    /// The root that has loader and drivers. Without it: the root that the engine was built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysroot: Option<String>,
    /// The drivers, by the names of their manifests: `radeon` for `radeon_icd.json`.
    pub drivers: Vec<String>,
    /// The programs of the engine that must run.
    pub roots: Vec<String>,
    /// The directory at which it is used.
    pub prefix: String,
}

impl OutputKind for VulkanRecipe {
    const NAME: &'static str = "vulkan";
    const REVISION: u32 = REVISION;
    const ROLE: Option<OutputRole> = Some(OutputRole::Runtime);

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<(OutputRole, &str)> {
        let root = self.sysroot.iter().map(|name| (OutputRole::Sysroot, name.as_str()));
        root.chain([(OutputRole::Engine, self.engine.as_str())]).collect()
    }

    fn prefix(&self) -> Option<&str> {
        Some(&self.prefix)
    }

    fn origin(&self) -> Origin {
        Origin::Chosen
    }

    fn build_root(&self) -> BuildRoot<'_> {
        match &self.sysroot {
            Some(name) => BuildRoot::Output(name),
            None => BuildRoot::RootOf(&self.engine),
        }
    }
}

/// The table of known facts, compiled into the program. A test parses it, so the fallback is never used.
static KNOWN: LazyLock<Known> = LazyLock::new(|| toml::from_str(include_str!("vulkan.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    called: BTreeMap<String, String>,
    software: Software,
    data: Vec<DriverData>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Software {
    drivers: Vec<String>,
    variables: BTreeMap<String, String>,
}

/// A file or directory that drivers read.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DriverData {
    /// Beginning of the names of the libraries that read it.
    pub by: String,
    /// Its path in a root.
    pub path: String,
    /// The variable that leads to it. Older libraries ignore it, and read the system's.
    pub variable: String,
    /// The reason, as the end of a sentence.
    #[serde(skip_serializing)]
    pub reason: String,
}

impl DriverData {
    /// Returns its path in the output's tree.
    #[must_use]
    pub fn place(&self) -> &str {
        self.path.strip_prefix("usr/").unwrap_or(&self.path)
    }
}

/// Returns files and directories that drivers read.
#[must_use]
pub fn driver_data() -> &'static [DriverData] {
    &KNOWN.data
}

/// Returns the driver that people call by a name.
#[must_use]
pub fn driver_called(name: &str) -> &str {
    KNOWN.called.get(name).map_or(name, String::as_str)
}

/// A Vulkan runtime at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VulkanPart<'a> {
    /// Its directory.
    pub prefix: &'a str,
    /// Its drivers.
    pub drivers: &'a [String],
}

impl VulkanPart<'_> {
    /// Returns the variables by which programs find the drivers, and no others, and no layers.
    #[must_use]
    pub fn variables(self) -> BTreeMap<String, String> {
        let manifest = |driver: &String| format!("{}/{MANIFESTS}/{driver}_icd.json", self.prefix);
        let manifests = self.drivers.iter().map(manifest).collect::<Vec<_>>().join(":");
        let mut all = BTreeMap::new();
        // Loaders before 1.3.207 know the second name only, and those before 1.3.234 none for layers.
        for (name, value) in [
            ("VK_DRIVER_FILES", manifests.as_str()),
            ("VK_ICD_FILENAMES", &manifests),
            ("VK_LOADER_LAYERS_DISABLE", "~all~"),
        ] {
            all.insert(name.to_owned(), value.to_owned());
        }
        for data in driver_data() {
            all.insert(data.variable.clone(), format!("{}/{}", self.prefix, data.place()));
        }
        if self.drivers.iter().all(|driver| KNOWN.software.drivers.contains(driver)) {
            all.extend(KNOWN.software.variables.clone());
        }
        all
    }
}

impl VulkanRecipe {
    /// Returns the runtime at its own prefix.
    #[must_use]
    pub fn part(&self) -> VulkanPart<'_> {
        VulkanPart { prefix: &self.prefix, drivers: &self.drivers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_parses_and_software_alone_is_taken() {
        toml::from_str::<Known>(include_str!("vulkan.toml")).unwrap();
        assert_eq!(driver_called("lavapipe"), "lvp");
        assert_eq!(driver_called("radeon"), "radeon");
        let both = ["radeon".to_owned(), "lvp".to_owned()];
        let variables = VulkanPart { prefix: "/v", drivers: &both }.variables();
        let files = "/v/share/vulkan/icd.d/radeon_icd.json:/v/share/vulkan/icd.d/lvp_icd.json";
        assert_eq!((variables["VK_DRIVER_FILES"].as_str(), variables["VK_ICD_FILENAMES"].as_str()), (files, files));
        assert_eq!(variables["DRIRC_CONFIGDIR"], "/v/share/drirc.d");
        assert!(!variables.contains_key("GGML_VK_VISIBLE_DEVICES"));
        let software = VulkanPart { prefix: "/v", drivers: &both[1..] }.variables();
        assert_eq!(software["GGML_VK_VISIBLE_DEVICES"], "0");
    }
}
