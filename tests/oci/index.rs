//! Indexes as tools write them: with variants, twins, remarks and indexes in them; and documents without a media type.

use serde_json::{Value, json};

use super::registry::{INDEX, Image, MANIFEST, put, serve};
use super::{SYSROOT, manifest};
use crate::support::Project;

const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// An image whose tree tells which it is.
fn image(name: &str) -> Image {
    Image::new(&[("etc/name", name)])
}

/// An image's entry in an index, with this platform and more fields.
fn entry(project: &Project, image: &Image, platform: &Value, more: &Value) -> Value {
    let (mut entry, _) = image.push(project, "team/base");
    if !platform.is_null() {
        entry["platform"] = platform.clone();
    }
    entry.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    entry
}

fn amd64(variant: &str) -> Value {
    json!({ "os": "linux", "architecture": "amd64", "variant": variant })
}

/// Serves an index of these entries under the tag.
fn tagged(project: &Project, entries: &[Value]) {
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    serve(project, "team/base", "24.04", index.to_string().as_bytes(), INDEX);
    manifest(project, "team/base:24.04", SYSROOT);
}

/// The name of the image that comes out, and what was said on the way.
fn taken(project: &Project) -> (String, String) {
    let said = project.run(&["update"]).code(0).all();
    project.run(&["realize", "root"]).code(0);
    (std::fs::read_to_string(project.store("main").join("current/root/etc/name")).unwrap(), said)
}

#[test]
fn of_several_variants_the_one_without_or_the_highest_that_fits_is_taken() {
    for (variants, wanted, told) in [
        (&["v2", "", "v3"][..], "", ""),
        (&["v1", "v3", "v2"], "v3", "linux/amd64/v3: no entry without a variant"),
        (&["v9", "v2"], "v2", "linux/amd64/v2: no entry"),
        (&["v3"], "v3", "linux/amd64/v3: no entry without a variant"),
    ] {
        let project = Project::empty();
        let none = Value::Null;
        let entries: Vec<Value> =
            variants.iter().map(|name| entry(&project, &image(name), &amd64(name), &none)).collect();
        tagged(&project, &entries);
        let (name, said) = taken(&project);
        assert!(name == wanted && said.contains(told), "{variants:?}: {name}, {said}");
    }
}

#[test]
fn of_twins_the_first_is_taken_and_told() {
    let project = Project::empty();
    let zstd = json!({ "annotations": { "io.github.containers.compression.zstd": "true" } });
    let entries =
        [entry(&project, &image("gzip"), &amd64(""), &Value::Null), entry(&project, &image("zstd"), &amd64(""), &zstd)];
    tagged(&project, &entries);
    let (name, said) = taken(&project);
    assert!(name == "gzip" && said.contains("the first of 2 for linux/amd64"), "{name} {said}");
}

#[test]
fn odd_neighbours_spoil_nothing() {
    let project = Project::empty();
    let other = |platform: &Value, more: &Value| entry(&project, &image("other"), platform, more);
    let mut odd = vec![
        json!({ "mediaType": MANIFEST, "digest": "sha512:00", "size": 1, "platform": { "os": "linux", "architecture": "arm64" } }),
        json!({ "mediaType": MANIFEST, "digest": "sha512:00", "size": 1 }),
        other(&json!({}), &json!({ "artifactType": "application/spdx+json" })),
        other(&json!({ "os": "linux", "architecture": "" }), &Value::Null),
        other(&json!({ "os": "unknown", "architecture": "unknown" }), &json!({ "annotations": null })),
        json!({ "mediaType": "application/vnd.example", "digest": "sha256:x", "size": "1", "platform": [] }),
        json!("text"),
        Value::Null,
    ];
    let wanted = json!({ "annotations": { "a": null, "b": { "c": [] } }, "urls": null, "more": 1 });
    odd.insert(
        3,
        entry(
            &project,
            &image("wanted"),
            &json!({ "os": "linux", "architecture": "amd64", "os.features": 5 }),
            &wanted,
        ),
    );
    tagged(&project, &odd);
    let (name, said) = taken(&project);
    assert!(name == "wanted" && said.contains("7 entries of the index without an image"), "{name} {said}");
}

#[test]
fn entries_without_a_platform_are_told_by_their_configuration() {
    let project = Project::empty();
    let arm = Image { architecture: "arm64", ..image("arm") };
    let gone =
        json!({ "mediaType": MANIFEST, "digest": strixlock_ground::digest::Sha256Digest::of(b"gone"), "size": 5 });
    let none = Value::Null;
    tagged(
        &project,
        &[gone.clone(), entry(&project, &arm, &none, &none), entry(&project, &image("amd"), &json!({}), &none)],
    );
    assert_eq!(taken(&project).0, "amd");
    // Nothing fits: what there is is told.
    tagged(&project, &[gone, entry(&project, &arm, &none, &none)]);
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("it is for") && ran.stderr.contains("linux/arm64"), "{}", ran.all());
    assert!(ran.stderr.contains("1 entries") && ran.stderr.contains("no such image"), "{}", ran.all());
}

/// Puts entries into so many indexes, one in the other; the outermost one's entry.
fn nested(project: &Project, entries: Vec<Value>, depth: usize, platform: &Value) -> Value {
    let mut inner = entries;
    for _ in 0..depth {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": inner });
        let mut entry = put(project, "team/base", &index, INDEX);
        entry["platform"] = platform.clone();
        inner = vec![entry];
    }
    inner.swap_remove(0)
}

#[test]
fn an_index_in_an_index_is_followed_so_deep_and_no_deeper() {
    for (depth, platform, code) in
        [(1, Value::Null, 0), (3, amd64(""), 0), (1, json!({}), 0), (4, amd64(""), 3), (9, Value::Null, 9)]
    {
        let project = Project::empty();
        let wanted = entry(&project, &image("wanted"), &amd64(""), &Value::Null);
        tagged(&project, &[nested(&project, vec![wanted], depth, &platform)]);
        let ran = project.run(&["update"]).code(code);
        if code == 0 {
            assert_eq!(taken(&project).0, "wanted");
            let lock: Value = serde_json::from_str(&project.lock()).unwrap();
            assert!(lock["inputs"]["base"]["locked"]["index"].is_object());
        } else {
            assert!(ran.stderr.contains("more than 4 nested indexes"), "{}", ran.all());
        }
    }
}

#[test]
fn an_index_does_not_make_us_look_at_everything_that_there_is() {
    let project = Project::empty();
    let arm = |number: usize| Image { architecture: "arm64", ..image(&number.to_string()) };
    let entries: Vec<Value> = (0..40).map(|number| entry(&project, &arm(number), &Value::Null, &Value::Null)).collect();
    tagged(&project, &entries);
    project.upstream().server().clear_log();
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("more than 16 documents"), "{}", ran.all());
    assert_eq!(project.upstream().server().log().len(), 1 + 2 * 16);
}

#[test]
fn what_is_wanted_and_cannot_be_used_is_an_error() {
    let project = Project::empty();
    let broken = json!({ "mediaType": MANIFEST, "digest": "sha512:00", "size": 1, "platform": amd64("") });
    tagged(&project, std::slice::from_ref(&broken));
    let ran = project.run(&["update"]).code(5);
    assert!(ran.stderr.contains("the index's entry for linux/amd64 cannot be used"), "{}", ran.all());
    tagged(&project, &[broken, entry(&project, &image("v3"), &amd64("v3"), &Value::Null)]);
    assert_eq!(taken(&project).0, "v3");
}

#[test]
fn documents_without_a_media_type_are_told_by_their_shape() {
    for kind in ["application/json", "text/plain; charset=utf-8", "", LIST, MANIFEST] {
        let project = Project::empty();
        let (_, text) = image("inner").push(&project, "team/base");
        let mut document: Value = serde_json::from_str(&text).unwrap();
        document.as_object_mut().unwrap().remove("mediaType");
        let mut descriptor = put(&project, "team/base", &document, kind);
        serve(&project, "team/base", "24.04", document.to_string().as_bytes(), kind);
        manifest(&project, "team/base:24.04", SYSROOT);
        assert_eq!(taken(&project).0, "inner", "{kind}");
        descriptor["platform"] = amd64("");
        descriptor["mediaType"] = json!(MANIFEST);
        let index = json!({ "schemaVersion": 2, "manifests": [descriptor] });
        serve(&project, "team/base", "24.04", index.to_string().as_bytes(), kind);
        assert_eq!(taken(&project).0, "inner", "{kind}");
    }
}
