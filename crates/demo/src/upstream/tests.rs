//! Requests over a raw socket, as everything here that has a client of its own is tested elsewhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::*;

/// Returns status and body of a GET.
fn get(upstream: &Upstream, url: &str) -> (u16, Vec<u8>) {
    let url = url::Url::parse(url).unwrap();
    let mut stream = TcpStream::connect(upstream.server().address()).unwrap();
    let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    write!(stream, "GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end))
}

fn text(upstream: &Upstream, url: &str) -> String {
    let (status, body) = get(upstream, url);
    assert_eq!(status, 200, "{url}");
    String::from_utf8(body).unwrap()
}

#[test]
fn nightlies_are_in_the_indices_and_behind_them() {
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let upstream = Upstream::start(directory.path()).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let page = text(&upstream, &upstream.index_url(Generation::Streams));
    for name in ["gfx1151-10.2.0a20261120", "gfx1151-tests-10.2.0a20261121", "gfx1151-10.1.0a20260827+bkc.20260830"] {
        assert!(page.contains(&format!("{{\"name\": \"therock-dist-linux-{name}.tar.gz\", \"mtime\": ")), "{name}");
    }
    let nightly = Nightly::new("10.1.0a20260827+bkc.20260830");
    let url = upstream.tarball_url(Generation::Streams, &nightly);
    assert!(url.ends_with("-10.1.0a20260827%2Bbkc.20260830.tar.gz"), "{url}");
    assert!(get(&upstream, &url).1 == fs_err::read(upstream.tarball(&nightly).unwrap()).unwrap());
    let announced =
        format!("{}therock-dist-linux-multiarch-10.2.0a20261121.tar.gz", upstream.index_url(Generation::Streams));
    assert_eq!(get(&upstream, &announced).0, 404);
}

#[test]
fn the_bucket_and_the_mirror_know_sizes() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(directory.path()).unwrap();
    let prefix = "v4/tarball/therock-dist-linux-gfx1151-7";
    let list = text(&upstream, &format!("{}?list-type=2&prefix={prefix}", upstream.bucket_url()));
    let size = fs_err::metadata(upstream.tarball(&Nightly::new("7.15.0a20260719")).unwrap()).unwrap().len();
    assert!(list.contains("<Key>v4/tarball/therock-dist-linux-gfx1151-7.15.0a20260719.tar.gz</Key>"), "{list}");
    assert!(list.contains(&format!("<Size>{size}</Size>")), "{list}");
    let file = format!("{}v4/tarball/therock-dist-linux-gfx1151-7.15.0a20260719.tar.gz", upstream.bucket_url());
    assert_eq!(get(&upstream, &file).1.len() as u64, size);
    assert_eq!(get(&upstream, &format!("{}?list-type=2&continuation-token=x", upstream.bucket_url())).0, 400);
    assert_eq!(get(&upstream, &format!("{}none", upstream.bucket_url())).0, 404);
    let links = text(&upstream, &upstream.mirror_url());
    assert!(links.contains("<a href=\"therock-dist-linux-gfx1151-10.2.0a20261120.tar.gz\">"), "{links}");
    assert!(!links.contains("-tests-"));
}

#[test]
fn upstream_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = Upstream::start_empty(directory.path()).unwrap();
    assert!(text(&upstream, &upstream.index_url(Generation::Streams)).contains("const files = [];"));
    let nightly = Nightly::new("10.2.0a20261121");
    upstream.publish(Generation::Streams, &nightly);
    let url = upstream.tarball_url(Generation::Streams, &nightly);
    let first = get(&upstream, &url).1;
    upstream.publish(Generation::Streams, &nightly.clone().variation(1));
    let second = get(&upstream, &url).1;
    assert!(first != second, "the same name with other bytes");
    let page = text(&upstream, &upstream.index_url(Generation::Streams));
    assert_eq!(page.matches("10.2.0a20261121").count(), 1);
    upstream.withdraw(Generation::Streams, &nightly.file_name());
    assert_eq!(get(&upstream, &url).0, 404);
    assert!(get(&upstream, &format!("{}{}", upstream.mirror_url(), nightly.file_name())).1 == second);
    assert!(text(&upstream, &upstream.mirror_url()).contains("10.2.0a20261121"));
    assert!(text(&upstream, &upstream.index_url(Generation::Streams)).contains("const files = [];"));

    let before = upstream.llama().unwrap();
    let next = upstream.add_llama_commit().unwrap();
    let refs = text(&upstream, &format!("{}/info/refs?service=git-upload-pack", upstream.git_url()));
    assert!(refs.contains(&format!("{next} HEAD")), "{refs}");
    drop(upstream);
    let again = Upstream::start_empty(directory.path()).unwrap().llama().unwrap();
    assert_eq!((again.commits.len(), again.head()), (before.commits.len() + 1, next.as_str()));
}

#[test]
fn a_season_is_listed_before_anything_of_it_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let season = Calendar::season();
    let begun = Instant::now();
    let upstream = Upstream::start_season(directory.path(), &season).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let listed = |generation| text(&upstream, &upstream.index_url(generation)).matches("-gfx1151-").count();
    assert_eq!((listed(Generation::MultiArch), listed(Generation::Streams)), (10, 30));
    assert!(!directory.path().join("nightlies").exists());
    let (generation, nightly) = season.of_age(121).unwrap();
    let url = upstream.tarball_url(*generation, nightly);
    assert_eq!(get(&upstream, &url).0, 200);
    upstream.withdraw(*generation, &nightly.file_name());
    assert_eq!(get(&upstream, &url).0, 403, "as AMD's hosts answer");
    assert_eq!(listed(Generation::MultiArch), 9);
}
