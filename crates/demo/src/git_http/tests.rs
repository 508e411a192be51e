//! Fetches with the two clients that matter: git itself and libgit2.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use git2::{FetchOptions, Repository};

use super::GitHttp;
use crate::http::Server;
use crate::llama::{History, add_commit, commit_history};

const PREFIX: &str = "/ggml-org/llama.cpp.git";

fn serve(directory: &Path) -> (Server, String) {
    let server = Server::start().unwrap();
    server.handle(&format!("{PREFIX}/"), GitHttp::new(PREFIX, directory));
    let url = server.url(PREFIX);
    (server, url)
}

fn llama(directory: &Path, commits: usize) -> (History, Server, String) {
    let history = commit_history(directory, commits).unwrap();
    let (server, url) = serve(directory);
    (history, server, url)
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env_remove("http_proxy").env("no_proxy", "127.0.0.1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn libgit2_fetch(repository: &Repository, url: &str, what: &str) -> (String, usize) {
    let mut remote = repository.remote_anonymous(url).unwrap();
    remote.fetch(&[what], Some(&mut FetchOptions::new()), None).unwrap();
    let objects = remote.stats().received_objects();
    (repository.find_reference("FETCH_HEAD").unwrap().target().unwrap().to_string(), objects)
}

#[test]
fn git_and_libgit2_see_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (upstream, clone, bare) =
        (directory.path().join("up"), directory.path().join("clone"), directory.path().join("bare"));
    let (history, _server, url) = llama(&upstream, 8);
    for version in ["0", "1", "2"] {
        let _ = fs_err::remove_dir_all(&clone);
        git(directory.path(), &["-c", &format!("protocol.version={version}"), "clone", "-q", &url, "clone"]);
        assert_eq!(git(&clone, &["rev-parse", "HEAD"]), history.head());
        assert_eq!(git(&clone, &["branch", "--show-current"]), "master");
        assert_eq!(git(&clone, &["tag"]), "b2\nb4\nb6\nb8\nv0.1");
        assert_eq!(git(&clone, &["cat-file", "-t", "v0.1"]), "tag");
        git(&clone, &["fsck", "--strict"]);
    }
    let repository = Repository::init_bare(&bare).unwrap();
    assert_eq!(libgit2_fetch(&repository, &url, "HEAD").0, history.head());
    assert_eq!(repository.find_commit(git2::Oid::from_str(history.head()).unwrap()).unwrap().parent_count(), 1);
    let mut remote = repository.remote_anonymous(&url).unwrap();
    remote.connect(git2::Direction::Fetch).unwrap();
    assert_eq!(remote.default_branch().unwrap().as_str().unwrap(), "refs/heads/master");
    let names: Vec<_> = remote.list().unwrap().iter().map(|head| head.name().to_owned()).collect();
    assert!(names.contains(&"refs/tags/v0.1^{}".to_owned()), "{names:?}");
}

#[test]
fn a_second_fetch_gets_only_what_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let (upstream, clone, bare) =
        (directory.path().join("up"), directory.path().join("clone"), directory.path().join("bare"));
    // More commits than a client lists at once.
    let (_, server, url) = llama(&upstream, 60);
    git(directory.path(), &["clone", "-q", &url, "clone"]);
    let repository = Repository::init_bare(&bare).unwrap();
    let (_, all) = libgit2_fetch(&repository, &url, "+refs/heads/master:refs/heads/master");
    assert!(all > 150, "{all}");
    let whole = server.log().iter().map(|request| request.bytes_sent).max().unwrap();

    let next = add_commit(&upstream).unwrap();
    server.clear_log();
    git(&clone, &["fetch", "-q"]);
    assert_eq!(git(&clone, &["rev-parse", "origin/master"]), next);
    git(&clone, &["fsck", "--strict"]);
    let (head, objects) = libgit2_fetch(&repository, &url, "+refs/heads/master:refs/heads/master");
    assert_eq!(head, next);
    assert!(objects < 10, "{objects} objects");
    assert!(server.log().iter().all(|request| request.bytes_sent * 4 < whole), "{:?} {whole}", server.log());

    // The clone has a commit that upstream does not know.
    git(&clone, &["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "mine"]);
    let next = add_commit(&upstream).unwrap();
    git(&clone, &["fetch", "-q"]);
    assert_eq!(git(&clone, &["rev-parse", "origin/master"]), next);
}

#[test]
fn a_commit_is_fetched_by_its_id_if_a_ref_leads_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let (history, _server, url) = llama(&directory.path().join("up"), 6);
    let repository = Repository::init_bare(directory.path().join("bare")).unwrap();
    assert_eq!(libgit2_fetch(&repository, &url, &history.commits[2]).0, history.commits[2]);
    let mut remote = repository.remote_anonymous(&url).unwrap();
    // libgit2 1.9 skips the ERR line `not our ref`, and reports the end of the answer instead.
    assert!(remote.fetch(&["0123456789012345678901234567890123456789"], None, None).is_err());
}

#[test]
fn an_empty_repository_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    Repository::init_bare(directory.path().join("up")).unwrap();
    let (_server, url) = serve(&directory.path().join("up"));
    git(directory.path(), &["clone", "-q", &url, "clone"]);
    assert_eq!(git(directory.path(), &["ls-remote", &url]), "");
    let repository = Repository::init_bare(directory.path().join("bare")).unwrap();
    let mut remote = repository.remote_anonymous(&url).unwrap();
    remote.connect(git2::Direction::Fetch).unwrap();
    assert_eq!(remote.list().unwrap().len(), 0);
}

#[test]
fn garbage_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (_, server, _) = llama(&directory.path().join("up"), 2);
    let post = |body: &[u8]| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = format!(
            "POST {PREFIX}/git-upload-pack HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-git-upload-pack-request\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let bodies: [&[u8]; 10] = [
        b"",
        b"0000",
        b"0000",
        b"zzzz",
        b"0003",
        b"+00a",
        b"ffff",
        b"000dwant abc\n0000",
        b"0008\xff\xff\xff\xff0000",
        b"0009done\n0000",
    ];
    for body in bodies {
        assert!(post(body).starts_with("HTTP/1.1 400 "), "{}", body.escape_ascii());
    }
    let unknown = post(format!("0032want {}\n0000", "1".repeat(40)).as_bytes());
    assert!(unknown.contains("ERR upload-pack: not our ref 1111"), "{unknown}");
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(format!("GET {PREFIX}/info/refs HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

proptest::proptest! {
    #[test]
    fn any_packets_are_a_request_or_not(
        lines in proptest::collection::vec(
            "(want |have |done|deepen )?[0-9a-f]{0,41}( side-band-64k| multi_ack)?\n?",
            0..6,
        ),
        flush in 0..6_usize,
        tail in proptest::collection::vec(proptest::num::u8::ANY, 0..9),
    ) {
        let mut bytes = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            super::pkt_line::write(&mut bytes, line.as_bytes()).unwrap();
            if index == flush {
                super::pkt_line::flush(&mut bytes).unwrap();
            }
        }
        bytes.extend_from_slice(&tail);
        let packets: Option<Vec<_>> = super::Packets::new(&bytes).collect();
        let _ = packets.and_then(|packets| super::UploadRequest::parse(&packets));
    }
}
