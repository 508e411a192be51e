//! What a hub refuses, and what a network does to a model: errors that say what to do, and tokens that go nowhere else.

use strixlock_demo::Fault;
use strixlock_demo::gguf_maker::{Shape, model};
use strixlock_demo::hub::{Access, Hub, MEMBER, STRANGER};

use super::hub::{REPO, project, project_with, write_manifest};
use crate::support::{Project, Ran};

const MODEL: &str = "model = \"demo/tiny-GGUF:F32\"";
const RESOLVE: &str = "/hub/demo/tiny-GGUF/resolve/*";

fn run_as(project: &Project, hub: &Hub, token: &str, arguments: &[&str]) -> Ran {
    let mut command = project.command(arguments);
    command.env("HF_TOKEN", token).env("HF_ENDPOINT", hub.endpoint());
    project.finish(command.output().unwrap())
}

/// Every file below a directory that holds this text.
fn holding(directory: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if std::fs::read(&path).unwrap_or_default().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_gated_repository_says_how_to_get_in() {
    let (project, hub) = project_with(MODEL, Access::Gated);
    insta::assert_snapshot!(without_commit(&project.run(&["update"]).all()), @r"
    exit code 8
    --- stderr
    error: model: the repository is gated: it is only for accounts that accepted its conditions
      url     [UPSTREAM]/hub/demo/tiny-GGUF/resolve/[COMMIT]/tiny-F32.gguf
      answer  401 Unauthorized
      file    tiny-F32.gguf
    hint: accept them on [UPSTREAM]/hub/demo/tiny-GGUF, then put a token that may read into HF_TOKEN, or run `hf auth login`
    ");
    insta::assert_snapshot!(without_commit(&run_as(&project, &hub, STRANGER, &["update"]).all()), @r"
    exit code 8
    --- stderr
    error: model: the repository is gated, and the account of your token has no access
      url     [UPSTREAM]/hub/demo/tiny-GGUF/resolve/[COMMIT]/tiny-F32.gguf
      answer  403 Forbidden
      file    tiny-F32.gguf
    hint: accept its conditions on [UPSTREAM]/hub/demo/tiny-GGUF with that account, and wait for the owner's approval if the page says so
    ");
    run_as(&project, &hub, MEMBER, &["update"]).code(0);
    run_as(&project, &hub, MEMBER, &["realize"]).code(0);
}

/// A text with the commit in an address replaced.
fn without_commit(text: &str) -> String {
    let part = |part: &str| if part.len() == 40 { "[COMMIT]".to_owned() } else { part.to_owned() };
    text.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[test]
fn repositories_revisions_and_files_that_are_not_there_are_told_apart() {
    let (project, hub) = project(MODEL);
    for (fields, code, message) in [
        ("model = \"demo/none-GGUF:F32\"", 9, "the hub has no such repository, or it is private"),
        ("model = \"demo/tiny-GGUF:F32\"\nrevision = \"v9\"", 9, "the repository has no such revision"),
        ("model = \"demo/tiny-GGUF:Q4_K_M\"", 9, "the repository has no GGUF file with quantisation Q4_K_M"),
        ("repo = \"demo/tiny-GGUF\"\nfile = \"tiny-F23.gguf\"", 9, "did you mean `tiny-F32.gguf`?"),
    ] {
        write_manifest(&project, hub.endpoint(), fields);
        let ran = project.run(&["update"]).code(code);
        assert!(ran.stderr.contains(message), "{}", ran.all());
    }
    write_manifest(&project, hub.endpoint(), MODEL);
    let ran = run_as(&project, &hub, "hf_expired", &["update"]).code(8);
    assert!(ran.stderr.contains("the hub does not accept your token"), "{}", ran.all());
}

#[test]
fn a_private_repository_opens_to_the_token_in_the_usual_file() {
    let (project, hub) = project_with(MODEL, Access::Private);
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("put a token into HF_TOKEN, or run `hf auth login`"), "{}", ran.all());
    let file = project.directory.path().join("home/.cache/huggingface/token");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("{MEMBER}\n")).unwrap();
    let output = project.command(&["update"]).env("HF_ENDPOINT", hub.endpoint()).output().unwrap();
    project.finish(output).code(0);
}

#[test]
fn a_token_goes_to_its_hub_alone_and_is_written_nowhere() {
    let (project, hub) = project_with(MODEL, Access::Gated);
    let server = project.upstream().server();
    run_as(&project, &hub, MEMBER, &["update"]).code(0);
    run_as(&project, &hub, MEMBER, &["realize"]).code(0);
    let bearer = ("authorization".to_owned(), format!("Bearer {MEMBER}"));
    assert!(
        server
            .log()
            .iter()
            .filter(|request| request.path.starts_with("/hub/"))
            .all(|request| request.headers.contains(&bearer))
    );
    let content = hub.content().log();
    assert!(content.len() >= 2, "{content:?}");
    let carried =
        |request: &strixlock_demo::http::Request| request.headers.iter().any(|(name, _)| name == "authorization");
    assert!(!content.iter().any(carried), "the redirect took the token along");
    assert_eq!(holding(project.directory.path(), MEMBER), Vec::<std::path::PathBuf>::new());

    // A manifest names another hub: it gets nothing of what belongs to the user's.
    server.clear_log();
    let output = project.command(&["update"]).env("HF_TOKEN", MEMBER).output().unwrap();
    let ran = project.finish(output);
    assert!(!ran.all().contains(MEMBER), "{}", ran.all());
    assert!(!server.log().is_empty() && !server.log().iter().any(carried));
}

#[test]
fn a_rate_limit_is_waited_for_and_one_that_stays_is_told() {
    let (project, _hub) = project(MODEL);
    project.write("strixlock.toml", "rounds = 2\n");
    let server = project.upstream().server();
    let limit = |times| Fault::Status { code: 429, headers: vec![("Retry-After".to_owned(), "1".to_owned())], times };
    server.fault("/hub/api/*", limit(1));
    server.fault(RESOLVE, limit(1));
    let begun = std::time::Instant::now();
    project.run(&["update"]).code(0);
    assert!(begun.elapsed().as_millis() >= 2000, "{:?}", begun.elapsed());
    server.fault(RESOLVE, limit(usize::MAX));
    let ran = project.run(&["realize"]).code(8);
    assert!(ran.stderr.contains("the server answered 429 Too Many Requests"), "{}", ran.all());
    assert!(ran.stderr.contains("run again in 1 s"), "{}", ran.all());
}

#[test]
fn other_bytes_than_the_hub_names_are_told_without_a_command_that_would_do_nothing() {
    let (project, hub) = project(MODEL);
    project.run(&["update"]).code(0);
    project.write("strixlock.toml", "rounds = 1\n");
    let place = hub.content().log()[0].path.split('?').next().unwrap().to_owned();
    hub.content().fault(&place, Fault::FlipByteAt(100_000));
    let ran = project.run(&["realize"]).code(5);
    assert!(ran.stderr.contains("the download is not the file that the hub names"), "{}", ran.all());
    assert!(ran.stderr.contains("\nhint: ") && !ran.stderr.contains("--accept-replaced"), "{}", ran.all());
    hub.content().heal_all();
    project.run(&["realize"]).code(0);
}

#[test]
fn a_download_that_broke_off_goes_on_where_it_was() {
    let (project, hub) = project(MODEL);
    project.run(&["update"]).code(0);
    project.write("strixlock.toml", "rounds = 1\n");
    let place = hub.content().log()[0].path.split('?').next().unwrap().to_owned();
    hub.content().fault(&place, Fault::TruncateAfter(100_000));
    project.run(&["realize"]).code(5);
    hub.content().heal_all();
    hub.content().clear_log();
    project.run(&["realize"]).code(0);
    assert_eq!(hub.content().log()[0].range.as_deref(), Some("bytes=100000-"));
}

#[test]
fn bytes_that_are_not_the_pinned_ones_are_not_taken() {
    let (project, hub) = project(MODEL);
    project.run(&["update"]).code(0);
    let place = hub.content().log()[0].path.split('?').next().unwrap().to_owned();
    hub.content().fault(&place, Fault::FlipByteAt(300_000));
    let ran = project.run(&["realize"]).code(5);
    assert!(ran.stderr.contains("the download is not the file that the hub names"), "{}", ran.all());
    assert!(project.published("main").is_empty());
}

#[test]
fn a_mirror_has_the_same_model_when_the_hub_is_gone() {
    let (project, hub) = project(MODEL);
    project.run(&["update"]).code(0);
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    let commit = lock["inputs"]["model"]["locked"]["commit"].as_str().unwrap();
    let place = project.path(&format!("mirror/{REPO}/resolve/{commit}"));
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("tiny-F32.gguf"), model(Shape::default())).unwrap();
    let mirror = format!(
        "mirrors = [{{ of = \"{}/\", at = \"file://{}/\" }}]\n",
        hub.endpoint(),
        project.path("mirror").display()
    );
    project.write("strixlock.toml", &mirror);
    drop(hub);
    project.upstream().server().fault("/hub/*", Fault::status(500, usize::MAX));
    project.write("strixlock.toml", &format!("rounds = 1\n{mirror}"));
    project.run(&["realize"]).code(0);
}

#[test]
fn a_header_that_the_file_does_not_have_is_noticed_when_the_file_comes() {
    let (project, hub) = project(MODEL);
    // The first request is for the header; what it gets is not what the digest stands for.
    let log = hub.content();
    project.run(&["update", "--dry-run"]).code(0);
    let digest = strixlock_ground::digest::Sha256Digest::of(&model(Shape::default())).hex();
    let other = model(Shape { context: 4096, ..Shape::default() });
    let place = format!("/lfs/{digest}/tiny-F32.gguf");
    log.put(&place, strixlock_demo::http::Resource::bytes(other));
    project.run(&["update"]).code(0);
    log.put(&place, strixlock_demo::http::Resource::bytes(model(Shape::default())));
    let ran = project.run(&["realize"]).code(5);
    assert!(ran.stderr.contains("the model does not match the lock"), "{}", ran.all());
    assert!(ran.stderr.contains("context 4096"), "{}", ran.all());
}

#[test]
fn a_file_that_is_no_model_under_a_models_name_is_refused() {
    let (project, hub) = project(MODEL);
    hub.commit(REPO, Access::Open, &[("tiny-F32.gguf", b"<html>not a model at all</html>".to_vec())]);
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("model: the GGUF header is damaged"), "{}", ran.all());
}
