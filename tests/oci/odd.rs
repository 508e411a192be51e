//! Configurations with fields of another form than the specification's: trees are made without them, images need some.

use serde_json::{Value, json};

use super::registry::Image;
use super::{FROM, SYSROOT, exported_config, manifest, push};
use crate::support::Project;

/// A project whose base image has a configuration with these fields in place of the usual ones.
fn with(fields: &Value, indexed: bool) -> Project {
    let project = Project::empty();
    let mut image = Image::new(&[("a", "1")]);
    if fields.is_object() {
        for (name, value) in fields.as_object().unwrap() {
            image.config[name] = value.clone();
        }
    } else {
        image.config = fields.clone();
    }
    push(&project, &image, indexed);
    project
}

#[test]
fn a_tree_is_the_same_whatever_its_image_says_of_how_it_is_run() {
    let mut trees = Vec::new();
    for (fields, told) in [
        (json!({}), ""),
        (json!({ "Cmd": "sh" }), "Cmd: expected a list of strings, found a string"),
        (json!({ "Labels": { "a": 1, "b": "2" } }), "Labels `a`: expected a string, found a number"),
        (json!({ "Entrypoint": ["sh", 1] }), "Entrypoint: expected a list of strings, found a list of another form"),
        (json!({ "Env": ["A=1", {}] }), "Env `2`: expected a string, found an object"),
        (json!({ "User": 1000, "ExposedPorts": ["80/tcp"] }), "ExposedPorts: expected an object, found a list"),
        (json!({ "WorkingDir": [] }), "WorkingDir: expected a string, found a list"),
        (json!({ "Healthcheck": true }), "Healthcheck: expected an object as Docker writes it, found a boolean"),
        (json!("sh"), "config: expected an object"),
    ] {
        let project = with(&fields, fields.get("Cmd").is_some());
        manifest(&project, "team/base:24.04", SYSROOT);
        let ran = project.run(&["update", "--json"]).code(0);
        let warnings = ran.json()["warnings"].as_array().unwrap().clone();
        assert_eq!(warnings.len(), usize::from(!told.is_empty()), "{}", ran.all());
        for warning in &warnings {
            let warning = warning.as_str().unwrap();
            assert!(warning.starts_with("base: ignored") && warning.contains(told), "{told}: {warning}");
        }
        trees.push(project.run(&["realize", "root", "--json"]).code(0).tree("root"));
    }
    trees.dedup();
    assert_eq!(trees.len(), 1);
}

#[test]
fn an_image_fails_where_it_takes_an_odd_field_of_its_base_and_the_hint_helps() {
    for (fields, told, hint, mended) in [
        (json!({ "Labels": { "a": 1 } }), "Labels `a`", "set this label", "labels = { a = \"mine\" }\n"),
        (json!({ "User": 1000 }), "User: expected a string", "set `user`", "user = \"1000\"\n"),
        (json!({ "Cmd": "sh" }), "Cmd: expected a list", "set `llama` and `program` in the output", ""),
        (json!({ "Env": 5 }), "Env: expected a list", "use another base image", ""),
    ] {
        let project = with(&fields, false);
        manifest(&project, "team/base:24.04", &format!("{SYSROOT}{FROM}"));
        project.run(&["update"]).code(0);
        project.run(&["realize", "root"]).code(0);
        let ran = project.run(&["export", "oci"]).code(3);
        assert!(ran.stderr.contains(told) && ran.stderr.contains(hint), "{}", ran.all());
        if !mended.is_empty() {
            manifest(&project, "team/base:24.04", &format!("{FROM}{mended}"));
            project.run(&["update"]).code(0);
            project.run(&["export", "oci"]).code(0);
        }
    }
}

#[test]
fn an_image_that_does_not_need_an_odd_field_tells_of_it_and_has_the_others() {
    let project = with(&json!({ "ExposedPorts": ["80/tcp"], "StopSignal": 9, "WorkingDir": "/srv" }), false);
    manifest(&project, "team/base:24.04", FROM);
    project.run(&["update"]).code(0);
    let ran = project.run(&["export", "oci", "--output", "out"]).code(0);
    assert!(ran.stderr.contains("base: ignored in the image's configuration: ExposedPorts"), "{}", ran.all());
    let said = project.run(&["export", "oci", "--json", "--output", "out"]).code(0).json();
    let config = exported_config(&project, &said);
    assert_eq!((&config["WorkingDir"], &config["Cmd"]), (&json!("/srv"), &json!(["bash"])));
    assert!(config.get("ExposedPorts").is_none() && config.get("StopSignal").is_none());
}
