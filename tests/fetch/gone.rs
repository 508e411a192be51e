//! Files that have gone: hints that are true, mirrors, and addresses after a redirect.

use strixlock_demo::http::Resource;
use strixlock_demo::{Fault, Generation, Nightly};

use super::{TARBALL, VERSION, locked};
use crate::support::{Project, REQUIRES, rocm_input};

#[test]
fn what_is_not_there_is_told_as_what_it_is() {
    let project = locked();
    project.write("strixlock.toml", "rounds = 1\n");
    project.upstream().server().fault(TARBALL, Fault::status(404, usize::MAX));
    insta::assert_snapshot!(project.run(&["-q", "realize"]).all(), @r"
    exit code 9
    --- stderr
    error: rocm: the server answered 404 Not Found
      url  [UPSTREAM]/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz
    hint: AMD's policy is to keep the last 120 nightlies, and this one is of 2026-09-01: name a mirror that kept it in the configuration, or take another build with `strixlock update rocm`
    ");
    let index = format!("{}rocm/nowhere/", project.base());
    project.write("manifests/strix.toml", &format!("{REQUIRES}{}", rocm_input(&index, "latest")));
    insta::assert_snapshot!(project.run(&["update"]).all(), @r"
    exit code 9
    --- stderr
    error: rocm: the server answered 404 Not Found
      url  [UPSTREAM]/rocm/nowhere/
    hint: the index may have moved again: look for its new address and name it under `sources` in the manifest
    ");
    // Object stores answer 403 for missing files.
    project.upstream().server().fault("/rocm/nowhere/", Fault::status(403, usize::MAX));
    let ran = project.run(&["update"]).code(8);
    assert!(ran.stderr.contains("hint: the index may have moved again"), "{}", ran.all());
    let file = format!("{}model.gguf", project.base());
    project.write("manifests/strix.toml", &format!("{REQUIRES}[inputs.data]\ntype = \"file\"\nurl = \"{file}\"\n"));
    insta::assert_snapshot!(project.run(&["update"]).all(), @r"
    exit code 9
    --- stderr
    error: data: the server answered 404 Not Found
      url  [UPSTREAM]/model.gguf
    hint: check the address
    ");
}

#[test]
fn the_error_of_the_first_address_is_kept_and_the_others_are_named() {
    let project = locked();
    let base = project.base();
    project.write(
        "strixlock.toml",
        &format!(
            "rounds = 1\nmirrors = [{{ of = \"{base}rocm\", at = \"{base}mirrored/\" }}, \
             {{ of = \"{base}roc\", at = \"{base}wrong\" }}]\n"
        ),
    );
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::status(403, usize::MAX));
    let ran = project.run(&["-q", "realize"]).code(8);
    assert!(ran.stderr.contains("error: rocm: the server answered 403 Forbidden\n"), "{}", ran.all());
    let name = TARBALL.strip_prefix("/rocm/").unwrap();
    let also = format!("also asked  [UPSTREAM]/mirrored/{name}: the server answered 404 Not Found\n");
    assert!(ran.stderr.contains(&also), "{}", ran.all());
    assert!(server.log().iter().all(|request| !request.path.starts_with("/wrong")), "`roc` is no directory of it");
    // A mirror without its last slash works as well.
    let tarball = std::fs::read(project.upstream().tarball(&Nightly::new(VERSION)).unwrap()).unwrap();
    server.put(&format!("/mirrored/{name}"), Resource::bytes(tarball));
    project.run(&["realize"]).code(0);
}

#[test]
fn links_of_an_index_are_relative_to_the_address_that_answered() {
    let project = Project::empty();
    project.upstream().publish(Generation::Streams, &Nightly::new(VERSION));
    let server = project.upstream().server();
    server.put("/moved", Resource::html(""));
    server.fault("/moved", Fault::Redirect(project.index()));
    let index = server.url("/moved");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{}", rocm_input(&index, "latest")));
    project.run(&["update"]).code(0);
    assert!(project.lock().contains(&server.url(TARBALL)), "{}", project.lock());
}

#[test]
fn an_index_that_a_mirror_gives_is_that_of_the_original() {
    let project = Project::empty();
    let nightly = Nightly::new(VERSION);
    project.upstream().publish(Generation::Streams, &nightly);
    let (server, base) = (project.upstream().server(), project.base());
    let index = format!("{base}original/tarball/");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{}", rocm_input(&index, "latest")));
    project.write(
        "strixlock.toml",
        &format!("rounds = 1\nmirrors = [{{ of = \"{base}original\", at = \"{base}rocm/core\" }}]\n"),
    );
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains("a mirror answered, which may be out of date"), "{}", ran.all());
    let name = TARBALL.rsplit('/').next().unwrap();
    assert!(project.lock().contains(&server.url(&format!("/original/tarball/{name}"))), "{}", project.lock());
}

#[test]
fn what_was_replaced_unseen_is_taken_anew_when_asked() {
    let project = locked();
    let before = project.lock();
    // Other bytes of the same size, so that neither index nor length tells.
    let mut bytes = std::fs::read(project.upstream().tarball(&Nightly::new(VERSION)).unwrap()).unwrap();
    let time = bytes.get_mut(4).unwrap();
    *time ^= 1;
    project.upstream().server().put(TARBALL, Resource::bytes(bytes));
    let ran = project.run(&["realize"]).code(5);
    assert!(ran.stderr.contains("`strixlock update rocm --accept-replaced`"), "{}", ran.all());
    project.run(&["update"]).code(0);
    assert_eq!(project.lock(), before, "nothing tells before it is downloaded");
    project.run(&["update", "rocm", "--accept-replaced"]).code(0);
    assert_ne!(project.lock(), before);
    project.run(&["realize"]).code(0);
}
