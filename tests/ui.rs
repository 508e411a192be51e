//! The web UI of llama-server: pinned with the build, and embedded in it.

use strixlock_demo::raw_tar::RawEntry;
use strixlock_demo::{http::Resource, llama, ui};
use strixlock_ground::digest::Sha256Digest;

use crate::support::{Project, REQUIRES, Ran};

/// Asks for a build of these sources for the processor, with these fields, and for the web UIs of the upstream.
fn manifest(project: &Project, source: &str, fields: &str) {
    let (git, sources) = (project.upstream().git_url(), project.upstream().ui_source());
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{git}\"\n{source}\n\
             [inputs.llama-cpp-ui]\ntype = \"llama-ui\"\nsources = [\"{sources}\"]\n\n\
             [outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n{fields}\n"
        ),
    );
}

pub fn asks(project: &Project) {
    manifest(project, "", "ui = \"upstream\"");
}

/// Returns the pin of the web UI.
fn pin(project: &Project) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(&project.lock()).unwrap()["inputs"]["llama-cpp-ui"]["locked"].clone()
}

/// Realizes the build and returns what its server says that it serves.
fn served(project: &Project) -> String {
    project.run(&["realize"]).code(0);
    let ran = project.run(&["run", "llama-server"]).code(0);
    ran.stdout.trim().rsplit(' ').next().unwrap().to_owned()
}

fn page(number: u64) -> String {
    Sha256Digest::of(ui::page(number).as_bytes()).hex()
}

#[track_caller]
fn refused(project: &Project, code: i32, texts: &[&str]) -> Ran {
    let ran = project.run(&["update"]).code(code);
    for text in texts {
        assert!(ran.stderr.contains(text), "{text}: {}", ran.all());
    }
    assert!(!project.path("lock/strix.lock").exists());
    ran
}

#[test]
fn the_bundle_of_the_pinned_build_is_embedded() {
    let project = Project::empty();
    asks(&project);
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("llama-cpp-ui b8\n"), "{}", ran.all());
    let locked = pin(&project);
    assert_eq!((&locked["for"], &locked["bundle"]["number"]), (&8.into(), &8.into()));
    let before = project.lock();
    project.run(&["update"]).code(0);
    project.run(&["update", "llama-cpp-ui"]).code(0);
    assert_eq!(project.lock(), before);
    assert_eq!(served(&project), page(8));
    project.run(&["audit"]).code(0);
    let text = project.read("REPRODUCIBLE.md");
    assert!(text.contains("- web UI: `input llama-cpp-ui`") && text.contains("- published for: `b8`"), "{text}");
    assert!(text.contains("| llama-cpp-ui | llama-ui | b8 | digest published by upstream |"), "{text}");
    // The version of the build is that of its sources.
    assert!(project.run(&["status"]).code(0).stdout.contains("b8"));
    // Nothing but the pin is needed to have it again, from the URL in it.
    project.upstream().server().clear_log();
    project.run_in_store("other", &["realize"]).code(0);
    let asked = project.upstream().server().log();
    let asked: Vec<_> = asked.iter().filter(|request| request.path.contains("llama-ui")).collect();
    assert!(asked.len() == 1 && asked[0].path.ends_with("/b8/dist.tar.gz"), "{asked:?}");
    // Built without, it is another output, and serves nothing.
    manifest(&project, "", "ui = false");
    project.run(&["update"]).code(0);
    assert_eq!(served(&project), "nothing");
}

#[test]
fn a_build_without_the_field_asks_for_no_web_ui_and_keeps_its_request() {
    let project = Project::empty();
    let recipe = |fields: &str| {
        manifest(&project, "", fields);
        project.run(&["update"]).code(0);
        let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
        (lock["outputs"]["llama"].clone(), project.derivation("llama"))
    };
    let without = recipe("");
    assert_eq!(without.0["recipe"]["ui"], serde_json::Value::Null);
    assert_eq!(recipe("ui = false"), without);
    assert_ne!(recipe("ui = \"upstream\"").1, without.1);
    // The input that the word stands for can be named.
    assert_eq!(recipe("ui = \"llama-cpp-ui\"").0["recipe"]["ui"], "llama-cpp-ui");
}

#[test]
fn a_build_without_a_bundle_takes_the_nearest_older_one_and_says_so() {
    let project = Project::empty();
    let commit = project.upstream().llama().unwrap().commits[6].clone();
    manifest(&project, &format!("commit = \"{commit}\""), "ui = \"upstream\"");
    let ran = project.run(&["update"]).code(0);
    let told = "b7 has no web UI of its own; this is that of b6, the nearest older one";
    assert!(ran.stdout.contains("llama-cpp-ui b6 for b7\n") && ran.stderr.contains(told), "{}", ran.all());
    assert_eq!(served(&project), page(6));
    project.run(&["audit"]).code(0);
    assert!(project.read("REPRODUCIBLE.md").contains(told));
    // Its own is taken as soon as it is published.
    project.upstream().publish_ui(7, &ui::bundle(7)).unwrap();
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("llama-cpp-ui b6 for b7 -> b7"), "{}", ran.all());
}

#[test]
fn a_web_ui_follows_its_sources_even_if_only_they_are_updated() {
    let project = Project::empty();
    manifest(&project, "tag = \"b6\"", "ui = \"upstream\"");
    project.run(&["update"]).code(0);
    asks(&project);
    let dry = project.run(&["update", "--dry-run"]).code(0);
    assert!(dry.stdout.contains("llama-cpp-ui follows"), "{}", dry.all());
    let ran = project.run(&["update", "llama-cpp"]).code(0);
    assert!(ran.stdout.contains("llama-cpp-ui b6 -> b8 (the input that it follows changed)"), "{}", ran.all());
    // A merge that took one block from here and the other from there is told before anything is built.
    let new = project.lock();
    manifest(&project, "tag = \"b6\"", "ui = \"upstream\"");
    project.run(&["update"]).code(0);
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (mut merged, old) = (read(&new), read(&project.lock()));
    merged["inputs"]["llama-cpp-ui"] = old["inputs"]["llama-cpp-ui"].clone();
    asks(&project);
    project.write("lock/strix.lock", &format!("{}\n", serde_json::to_string_pretty(&merged).unwrap()));
    let ran = project.run(&["realize"]).code(3);
    assert!(ran.stderr.contains("the web UI in the lock is for another build than the sources"), "{}", ran.all());
    project.run(&["update", "llama-cpp-ui"]).code(0);
    assert_eq!(project.lock(), new);
}

#[test]
fn no_bundle_at_all_is_an_error_with_the_way_out() {
    let project = Project::empty();
    for number in [2, 4, 6, 8] {
        project.upstream().withdraw_ui(number);
    }
    asks(&project);
    refused(&project, 9, &["no web UI is published for b8", "asked for  b1 to b8", "`ui = false`"]);
}

#[test]
fn another_digest_than_the_published_one_is_refused() {
    let project = Project::empty();
    let server = project.upstream().server();
    let at = |suffix: &str| format!("/ggml-org/llama-ui/b8/dist.tar.gz{suffix}");
    server.put(&at(".sha256"), Resource::bytes("1".repeat(64)));
    asks(&project);
    refused(&project, 5, &["does not match the digest that is published for it", "published at"]);
    server.put(&at(".sha256"), Resource::bytes("latest\n"));
    refused(&project, 5, &["the digest file of the web UI has no SHA-256"]);

    // Upstream replaces what is locked.
    project.upstream().publish_ui(8, &ui::bundle(8)).unwrap();
    project.run(&["update"]).code(0);
    let before = project.lock();
    project.upstream().publish_ui(8, &ui::bundle(9)).unwrap();
    let ran = project.run(&["update", "llama-cpp-ui"]).code(5);
    assert!(ran.stderr.contains("--accept-replaced"), "{}", ran.all());
    assert_eq!(project.lock(), before);
    let ran = project.run_in_store("other", &["realize"]).code(5);
    assert!(ran.stderr.contains("llama-cpp-ui"), "{}", ran.all());
    project.run(&["update", "llama-cpp-ui", "--accept-replaced"]).code(0);
    assert_ne!(project.lock(), before);
    assert_eq!(served(&project), page(9));
}

#[test]
fn bundles_that_lack_files_or_have_hostile_names_are_refused() {
    let index = || RawEntry::file("index.html", b"<html>");
    for (files, texts) in [
        (vec![index(), RawEntry::file("sw.js", b"1")], vec!["lacks files that these sources need", "bundle*.js"]),
        (vec![RawEntry::file("../index.html", b"x"), index()], vec!["..", "index.html"]),
        (vec![index(), RawEntry::link("sw.js", "/etc/passwd")], vec!["sw.js"]),
        (vec![RawEntry::link("_app", "/etc"), RawEntry::file("_app/passwd", b"x")], vec!["_app"]),
        (vec![], vec!["missing", "index.html"]),
    ] {
        let project = Project::empty();
        project.upstream().publish_ui(8, &files).unwrap();
        asks(&project);
        refused(&project, 3, &texts);
        assert!(!project.published("main").iter().any(|name| name.contains("index.html")));
    }
}

#[test]
fn a_bundle_may_be_wrapped_in_a_directory() {
    let project = Project::empty();
    let wrapped: Vec<RawEntry> = [("index.html", &b"<html>"[..]), ("sw.js", b"1"), ("bundle.js", b"2")]
        .map(|(name, bytes)| RawEntry::file(format!("llama-b8-ui/{name}"), bytes))
        .into();
    project.upstream().publish_ui(8, &wrapped).unwrap();
    asks(&project);
    project.run(&["update"]).code(0);
    assert_eq!(served(&project), Sha256Digest::of(b"<html>").hex());
}

#[test]
fn sources_that_have_the_files_need_no_bundle() {
    let project = Project::empty();
    let file = |path: &str, bytes: &[u8]| llama::SourceFile {
        path: format!("tools/ui/dist/{path}"),
        mode: llama::Mode::Plain,
        bytes: bytes.to_vec(),
    };
    let files = [file("index.html", b"<html>"), file("sw.js", b"1"), file("bundle.js", b"2")];
    llama::add_files(&project.upstream().llama_repository(), &files).unwrap();
    asks(&project);
    project.upstream().server().clear_log();
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("the sources have its files themselves: nothing is fetched"), "{}", ran.all());
    let asked = project.upstream().server().log();
    assert!(!asked.iter().any(|request| request.path.contains("llama-ui")), "{asked:?}");
    assert_eq!(pin(&project), serde_json::json!({ "for": 9 }));
    assert_eq!(served(&project), Sha256Digest::of(b"<html>").hex());
    project.run(&["audit"]).code(0);
    let text = project.read("REPRODUCIBLE.md");
    assert!(text.contains("- the sources have its files themselves") && text.contains(" | as llama-cpp |"), "{text}");
}

#[test]
fn the_word_alone_works_offline_from_a_mirror() {
    let project = Project::empty();
    let repository = project.upstream().llama_repository();
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"file://{}\"\n\n\
             [outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\nui = \"upstream\"\n",
            repository.display()
        ),
    );
    let ran = project.run(&["--offline", "update"]).code(8);
    assert!(ran.stderr.contains("huggingface.co") && ran.stderr.contains("--offline forbids"), "{}", ran.all());
    let bundle = ui::packed(&ui::bundle(8)).unwrap();
    let mirror = project.directory.path().join("mirror/b8");
    std::fs::create_dir_all(&mirror).unwrap();
    std::fs::write(mirror.join("dist.tar.gz"), &bundle).unwrap();
    std::fs::write(mirror.join("dist.tar.gz.sha256"), Sha256Digest::of(&bundle).hex()).unwrap();
    project.write(
        "strixlock.toml",
        &format!(
            "mirrors = [{{ of = \"https://huggingface.co/buckets/ggml-org/llama-ui/resolve/\", at = \"{}/mirror/\" }}]\n",
            project.directory.path().display()
        ),
    );
    project.run(&["--offline", "update"]).code(0);
    assert_eq!(
        pin(&project)["bundle"]["urls"][0],
        "https://huggingface.co/buckets/ggml-org/llama-ui/resolve/b8/dist.tar.gz"
    );
    project.run(&["--offline", "realize"]).code(0);
    assert_eq!(served(&project), page(8));
}

#[test]
fn a_manifest_is_told_what_is_wrong_with_its_web_ui() {
    let project = Project::empty();
    let git = "[inputs.llama-cpp]\ntype = \"git\"\nurl = \"https://demo.invalid/x.git\"\n";
    let llama = "[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n";
    let input = "[inputs.llama-cpp-ui]\ntype = \"llama-ui\"\n";
    for (text, told) in [
        (format!("{git}{llama}ui = true\n"), "`ui` must be \"upstream\", the name of an input, or false"),
        (format!("{git}{llama}ui = \"upstrem\"\n"), "there is no input `upstrem`"),
        (
            format!("{git}{llama}ui = \"llama-cpp\"\n"),
            "expected an input of type `llama-ui`, but `llama-cpp` has type `git`",
        ),
        (format!("{git}{input}sources = [\"https://h/dist.tar.gz\"]\n"), "needs `{number}`"),
        (format!("{git}{input}sources = [\"ftp://h/{{number}}\"]\n"), "`ftp:` URLs cannot be fetched"),
        (format!("{git}{input}for = \"llama-cp\"\n"), "there is no input `llama-cp`"),
        (
            format!("{git}[inputs.llama-cpp-ui]\ntype = \"file\"\nurl = \"file:///x\"\n{llama}ui = \"upstream\"\n"),
            "expected an input of type `llama-ui`, but `llama-cpp-ui` has type `file`",
        ),
    ] {
        project.write("manifests/strix.toml", &format!("{REQUIRES}{text}"));
        refused(&project, 3, &[told]);
    }
}
