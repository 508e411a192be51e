//! Manifests of drivers: JSON files that tell the Vulkan loader which library is a driver (`LoaderDriverInterface.md`
//! of the loader).

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::tree::show;

/// Directories in which the loader looks for manifests.
pub(super) const DIRECTORIES: [&str; 2] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// Largest manifest, in bytes. Usual ones have 150.
const MOST: u64 = 64 << 10;

/// A driver's manifest.
#[derive(Debug)]
pub(super) struct Manifest {
    value: Value,
    /// The path of the driver, as the manifest has it.
    pub library: Vec<u8>,
}

impl Manifest {
    /// Reads the manifest on disk at `file`, which is at `path` in the system.
    pub fn read(file: &Path, path: &[u8]) -> Result<Self> {
        let mut text = Vec::new();
        fs_err::File::open(file)?.take(MOST + 1).read_to_end(&mut text)?;
        let fault =
            |what: &str| Error::new(Kind::Invalid, format!("{what} of a Vulkan driver")).fact("file", show(path));
        if text.len() as u64 > MOST {
            return Err(fault("too large a manifest").fact("at most", format!("{MOST} bytes")));
        }
        let value: Value =
            serde_json::from_slice(&text).map_err(|error| fault("malformed manifest").because(&error))?;
        let icd = |field: &str| value.get("ICD").and_then(|icd| icd.get(field)).and_then(Value::as_str);
        let library = icd("library_path").filter(|path| !path.is_empty() && !path.contains('\0'));
        let Some(library) = library else {
            return Err(fault("malformed manifest").fact("missing", "ICD.library_path"));
        };
        if icd("api_version").is_none() {
            return Err(fault("malformed manifest").fact("missing", "ICD.api_version"));
        }
        Ok(Self { library: library.as_bytes().to_vec(), value })
    }

    /// Returns the text of the manifest with another path of the driver.
    pub fn with_library(mut self, path: &str) -> Vec<u8> {
        self.value["ICD"]["library_path"] = path.into();
        // A value that was read always serializes.
        let mut text = serde_json::to_vec_pretty(&self.value).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// Returns the name of the driver whose manifest has this file name: `radeon` for `radeon_icd.x86_64.json`.
pub(super) fn driver(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?.strip_suffix(".json")?;
    let (driver, rest) = name.rsplit_once("_icd")?;
    (!driver.is_empty() && (rest.is_empty() || rest.starts_with('.'))).then_some(driver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_named_by_their_manifests() {
        for (name, expected) in [
            ("radeon_icd.json", Some("radeon")),
            ("radeon_icd.x86_64.json", Some("radeon")),
            ("intel_hasvk_icd.x86_64.json", Some("intel_hasvk")),
            ("_icd.json", None),
            ("radeon_icd.txt", None),
            ("radeon_icdx.json", None),
            ("radeon.json", None),
        ] {
            assert_eq!(driver(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn odd_manifests_are_refused_and_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x_icd.json");
        let long = format!("{{\"ICD\": {{\"library_path\": \"{}\"}}}}", "x".repeat(1 << 17));
        for text in [
            "",
            "{",
            "[]",
            "7",
            "{\"ICD\": {}}",
            "{\"ICD\": {\"library_path\": 7, \"api_version\": \"1\"}}",
            "{\"ICD\": {\"library_path\": \"\", \"api_version\": \"1\"}}",
            "{\"ICD\": {\"library_path\": \"x\"}}",
            "{\"ICD\": {\"library_path\": \"a\\u0000b\", \"api_version\": \"1\"}}",
            long.as_str(),
        ] {
            fs_err::write(&file, text).unwrap();
            let error = Manifest::read(&file, b"/usr/share/vulkan/icd.d/x_icd.json").unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{text}");
            assert!(error.to_string().contains("x_icd.json"), "{error}");
        }
        fs_err::write(&file, "{\"ICD\": {\"library_path\": \"/usr/lib/x.so\", \"api_version\": \"1.3\"}, \"a\": 1}")
            .unwrap();
        let manifest = Manifest::read(&file, b"/x").unwrap();
        assert_eq!(manifest.library, b"/usr/lib/x.so");
        let text = String::from_utf8(manifest.with_library("../x.so")).unwrap();
        assert!(text.contains("\"library_path\": \"../x.so\"") && text.contains("\"a\": 1"), "{text}");
    }
}
