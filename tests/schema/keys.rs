//! Keys: the parser of manifests, the reader of locks and the schemas know the same ones.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema;
use crate::support::{Project, Ran};

/// A key that nothing has, and that is like no other.
const UNKNOWN: &str = "qqqqqqqqqqqqqqqq";

/// The definitions of tables within an output's, each with the head of that.
const WITHIN: [(&str, &str); 2] = [
    ("output-runtime-edge", "[outputs.runtime]\ntype = \"runtime\""),
    ("output-overlay-layer", "[outputs.patched-rocm]\ntype = \"overlay\""),
];

/// Returns a whole manifest of an example.
pub fn whole(definition: &str, example: &str) -> String {
    match WITHIN.iter().find(|(within, _)| *within == definition) {
        Some((_, head)) => format!("{head}\n\n{example}\n"),
        None => format!("{example}\n"),
    }
}

/// Returns the names that the error for an unknown key lists, and the key itself has if nothing is listed.
fn listed(ran: &Ran) -> BTreeSet<String> {
    let (_, list) = ran.stderr.split_once("expected ").unwrap_or_else(|| panic!("no list: {}", ran.all()));
    list.lines().next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

/// Returns the definitions of the manifest's schema that are tables with an example.
fn tables() -> Vec<(String, Value)> {
    let schema = schema("strix.toml");
    let all = schema["definitions"].as_object().unwrap().clone().into_iter();
    all.filter(|(_, definition)| definition.get("examples").is_some()).collect()
}

#[test]
fn the_parser_of_manifests_and_the_schema_know_the_same_keys() {
    let project = Project::empty();
    let mut wrong = Vec::new();
    let tables = tables();
    assert!(tables.len() > 12);
    for (name, definition) in tables {
        let example = definition["examples"][0].as_str().unwrap();
        // Behind the head of the table, before tables in it.
        let (head, rest) = example.split_once('\n').unwrap();
        let manifest = whole(&name, &format!("{head}\n{UNKNOWN} = 1\n{rest}"));
        project.write("manifests/strix.toml", &manifest);
        let (parsed, published) = (listed(&project.run(&["status"]).code(3)), properties(&definition));
        if parsed != published {
            wrong.push(format!("{name}: parser {parsed:?}, schema {published:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_known_key_is_not_called_unknown_where_others_are_missing() {
    let project = Project::empty();
    for (name, definition) in tables().iter().filter(|(name, _)| WITHIN.iter().all(|(within, _)| name != within)) {
        let (which, kind) = name.split_once('-').unwrap();
        let keys = properties(definition);
        let keys = keys.iter().filter(|key| *key != "type").map(|key| format!("{key} = 1979-05-27\n"));
        let table = format!("[{which}s.x]\ntype = \"{kind}\"\n{}", keys.collect::<String>());
        project.write("manifests/strix.toml", &table);
        let ran = project.run(&["status"]).code(3);
        assert!(!ran.stderr.contains("unknown field"), "{}", ran.all());
        assert!(ran.stderr.contains("this is a date"), "{}", ran.all());
    }
}

#[test]
fn the_top_of_a_manifest_has_the_keys_of_the_schema() {
    let project = Project::empty();
    project
        .write("manifests/strix.toml", &format!("{UNKNOWN} = 1\n[inputs.x]\ntype = \"file\"\nurl = \"file:///x\"\n"));
    assert_eq!(listed(&project.run(&["status"]).code(3)), properties(&schema("strix.toml")));
}

/// Returns the place in the lock's schema of each table, and a lock with an unknown key in it, for `?`.
fn places() -> Vec<(String, String)> {
    let kinds = |prefix: &str| {
        let schema = schema("strix.lock");
        let names = schema["definitions"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        names.into_iter().filter_map(|name| name.strip_prefix(prefix).map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut all = vec![
        (String::new(), "?".to_owned()),
        ("/definitions/output".to_owned(), "\"outputs\":{\"x\":{?}}".to_owned()),
        ("/definitions/sealed".to_owned(), "\"outputs\":{\"x\":{\"sealed\":{?}}}".to_owned()),
        (
            "/definitions/edge".to_owned(),
            "\"outputs\":{\"x\":{\"recipe\":{\"type\":\"runtime\",\"edges\":[{?}]}}}".to_owned(),
        ),
    ];
    for kind in kinds("input-") {
        for part in ["requested", "locked"] {
            let text = format!("\"inputs\":{{\"x\":{{\"type\":\"{kind}\",\"{part}\":{{?}}}}}}");
            all.push((format!("/definitions/{part}-{kind}"), text));
        }
    }
    for kind in kinds("recipe-") {
        let text = format!("\"outputs\":{{\"x\":{{\"recipe\":{{\"type\":\"{kind}\",?}}}}}}");
        all.push((format!("/definitions/recipe-{kind}"), text));
    }
    for (kind, part, place) in [
        ("rocm", "\"tree\":{?}", "/definitions/tree"),
        ("rocm", "\"therock\":{?}", "/definitions/locked-rocm/properties/therock"),
        ("git", "\"submodules\":{\"a\":{?}}", "/definitions/locked-git/properties/submodules/additionalProperties"),
        ("git", "\"patches\":[{?}]", "/definitions/patch"),
        ("llama-ui", "\"bundle\":{?}", "/definitions/locked-llama-ui/properties/bundle"),
        ("file", "\"gguf\":{?}", "/definitions/gguf"),
        ("huggingface", "\"files\":[{?}]", "/definitions/file"),
        ("oci", "\"manifest\":{?}", "/definitions/blob"),
        ("oci", "\"layers\":[{?}]", "/definitions/locked-oci/properties/layers/items"),
        ("debs", "\"packages\":[{?}]", "/definitions/locked-debs/properties/packages/items"),
        ("debs", "\"releases\":{\"a\":{?}}", "/definitions/locked-debs/properties/releases/additionalProperties"),
    ] {
        all.push((place.to_owned(), format!("\"inputs\":{{\"x\":{{\"type\":\"{kind}\",\"locked\":{{{part}}}}}}}")));
    }
    all
}

#[test]
fn the_reader_of_locks_and_the_schema_know_the_same_keys() {
    let project = Project::empty();
    let schema = schema("strix.lock");
    let mut wrong = Vec::new();
    for (place, text) in places() {
        let text = text.replace('?', &format!("\"{UNKNOWN}\":1"));
        project.write("lock/strix.lock", &format!("{{\"version\":1,\"requires\":\"*\",{text}}}"));
        let mut parsed = listed(&project.run(&["lock", "digest"]).code(3));
        let published = properties(schema.pointer(&place).unwrap_or_else(|| panic!("{place}")));
        // The reader has seen the type of a recipe before.
        parsed.extend(published.contains("type").then(|| "type".to_owned()));
        if parsed != published {
            wrong.push(format!("{place}: reader {parsed:?}, schema {published:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
