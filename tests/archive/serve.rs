//! `strixlock serve`: an archive in the network, as AMD's host and as an archive.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::tarball;
use crate::support::{FIRST, Project, SECOND};

/// A server that runs.
pub struct Serving {
    child: Child,
    pub document: serde_json::Value,
}

impl Serving {
    /// Starts a server of an archive of the project.
    pub fn start(project: &Project, archive: &str, listen: &str) -> Self {
        let mut command = project.command(&["serve", archive, "--listen", listen, "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        // The document ends with the first line that is a closing brace.
        while !text.ends_with("\n}\n") {
            assert_ne!(lines.read_line(&mut text).unwrap(), 0, "{text}");
        }
        Self { child, document: serde_json::from_str(&text).unwrap() }
    }

    pub fn url(&self) -> &str {
        self.document["url"].as_str().unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.url().trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
    }

    /// Stops it with SIGTERM. Returns the exit code and stderr.
    pub fn stop(mut self) -> (Option<i32>, String) {
        let mut kill = Command::new("kill");
        assert!(kill.arg(self.child.id().to_string()).status().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request and returns the head of the answer in lower case, and its body; `None` if the connection broke.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    Some((head, answer[end + 4..].to_vec()))
}

fn archived() -> Project {
    let project = Project::realized(&[FIRST, SECOND]);
    project.run(&["archive", "--to", "kept", "--all-generations"]).code(0);
    project
}

#[test]
fn another_strixlock_and_plain_tools_use_it_as_they_would_use_amd_s() {
    let project = archived();
    let serving = Serving::start(&project, "kept", "127.0.0.1:0");
    assert_eq!((&serving.document["locks"], &serving.document["tarballs"]), (&2.into(), &2.into()));
    let url = serving.url();
    // The plan's way: the newest name, then wget and tar.
    for source in [url.to_owned(), format!("{url}?list-type=2&prefix=therock-dist-")] {
        let listed = project.run(&["list", "rocm", "-q", "-c", "1", "--source", &source]).code(0).stdout;
        assert_eq!(listed, format!("{url}{}\n", tarball(SECOND)), "{source}");
    }
    std::fs::create_dir(project.path("by-tar")).unwrap();
    let fetch = format!("set -o pipefail; curl -sSf {url}{} | tar -xz -C by-tar", tarball(SECOND));
    let status = Command::new("bash").args(["-c", &fetch]).current_dir(project.path("")).status().unwrap();
    assert!(status.success() && project.path("by-tar/.info/version").exists());
    // As an index of a manifest, and for a lock of AMD's address as a mirror.
    let before = project.lock();
    let text = project.read("manifests/strix.toml").replace(&project.index(), url);
    project.write("manifests/strix.toml", &text);
    project.run_in_store("by-index", &["update"]).code(0);
    assert!(project.lock().contains(&tarball(SECOND)));
    project.write("lock/strix.lock", &before).write("manifests/strix.toml", &text.replace(url, &project.index()));
    // As an archive, also offline: whoever names it wants it to be asked.
    let ran = project.run_in_store("from", &["realize", "--from", url, "--offline", "--json"]).code(0);
    assert_eq!(ran.tree("rocm"), project.run(&["realize", "--json"]).code(0).tree("rocm"));
    let unknown = project.run_in_store("x", &["realize", "--from", &format!("{url}locks"), "--offline"]).code(9);
    assert!(unknown.stderr.contains("expected the address of `strixlock serve`"), "{}", unknown.all());
    let (code, said) = serving.stop();
    assert!(code == Some(0) && said.contains("stopped after "), "{code:?} {said}");
    assert!(said.contains("only this machine can reach it; `--listen 0.0.0.0:"), "{said}");
}

#[test]
fn a_cold_archive_is_taken_over_the_network_chunk_by_chunk() {
    let project = Project::realized(&[FIRST]);
    project.run(&["archive", "--to", "cold", "--cold"]).code(0);
    let serving = Serving::start(&project, "cold", "127.0.0.1:0");
    let ran = project.run_in_store("from", &["realize", "--from", serving.url(), "--offline", "--json"]).code(0);
    assert_eq!(ran.tree("rocm"), project.run(&["realize", "--json"]).code(0).tree("rocm"));
}

#[test]
fn a_thousand_parallel_ranges_give_the_bytes_also_over_a_restart() {
    let project = archived();
    let whole = std::fs::read(project.path("kept").join(tarball(SECOND))).unwrap();
    let serving = Serving::start(&project, "kept", "127.0.0.1:0");
    let (address, moved) = (Mutex::new(serving.address()), Condvar::new());
    let path = format!("/{}", tarball(SECOND));
    let done = AtomicUsize::new(0);
    let (begun, waits) = std::sync::mpsc::channel();
    let one = |number: usize| {
        let first = number * 7919 % whole.len();
        let last = (first + 1 + number * 31 % 20_000).min(whole.len() - 1);
        let mut at = *address.lock().unwrap();
        loop {
            match ask(at, "GET", &path, &format!("Range: bytes={first}-{last}\r\n")) {
                Some((head, body)) if body.len() == last - first + 1 => {
                    assert!(head.starts_with("http/1.1 206"), "{head}");
                    let said = format!("content-range: bytes {first}-{last}/{}", whole.len());
                    assert!(head.contains(&said), "{head}");
                    assert!(body == whole[first..=last], "{first}-{last}");
                    return done.fetch_add(1, Ordering::Relaxed);
                }
                // The server was killed: the same range is asked for anew once it is there again.
                _ => {
                    let limit = Duration::from_secs(60);
                    let (now, late) =
                        moved.wait_timeout_while(address.lock().unwrap(), limit, |now| *now == at).unwrap();
                    assert!(!late.timed_out(), "range {first}-{last} broke off");
                    at = *now;
                }
            }
        }
    };
    let _again = std::thread::scope(|scope| {
        for number in 0..1000 {
            let (begun, one) = (begun.clone(), &one);
            let thread = std::thread::Builder::new().stack_size(256 << 10);
            let work = move || {
                if one(number) == 200 {
                    begun.send(()).unwrap();
                }
            };
            thread.spawn_scoped(scope, work).unwrap();
        }
        drop(begun);
        waits.recv().unwrap();
        drop(serving);
        let serving = Serving::start(&project, "kept", "127.0.0.1:0");
        *address.lock().unwrap() = serving.address();
        moved.notify_all();
        serving
    });
    assert_eq!(done.into_inner(), 1000);
}

#[test]
fn only_what_an_archive_has_is_answered_and_in_http_s_own_words() {
    let project = archived();
    std::fs::write(project.path("kept/secret"), "x").unwrap();
    std::fs::remove_file(project.path("kept/SHA256SUMS")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", project.path("kept/SHA256SUMS")).unwrap();
    let serving = Serving::start(&project, "kept", "127.0.0.1:0");
    let get = |method: &str, path: &str, headers: &str| ask(serving.address(), method, path, headers).unwrap();
    let status = |method: &str, path: &str, headers: &str| get(method, path, headers).0[9..12].to_owned();
    for path in [
        "/secret",
        "/SHA256SUMS",
        "/tmp",
        "/locks/",
        "/..%2f..%2fetc/passwd",
        "/../../etc/passwd",
        "/blobs/sha256/../../strix.lock",
        "//etc/passwd",
        "/%ff",
        "/%00",
        "/blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000",
    ] {
        assert_eq!(status("GET", path, ""), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(status(method, "/", ""), "405", "{method}");
    }
    // Whoever is still sending may only see that the connection ends.
    let long = ask(serving.address(), "GET", "/", &format!("X: {}\r\n", "x".repeat(40_000)));
    assert!(long.is_none_or(|(head, _)| head.starts_with("http/1.1 431")));
    let (head, page) = get("GET", "/", "");
    assert!(head.contains("content-type: text/html") && head.contains("content-security-policy"), "{head}");
    assert!(String::from_utf8(page).unwrap().contains("const files = [{\"name\": \"therock-dist-linux-gfx1151-"));
    let path = format!("/{}", tarball(FIRST));
    let (head, body) = get("HEAD", &path, "");
    assert!(body.is_empty() && head.starts_with("http/1.1 200"), "{head}");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let size = std::fs::metadata(project.path("kept").join(tarball(FIRST))).unwrap().len();
    assert_eq!(header("content-length: "), size.to_string());
    let etag = header("etag: ");
    assert_eq!(status("GET", &path, &format!("If-None-Match: {etag}\r\n")), "304");
    assert_eq!(status("GET", &path, "Range: bytes=99999999999-\r\n"), "416");
    assert_eq!(status("GET", &path, "Range: bytes=0-0\r\nIf-Range: \"other\"\r\n"), "200");
    assert_eq!(status("GET", &path, &format!("Range: bytes=-5\r\nIf-Range: {etag}\r\n")), "206");
}
