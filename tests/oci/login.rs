//! Registries that want to know who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use strixlock_demo::http::{Body, Incoming, Response};
use strixlock_ground::digest::Sha256Digest;

use super::registry::{Image, MANIFEST};
use super::{SYSROOT, host, manifest};
use crate::support::Project;

/// `me:secret`
pub const LOGIN: &str = "bWU6c2VjcmV0";

/// A registry that opens its one repository, `team/base`, where it is told to, and asks for a login otherwise.
pub fn guarded(challenge: &'static str, opens: impl Fn(&Incoming) -> bool + Send + Sync + 'static) -> Project {
    let project = Project::empty();
    let image = Image::new(&[("etc/new", "1")]);
    let (_, text) = image.push(&project, "hidden/base");
    let server = project.upstream().server();
    let challenge = challenge.replace("[TOKEN]", &server.url("/token"));
    let mut blobs: Vec<Vec<u8>> = image.layers.iter().map(|(bytes, _)| bytes.clone()).collect();
    blobs.push(config_of(&project, &text));
    server.handle("/v2/team/base/", move |incoming: &Incoming| {
        if !opens(incoming) {
            return Response::text(401, "{}").header("WWW-Authenticate", &challenge);
        }
        let name = incoming.path.rsplit('/').next().unwrap_or_default();
        if incoming.path.contains("/manifests/") {
            return Response { status: 200, headers: Vec::new(), body: Body::Bytes(text.clone().into_bytes()) }
                .header("Content-Type", MANIFEST);
        }
        match blobs.iter().find(|blob| Sha256Digest::of(blob).to_string() == name) {
            Some(blob) => Response { status: 200, headers: Vec::new(), body: Body::Bytes(blob.clone()) },
            None => Response::text(404, "{}"),
        }
    });
    manifest(&project, "team/base:24.04", SYSROOT);
    project
}

/// The challenge of a registry with a token service.
pub const BEARER: &str = "Bearer realm=\"[TOKEN]\",service=\"demo\",scope=\"repository:other:push\"";

/// Whether a request shows that it is from `me`.
pub fn is_me(incoming: &Incoming) -> bool {
    incoming.header("authorization") == Some(&format!("Basic {LOGIN}"))
}

/// A registry that opens its one repository to whoever shows a token, which its own service gives to anybody, or only to
/// `me`.
pub fn with_tokens(public: bool) -> Project {
    let expired = AtomicBool::new(true);
    let project = guarded(BEARER, move |incoming| {
        // A token that was good runs out once, in the middle.
        let is_layer = incoming.path.contains("/blobs/");
        incoming.header("authorization") == Some("Bearer good") && !(is_layer && expired.swap(false, Ordering::SeqCst))
    });
    project.upstream().server().handle("/token", move |incoming: &Incoming| {
        let asked = (incoming.parameter("scope"), incoming.parameter("service"));
        let wanted = (Some("repository:team/base:pull".to_owned()), Some("demo".to_owned()));
        if asked != wanted || !(public || is_me(incoming)) {
            return Response::text(401, "{}");
        }
        Response::text(200, "{\"token\": \"good\", \"expires_in\": 60}")
    });
    project
}

fn config_of(project: &Project, manifest: &str) -> Vec<u8> {
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    let digest = manifest["config"]["digest"].as_str().unwrap();
    let url = project.upstream().server().url(&format!("/v2/hidden/base/blobs/{digest}"));
    let fetcher = strixlock::parts::Fetcher::new(
        strixlock::parts::FetchSettings::default(),
        Arc::new(strixlock_ground::progress::Silent),
    )
    .unwrap();
    strixlock::parts::Documents::get(&fetcher, &url.parse().unwrap(), 1 << 20).unwrap().body
}

#[test]
fn what_is_public_needs_no_login() {
    let project = with_tokens(true);
    project.run(&["update"]).code(0);
    project.run(&["realize", "root"]).code(0);
}

#[test]
fn the_credentials_that_podman_and_docker_keep_open_what_is_private() {
    let project = with_tokens(false);
    let ran = project.run(&["update"]).code(8);
    assert!(ran.stderr.contains(&format!("podman login {}`", host(&project))), "{}", ran.all());
    let auths = format!("{{\"auths\": {{\"{}\": {{\"auth\": \"{LOGIN}\"}}}}}}", host(&project));
    for place in ["home/.config/containers/auth.json", "home/.docker/config.json"] {
        let file = project.directory.path().join(place);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &auths).unwrap();
        let all =
            [project.run(&["update"]).code(0).all(), project.run(&["realize", "root"]).code(0).all(), project.lock()];
        for secret in [LOGIN, "secret", "Bearer", "good\""] {
            assert!(all.iter().all(|text| !text.contains(secret)), "{secret}: {all:?}");
        }
        // Nor does the store keep any of it.
        let found = std::process::Command::new("grep")
            .args(["-rlE", "Bearer|secret|bWU6c2Vj"])
            .arg(project.store("main"))
            .output();
        assert!(found.unwrap().stdout.is_empty());
        std::fs::remove_file(&file).unwrap();
        std::fs::remove_file(project.path("lock/strix.lock")).unwrap();
        project.run(&["update"]).code(8);
    }
}

#[test]
fn a_login_that_cannot_be_used_is_told_with_its_place() {
    let project = with_tokens(false);
    let host = host(&project);
    let file = project.directory.path().join("home/.docker/config.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    for (kept, why) in [
        (
            format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6", "identitytoken": "hidden-token"}}}}}}"#),
            "only an identity token is stored",
        ),
        (format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6b2xk"}}}}}}"#), "was not accepted"),
    ] {
        std::fs::write(&file, kept).unwrap();
        let ran = project.run(&["update"]).code(8);
        for part in [why, ".docker/config.json", &format!("podman login {host}`")] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.all());
        }
        assert!(!ran.all().contains("hidden-token") && !ran.all().contains("bWU6"), "{}", ran.all());
    }
}

#[test]
fn a_login_that_nobody_here_knows_is_named() {
    for (challenge, why) in [
        ("Negotiate", "an unsupported kind of login"),
        ("", "an unsupported kind of login"),
        ("Basic realm=\"x\"", "the registry requires a user and password"),
        ("Bearer realm=\"http://tokens.example/\"", "plain http is only used with loopback hosts"),
        ("Bearer realm=\"file:///etc/passwd\"", "it names a local file"),
        ("Bearer realm=\"not a url\"", "it names no URL"),
    ] {
        let project = Project::empty();
        project.upstream().server().handle("/v2/team/base/", move |_: &Incoming| {
            Response::text(401, "{}").header("WWW-Authenticate", challenge)
        });
        manifest(&project, "team/base:24.04", SYSROOT);
        let ran = project.run(&["update"]);
        assert!(matches!(ran.code, 5 | 8) && ran.stderr.contains(why), "{challenge} {why}: {}", ran.all());
    }
}

#[test]
fn token_services_that_send_no_token_are_told() {
    for (answer, why) in [
        ("{}", "its token service sent no token"),
        ("<html>", "its token service sent no token"),
        ("{\"token\": \"a\\nb\"}", "its token cannot be sent"),
    ] {
        let project = Project::empty();
        let server = project.upstream().server();
        let realm = server.url("/token");
        server.handle("/v2/team/base/", move |_: &Incoming| {
            Response::text(401, "{}").header("WWW-Authenticate", &format!("Bearer realm=\"{realm}\""))
        });
        server.handle("/token", move |_: &Incoming| Response::text(200, answer));
        manifest(&project, "team/base:24.04", SYSROOT);
        let ran = project.run(&["update"]).code(5);
        assert!(ran.stderr.contains(why), "{why}: {}", ran.all());
    }
}
