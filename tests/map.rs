//! The map that `src/lib.rs` opens with: modules stand there in an order in which each uses only those before it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::files;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// The modules of the map, in its order.
fn map(library: &str) -> Vec<&str> {
    let lines = library.lines().filter_map(|line| line.strip_prefix("//! * ")?.split_once("]:"));
    lines.flat_map(|(names, _)| names.split('`').skip(1).step_by(2)).collect()
}

/// The modules that the code of a file names, without its tests.
fn uses(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1)).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

/// The files of the library by module, without those that only tests have.
fn modules() -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(Path::new(SOURCES)) {
        let below = path.strip_prefix(SOURCES).unwrap();
        let is_test = below.components().any(|part| {
            let name = part.as_os_str().to_string_lossy();
            ["tests", "tests.rs", "testing.rs", "templates"].contains(&&*name)
        });
        if is_test || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let module = below.iter().next().unwrap().to_string_lossy();
        let module = module.strip_suffix(".rs").unwrap_or(&module).to_owned();
        all.entry(module).or_default().push(std::fs::read_to_string(&path).unwrap());
    }
    all.retain(|module, _| module != "lib" && module != "main");
    all
}

#[test]
fn a_module_uses_only_those_before_it_on_the_map() {
    let library = std::fs::read_to_string(Path::new(SOURCES).join("lib.rs")).unwrap();
    let map = map(&library);
    let place = |module: &str| map.iter().position(|one| *one == module);
    let modules = modules();
    let missing: Vec<_> = modules.keys().filter(|module| place(module).is_none()).collect();
    assert!(missing.is_empty(), "not on the map: {missing:?}");
    let mut wrong = Vec::new();
    for (module, texts) in &modules {
        for used in texts.iter().flat_map(|text| uses(text)) {
            if place(used) > place(module) {
                wrong.push(format!("{module} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_use_of_a_module_is_seen_in_code_and_nowhere_else() {
    let text = "// crate::one\nuse crate::two::Three;\nfn f() { crate::four(crate::five::Six) }\n#[cfg(test)]\nmod tests { use crate::seven; }";
    assert_eq!(uses(text).collect::<Vec<_>>(), ["two", "four", "five"]);
    assert_eq!(map("//! A map:\n//! * [`a`], [`b`]: [`c`] is another\n//! * [`d`]: e\n"), ["a", "b", "d"]);
}
