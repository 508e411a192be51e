//! The schemas in docs/schema: of manifest and lock, and of what each command prints with `--json`.

mod commands;
mod keys;

use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::book::demand_equal;
use crate::support::{Project, files};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns a schema of docs/schema.
fn schema(name: &str) -> Value {
    let path = Path::new(ROOT).join("docs/schema").join(format!("{name}.schema.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Returns the fault of a value by a schema, if it has one.
fn fault(schema: &Value, value: &Value) -> Option<String> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let mut schema = schema.clone();
    // References within are resolved against the place that it is added under.
    schema.as_object_mut().unwrap().remove("$id");
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
    schemas.validate(value, index).err().map(|error| format!("{error:#}"))
}

/// Refuses everything that a schema of a command does not describe. What is published allows more, since fields may be
/// added.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(strict);
        }
        Value::Array(all) => all.iter_mut().for_each(strict),
        _ => {}
    }
}

fn toml(path: &Path) -> Value {
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Returns a path from the top of the repository.
fn below(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap().to_string_lossy().into_owned()
}

/// Manifests with one mistake each, which `scripts/schema-check` gives to an editor's validator, too.
fn mistakes() -> Vec<PathBuf> {
    files(&Path::new(ROOT).join("tests/schema/mistakes"))
}

#[test]
fn the_schema_accepts_the_shipped_manifest_and_every_example_in_it() {
    let manifest = schema("strix.toml");
    assert_eq!(fault(&manifest, &toml(&Path::new(ROOT).join("manifests/strix.toml"))), None);
    for (name, definition) in manifest["definitions"].as_object().unwrap() {
        for example in definition.get("examples").and_then(Value::as_array).into_iter().flatten() {
            let example = keys::whole(name, example.as_str().unwrap());
            assert_eq!(fault(&manifest, &toml::from_str(&example).unwrap()), None, "{name}");
        }
    }
}

#[test]
fn schema_and_parser_refuse_the_same_mistakes() {
    let manifest = schema("strix.toml");
    let mistakes = mistakes();
    assert!(mistakes.len() > 10);
    let project = Project::empty();
    for path in mistakes {
        let fault = fault(&manifest, &toml(&path));
        assert!(fault.is_some(), "the schema accepts {}", path.display());
        project.run(&["status", "--manifest", path.to_str().unwrap()]).code(3);
    }
}

#[test]
fn the_program_has_every_schema() {
    let project = Project::empty();
    let places = files(&Path::new(ROOT).join("docs/schema"));
    assert!(places.len() > 30);
    for path in places {
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".schema.json");
        let words: Vec<&str> = match name {
            "strix.toml" => vec!["manifest"],
            "strix.lock" => vec!["lock"],
            other => other.split('-').collect(),
        };
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let address = format!("{}/raw/v{}/{}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"), below(&path));
        assert_eq!(schema["$id"], address, "the address of a schema has the version of its release");
        let ran = project.run(&[&["schema"], words.as_slice()].concat()).code(0);
        assert_eq!(ran.stdout, std::fs::read_to_string(&path).unwrap(), "{name}");
    }
    let ran = project.run(&["schema", "statsu"]).code(2);
    assert!(ran.stderr.contains("did you mean `status`?"), "{}", ran.all());
}

#[test]
fn the_page_of_manifest_keys_is_made_from_the_schema() {
    let page = Project::empty().run(&["schema", "manifest", "--markdown"]).code(0).stdout;
    demand_equal("docs/reference/manifest.md", &page);
    for key in ["`target`", "`own-edges-only`", "`colliding-names`"] {
        assert!(page.contains(key), "{key}");
    }
}

#[test]
fn every_key_has_a_description() {
    fn described(place: &str, schema: &Value, bare: &mut Vec<String>) {
        let Some(map) = schema.as_object() else { return };
        for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let is_shared = property.get("$ref").is_some();
            if !is_shared && property.get("description").and_then(Value::as_str).is_none_or(str::is_empty) {
                bare.push(format!("{place}/{name}"));
            }
        }
        for (name, inner) in map.iter().filter(|(name, _)| !["oneOf", "anyOf", "allOf"].contains(&name.as_str())) {
            described(&format!("{place}/{name}"), inner, bare);
        }
    }
    let mut bare = Vec::new();
    for path in files(&Path::new(ROOT).join("docs/schema")) {
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        described(path.file_name().unwrap().to_str().unwrap(), &schema, &mut bare);
    }
    // Conditions and submodules say nothing of their own.
    bare.retain(|place| {
        !place.contains("/additionalProperties/") && !place.ends_with("input/type") && !place.ends_with("recipe/type")
    });
    assert!(bare.is_empty(), "{bare:#?}");
}
