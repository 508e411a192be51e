//! Look-ups over tables of pages: the right pick, or an error that says what is there instead.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NIGHTLY: &str = "https://index.example/tarball/";
/// 2026-11-20
const NOW: i64 = 1_795_132_800;

struct Pages(BTreeMap<String, String>);

impl Documents for Pages {
    fn get(&self, url: &Url, _limit: u64) -> Result<Vec<u8>> {
        let page =
            self.0.get(url.as_str()).ok_or_else(|| Error::new(Kind::Unreachable, "the server cannot be reached"))?;
        Ok(page.clone().into_bytes())
    }
}

fn script(names: &[&str]) -> String {
    let files: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name, "mtime": 1_789_528_424.9})).collect();
    format!(
        "<!doctype html><html><head><title>ROCm</title></head><body><table></table><script>\n\
         const files = {};\nconst a = 1 < 2;</script></body></html>",
        serde_json::to_string(&files).unwrap()
    )
}

fn request(version: &str) -> RocmRequest {
    RocmRequest {
        channel: Channel::Nightly,
        platform: Platform::Linux,
        target: "gfx1151".parse().unwrap(),
        version: version.parse().unwrap(),
        colliding_names: false,
        sources: vec![NIGHTLY.parse().unwrap()],
    }
}

fn ask(page: &str, version: &str) -> Result<LookUp> {
    look_up(&request(version), &Pages(BTreeMap::from([(NIGHTLY.to_owned(), page.to_owned())])), NOW)
}

fn names(versions: &[&str]) -> Vec<String> {
    versions.iter().map(|version| format!("therock-dist-linux-gfx1151-{version}.tar.gz")).collect()
}

fn refusal(page: &str) -> String {
    ask(page, "latest").unwrap_err().to_string()
}

#[test]
fn the_newest_day_wins_across_majors() {
    let all = names(&["10.1.0a20260901", "7.15.0a20260719", "7.9.0rc20251008", "10.2.0a20261120", "10.1.0a20261120"]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let found = ask(&script(&all), "latest").unwrap();
    assert_eq!(found.newest.version.to_string(), "10.2.0a20261120");
    assert_eq!(found.newest.mtime, Some(1_789_528_424));
    assert_eq!(found.warnings, [""; 0]);
    assert_eq!(ask(&script(&all), ">=7,<8").unwrap().newest.version.to_string(), "7.15.0a20260719");
    assert_eq!(ask(&script(&all), "10.1.0a20260901").unwrap().newest.version.to_string(), "10.1.0a20260901");
}

#[test]
fn tests_multiarch_windows_and_other_families_are_passed_over() {
    let page = script(&[
        "therock-dist-linux-gfx1151-tests-10.2.0a20261121.tar.gz",
        "therock-dist-linux-multiarch-10.2.0a20261121.tar.gz",
        "therock-dist-windows-gfx1151-10.2.0a20261121.tar.gz",
        "therock-dist-linux-gfx110X-all-10.2.0a20261121.tar.gz",
        "therock-dist-linux-gfx1151-10.2.0a20261119.tar.gz",
        "readme.txt",
    ]);
    assert_eq!(ask(&page, "latest").unwrap().newest.name, "therock-dist-linux-gfx1151-10.2.0a20261119.tar.gz");
}

#[test]
fn a_plus_is_encoded() {
    let page = script(&[
        "therock-dist-linux-gfx1151-10.1.0a20260811+bkc.20260814.tar.gz",
        "therock-dist-linux-gfx1151-10.1.0a20260811.tar.gz",
    ]);
    let newest = ask(&page, "latest").unwrap().newest;
    assert_eq!(
        newest.url.as_str(),
        "https://index.example/tarball/therock-dist-linux-gfx1151-10.1.0a20260811%2Bbkc.20260814.tar.gz"
    );
    assert_eq!(newest.name, "therock-dist-linux-gfx1151-10.1.0a20260811+bkc.20260814.tar.gz");
}

#[test]
fn plain_listings_are_read_too() {
    let page = "<html><title>Index of /</title><h1>Index of /</h1><a href=\"../\">../</a>\
        <a href=\"therock-dist-linux-gfx1151-10.1.0a20260811%2Bbkc.20260814.tar.gz?C=M\">x</a>\
        <a href='/tarball/therock-dist-linux-gfx1151-10.1.0a20260812.tar.gz'>y</a></html>";
    let found = ask(page, "latest").unwrap();
    let urls: Vec<&str> = found.candidates.iter().map(|candidate| candidate.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://index.example/tarball/therock-dist-linux-gfx1151-10.1.0a20260812.tar.gz",
            "https://index.example/tarball/therock-dist-linux-gfx1151-10.1.0a20260811%2Bbkc.20260814.tar.gz",
        ]
    );
}

#[test]
fn s3_listings_are_read_to_their_end() {
    let base = "https://bucket.example/?list-type=2&prefix=v4/tarball/";
    let page = |key: &str, token: &str| {
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Contents>\
             <Key>v4/tarball/{key}</Key><LastModified>2026-07-19T01:02:03.000Z</LastModified><Size>5</Size></Contents>{token}</ListBucketResult>"
        )
    };
    let token = "<IsTruncated>true</IsTruncated><NextContinuationToken>a/b=</NextContinuationToken>";
    let mut pages = Pages(BTreeMap::from([
        (base.to_owned(), page("therock-dist-linux-gfx1151-7.14.0a20260601.tar.gz", token)),
        (format!("{base}&continuation-token=a%2Fb%3D"), page("therock-dist-linux-gfx1151-7.15.0a20260719.tar.gz", "")),
    ]));
    let request = RocmRequest { sources: vec![base.parse().unwrap()], ..request("latest") };
    let newest = look_up(&request, &pages, NOW).unwrap().newest;
    assert_eq!(
        newest.url.as_str(),
        "https://bucket.example/v4/tarball/therock-dist-linux-gfx1151-7.15.0a20260719.tar.gz"
    );
    assert_eq!(newest.mtime, Some(1_784_422_923));
    pages.0.insert(format!("{base}&continuation-token=a%2Fb%3D"), page("x", token));
    assert!(look_up(&request, &pages, NOW).unwrap_err().to_string().contains("circles"));
    pages.0.insert(base.to_owned(), "<?xml version=\"1.0\"?><ListBucketResult><Contents>".to_owned());
    assert!(look_up(&request, &pages, NOW).unwrap_err().to_string().contains("cut off"));
}

#[test]
fn what_is_no_index_is_an_error() {
    insta::assert_snapshot!(refusal("<html><title>Moved &amp; gone</title><body>Nightlies live elsewhere now</body></html>"), @r"
    this page is not an index: it has neither AMD's `const files` nor links to files
      url    https://index.example/tarball/
      title  Moved & gone
    hint: the index may have moved again: look for its new address and name it under `sources` in the manifest
    ");
    for page in [
        "",
        "{}",
        "not found",
        "<script>const files = [{\"name\": \"x",
        "<script>const files = {};</script>",
        "<script>files = []</script>",
    ] {
        assert!(refusal(page).contains("is not an index"), "{page}");
    }
}

#[test]
fn an_empty_index_is_an_error_of_its_own() {
    assert!(refusal(&script(&[])).starts_with("the index is empty"));
}

#[test]
fn errors_say_what_is_there_instead() {
    insta::assert_snapshot!(refusal(&script(&["therock-dist-linux-gfx1151-tests-10.2.0a20261121.tar.gz"])), @r"
    the index has only test tarballs for gfx1151, and no build
      there is  gfx1151-tests
    hint: upstream has not published a build there; try another version or channel
    ");
    insta::assert_snapshot!(refusal(&script(&["therock-dist-linux-gfx115X-all-10.2.0a20261121.tar.gz", "therock-dist-linux-gfx94X-dcgpu-10.2.0a20261121.tar.gz"])), @r"
    the index has no family gfx1151; it may have been renamed
      near it  gfx115X-all
    hint: families have been renamed before; look which one covers this GPU
    ");
    let all = names(&["10.1.0a20260901", "7.15.0a20260719"]);
    let error = ask(&script(&[&all[0], &all[1]]), "10.1.0a20260902").unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    insta::assert_snapshot!(error.to_string(), @r"
    no gfx1151 build has version 10.1.0a20260902
      there are  10.1.0a20260901, 7.15.0a20260719
    hint: nightlies are removed after 120 days: a locked one may still be had from a mirror
    ");
    assert!(refusal(&script(&["therock-dist-windows-gfx1151-10.2.0a20261121.tar.gz"])).contains("none for linux"));
    assert!(refusal(&script(&["a.tar.gz"])).contains("no ROCm tarballs"));
}

#[test]
fn an_index_that_nobody_updates_is_noticed() {
    let old = names(&["10.1.0a20260901"]);
    let found = ask(&script(&[&old[0]]), "latest").unwrap();
    assert_eq!(
        found.warnings,
        ["the newest build is 80 days old: the index may be frozen, or builds for gfx1151 failing"]
    );
    assert_eq!(ask(&script(&[&old[0]]), "10.1.0a20260901").unwrap().warnings, [""; 0]);
}

#[test]
fn frozen_indexes_never_stand_in_for_the_current_one() {
    let sources = built_in(Channel::Nightly).unwrap();
    let old = names(&["7.15.0a20260719"]);
    let pages = Pages(BTreeMap::from([(sources[1].url.to_string(), script(&[&old[0]]))]));
    let open = |version: &str| RocmRequest { sources: Vec::new(), ..request(version) };
    assert_eq!(look_up(&open("latest"), &pages, NOW).unwrap_err().kind(), Kind::Unreachable);
    let found = look_up(&open("7.15.0a20260719"), &pages, NOW).unwrap();
    assert_eq!(found.newest.url.host_str(), Some("rocm.nightlies.amd.com"));
    assert_eq!(found.warnings.len(), 1, "the current index did not answer");
}

proptest! {
    #[test]
    fn any_page_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300), shape in 0..3) {
        let url: Url = NIGHTLY.parse().unwrap();
        let prefix: &[u8] = [b"".as_slice(), b"<script>const files = [", b"<?xml?><ListBucketResult><Contents><Key>"][shape as usize];
        let _ = parse(&[prefix, &body].concat(), &url);
    }
}
