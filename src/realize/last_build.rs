//! The time of the last build of a recipe, by which the time that is left of one is estimated.
//!
//! Builds are alike if their CMake variables are, apart from those that say which commit it is and those that the source
//! does not use. Builds that took objects from a compiler cache tell nothing: the next one may find none there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::compile_cache::CacheUse;
use crate::recipe::llama::IDENTITY;
use crate::store::Store;

/// The part of a build's record that is read here.
#[derive(Deserialize)]
struct Past {
    variables: BTreeMap<String, String>,
    #[serde(default)]
    unknown_variables: BTreeSet<String>,
    #[serde(default)]
    compile_cache: CacheUse,
    /// Records of earlier versions have none.
    seconds: u64,
}

/// Returns the time of the last build with these variables, if the store has its record.
pub(super) fn last_build(store: &Store, variables: &BTreeMap<String, String>) -> Option<Duration> {
    let alike = |past: &Past| {
        let used = recipe(variables).filter(|(name, _)| !past.unknown_variables.contains(*name));
        past.compile_cache.hits == 0 && recipe(&past.variables).eq(used)
    };
    let last = store.abouts().iter().filter_map(|path| read(path)).find(alike);
    last.map(|past| Duration::from_secs(past.seconds))
}

/// Reads a record. Those of other kinds of outputs have no such fields.
fn read(path: &Path) -> Option<Past> {
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

/// Returns the variables that do not depend on the commit.
fn recipe(variables: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    variables.iter().filter(|(name, _)| !IDENTITY.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_build_of_the_same_recipe_counts() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let record = |id: &str, age: u64, text: &str| {
            let path = directory.path().join("outputs").join(id);
            std::fs::create_dir_all(&path).unwrap();
            let file = std::fs::File::create(path.join("about.json")).unwrap();
            std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
        };
        let variables = |hip: &str, number: &str| {
            BTreeMap::from(
                [("GGML_HIP", hip), ("LLAMA_BUILD_NUMBER", number)].map(|(a, b)| (a.to_owned(), b.to_owned())),
            )
        };
        let about = |hip: &str, number: &str, seconds: u64| {
            serde_json::json!({ "tools": {}, "variables": variables(hip, number), "seconds": seconds }).to_string()
        };
        assert_eq!(last_build(&store, &variables("ON", "8")), None);
        record("aa", 300, &about("ON", "5", 1900));
        record("bb", 200, &about("ON", "6", 1800));
        record("cc", 100, &about("OFF", "7", 60));
        let cached = serde_json::json!({
            "tools": {}, "variables": variables("ON", "7"), "seconds": 9, "compile_cache": { "hits": 1, "compilations": 2 }
        });
        record("ca", 60, &cached.to_string());
        let fewer = serde_json::json!({
            "tools": {}, "variables": {}, "seconds": 30, "unknown_variables": ["GGML_NEW"]
        });
        record("cb", 55, &fewer.to_string());
        record("dd", 50, r#"{"tools": {}, "variables": {"GGML_HIP": "ON"}}"#);
        record("ee", 40, r#"{"proof": {}}"#);
        record("ff", 30, "[");
        assert_eq!(last_build(&store, &variables("ON", "8")), Some(Duration::from_secs(1800)));
        assert_eq!(last_build(&store, &variables("OFF", "8")), Some(Duration::from_secs(60)));
        let new = BTreeMap::from([("GGML_NEW".to_owned(), "ON".to_owned())]);
        assert_eq!(last_build(&store, &new), Some(Duration::from_secs(30)));
    }
}
