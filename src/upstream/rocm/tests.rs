//! Look-ups over tables of pages: the right pick, or an error that says what is there instead.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::fetch::Document;

const NIGHTLY: &str = "https://index.example/tarball/";
/// 2026-11-20
const NOW: i64 = 1_795_132_800;

struct Pages(BTreeMap<String, String>);

impl Documents for Pages {
    fn get(&self, url: &Url, _limit: u64) -> Result<Document> {
        let page =
            self.0.get(url.as_str()).ok_or_else(|| Error::new(Kind::Unreachable, "the server cannot be reached"))?;
        Ok(Document { url: url.clone(), body: page.clone().into_bytes() })
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
        channel: Channel::nightly(),
        platform: Platform::Linux,
        target: "gfx1151".parse().unwrap(),
        version: version.parse().unwrap(),
        family: None,
        colliding_names: false,
        kept_days: None,
        min_age: None,
        deny: Vec::new(),
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
    let second = format!("{base}&continuation-token=a%2Fb%3D");
    let page = |version: &str, token: &str| {
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Contents>\
             <Key>v4/tarball/therock-dist-linux-gfx1151-{version}.tar.gz</Key><LastModified>2026-07-19T01:02:03.000Z</LastModified>\
             <Size>5</Size></Contents>{token}</ListBucketResult>"
        )
    };
    let token = "<IsTruncated>true</IsTruncated><NextContinuationToken>a/b=</NextContinuationToken>";
    let mut pages = Pages(BTreeMap::from([
        (base.to_owned(), page("7.14.0a20260601", token)),
        (second.clone(), page("7.15.0a20260719", "<IsTruncated>false</IsTruncated>")),
    ]));
    let request = RocmRequest { sources: vec![base.parse().unwrap()], ..request("latest") };
    let found = look_up(&request, &pages, NOW).unwrap();
    assert_eq!(
        found.newest.url.as_str(),
        "https://bucket.example/v4/tarball/therock-dist-linux-gfx1151-7.15.0a20260719.tar.gz"
    );
    assert_eq!((found.candidates.len(), found.newest.mtime), (2, Some(1_784_422_923)));
    pages.0.insert(second.clone(), page("7.15.0a20260719", token));
    assert!(look_up(&request, &pages, NOW).unwrap_err().to_string().contains("form a loop"));
    pages.0.remove(&second);
    assert_eq!(look_up(&request, &pages, NOW).unwrap_err().kind(), Kind::Unreachable, "half a list is none");
}

#[test]
fn an_endless_s3_listing_is_given_up() {
    /// Each page has a token that none had before.
    struct Endless;
    impl Documents for Endless {
        fn get(&self, url: &Url, limit: u64) -> Result<Document> {
            assert!(limit <= 64 << 20);
            let token =
                url.query_pairs().find(|(name, _)| name == "continuation-token").map_or(0, |(_, token)| token.len());
            let token = "x".repeat(token + 1);
            let body =
                format!("<ListBucketResult><NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>");
            Ok(Document { url: url.clone(), body: body.into() })
        }
    }
    let error = look_up(&request("latest"), &Endless, NOW).unwrap_err();
    assert!(error.to_string().contains("more than 200 pages"), "{error}");
}

#[test]
fn an_empty_index_is_an_error_of_its_own() {
    insta::assert_snapshot!(refusal(&script(&[])), @r"
    the index is empty
      index  https://index.example/tarball/
    hint: the index may have moved again: look for its new address and name it under `sources` in the manifest
    ");
}

#[test]
fn errors_say_what_is_there_instead() {
    let one = |rest: &str| refusal(&script(&[&format!("therock-dist-{rest}.tar.gz")]));
    insta::assert_snapshot!(one("linux-gfx1151-tests-10.2.0a20261121"), @r"
    the index has only test tarballs for gfx1151, no build
      there is  gfx1151-tests
    hint: upstream has not published a build there; try another version or channel
    ");
    insta::assert_snapshot!(refusal(&script(&[
        "therock-dist-linux-gfx115X-all-10.2.0a20261121.tar.gz",
        "therock-dist-linux-gfx1151-dgpu-10.2.0a20261121.tar.gz",
        "therock-dist-linux-gfx1151-tests-10.2.0a20261121.tar.gz",
        "therock-dist-linux-gfx1150-10.2.0a20261121.tar.gz",
    ])), @r#"
    the index has no tarballs of gfx1151 alone; it may have been renamed
      near it  gfx1151-dgpu, gfx115X-all
    hint: check which of them covers this GPU: `family = "gfx1151-dgpu"` in the manifest selects that one, `strixlock list rocm -t gfx1151-dgpu` lists it
    "#);
    insta::assert_snapshot!(one("linux-10.3.0a20261120"), @r#"
    the index has files that may be gfx1151 builds, but none can be used
      there is  therock-dist-linux-10.3.0a20261120.tar.gz
    hint: its name contains no GPU: `family = "multiarch"` in the manifest selects it
    "#);
    insta::assert_snapshot!(one("windows-gfx1151-10.2.0a20261121"), @"the index has gfx1151 builds, but none for linux");
    insta::assert_snapshot!(one("linux-gfx1150-10.2.0a20261121"), @r"
    the index has no gfx1151 build
      there are  gfx1150
    ");
    insta::assert_snapshot!(one("linux-gfx1151-10.2.0b20261121"), @r"
    the index has files that may be gfx1151 builds, but none can be used
      there is  therock-dist-linux-gfx1151-10.2.0b20261121.tar.gz
    hint: its version cannot be read: upstream may have a new one; look for a newer strixlock
    ");
    insta::assert_snapshot!(refusal(&script(&["a.tar.gz", "b.txt"])), @r"
    the index lists files, but no ROCm tarballs
      files  2
    hint: names are expected to be therock-dist-<platform>-<family>-<version>.tar.gz
    ");
    let many: Vec<String> = (10..30).map(|n| format!("therock-dist-linux-gfx12{n}-10.0.0.tar.gz")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(refusal(&script(&many)).ends_with("gfx1221 and 8 more"), "{}", refusal(&script(&many)));
}

#[test]
fn a_version_that_is_not_there_is_told_with_those_that_are() {
    let missing = |versions: &[&str], wish: &str| {
        let all = names(versions);
        let error = ask(&script(&all.iter().map(String::as_str).collect::<Vec<_>>()), wish).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        error.to_string()
    };
    insta::assert_snapshot!(missing(&["10.1.0a20260901", "7.15.0a20260719"], "10.1.0a20260902"), @r"
    no gfx1151 build has version 10.1.0a20260902
      there are  10.1.0a20260901, 7.15.0a20260719
    ");
    insta::assert_snapshot!(missing(&["10.1.0a20260901", "7.15.0a20260719"], "7.14.0a20260601"), @r"
    no gfx1151 build has version 7.14.0a20260601
      there are  10.1.0a20260901, 7.15.0a20260719
    hint: AMD's policy is to keep the last 120 nightlies, and the oldest that is listed is of 2026-07-19: a mirror may still have a locked one
    ");
    insta::assert_snapshot!(missing(&["10.2.0a20260902", "10.1.0a20260901"], "10.1.0a20260902"), @r"
    no gfx1151 build has version 10.1.0a20260902
      there are  10.2.0a20260902, 10.1.0a20260901
    hint: 10.2.0a20260902 is of the same day
    ");
    insta::assert_snapshot!(missing(&["10.1.0a20260901"], ">=10.1"), @r#"
    no gfx1151 build has version >=10.1
      there are  10.1.0a20260901
    hint: a nightly comes before its release, so 10.1.0a20260901 is not in >=10.1: begin the range with `.dev0`, as in ">=10.1.dev0", or write "==10.1.*"
    "#);
    let days: Vec<String> = (10..30).map(|day| format!("10.1.0a202609{day}")).collect();
    insta::assert_snapshot!(missing(&days.iter().map(String::as_str).collect::<Vec<_>>(), "<7"), @r"
    no gfx1151 build has version <7
      newest  10.1.0a20260929, 10.1.0a20260928, 10.1.0a20260927, 10.1.0a20260926
      oldest  10.1.0a20260912, 10.1.0a20260911, 10.1.0a20260910
    ");
}

#[test]
fn an_index_that_nobody_updates_is_noticed() {
    let old = "therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz";
    let warnings = |names: &[&str], wish: &str| ask(&script(names), wish).unwrap().warnings;
    let stale = ["the newest build is 80 days old: the index is probably not updated any more"];
    assert_eq!(warnings(&[old], "latest"), stale);
    assert_eq!(
        warnings(&[old, "therock-dist-linux-gfx1151-tests-10.2.0a20261120.tar.gz"], "latest"),
        ["the newest gfx1151 build is 80 days old, and the index goes on: its newest file is of 2026-11-20"]
    );
    assert_eq!(
        warnings(&[old, "therock-dist-linux-gfx1150-10.2.0a20261119.tar.gz"], "latest"),
        ["the newest gfx1151 build is 80 days old, and that of another GPU 1: builds for gfx1151 may be failing, or \
             its family be renamed"]
    );
    assert_eq!(warnings(&[old], "10.1.0a20260901"), [""; 0], "whoever asks for an old one knows that it is old");
    assert_eq!(warnings(&["therock-dist-linux-gfx1151-10.1.0a20261113.tar.gz"], "latest"), [""; 0]);
}

#[test]
fn what_may_hide_newer_builds_is_told() {
    let new = "therock-dist-linux-gfx1151-10.2.0a20261120.tar.gz";
    let warnings = |other: &str| ask(&script(&[new, other]), "latest").unwrap().warnings;
    assert_eq!(
        warnings("therock-dist-linux-gfx115X-all-10.2.0a20261120.tar.gz"),
        ["the index also has gfx115X-all: families have been renamed before"]
    );
    assert_eq!(
        warnings("therock-dist-linux-gfx1151-10.2.0b20261121.tar.gz"),
        ["therock-dist-linux-gfx1151-10.2.0b20261121.tar.gz is 1 day newer, and its version cannot be read"]
    );
}

#[test]
fn sources_that_fail_are_told() {
    let two = |wish: &str| RocmRequest {
        sources: vec![NIGHTLY.parse().unwrap(), "https://gone.example/".parse().unwrap()],
        ..request(wish)
    };
    let new = "therock-dist-linux-gfx1151-10.2.0a20261120.tar.gz";
    let mut pages = Pages(BTreeMap::from([(NIGHTLY.to_owned(), script(&[new]))]));
    let found = look_up(&two("latest"), &pages, NOW).unwrap();
    assert_eq!(found.newest.source.as_str(), NIGHTLY);
    let gone = "https://gone.example/ did not answer and may have newer builds: the server cannot be reached";
    assert_eq!(found.warnings, [gone]);
    // What is not in one index may be in the one that does not answer.
    let error = look_up(&two("<8"), &pages, NOW).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    insta::assert_snapshot!(error, @r"
    no gfx1151 build has version <8
      there are  10.2.0a20261120
      no answer  https://gone.example/: the server cannot be reached
    ");
    pages.0.insert("https://gone.example/".to_owned(), "<title>Welcome</title>".to_owned());
    assert!(look_up(&two("latest"), &pages, NOW).unwrap_err().message().starts_with("this page is not an index"));
    insta::assert_snapshot!(look_up(&two("latest"), &Pages(BTreeMap::new()), NOW).unwrap_err(), @r"
    no index answered
      index  https://index.example/tarball/: the server cannot be reached
      index  https://gone.example/: the server cannot be reached
    hint: check the network; if the index moved again, name its new address under `sources` in the manifest
    ");
}

#[test]
fn frozen_indexes_never_stand_in_for_the_current_one() {
    let sources = built_in(&Channel::nightly()).unwrap();
    let old = "therock-dist-linux-gfx1151-7.15.0a20260719.tar.gz";
    let mut pages = Pages(BTreeMap::from([(sources[1].url.to_string(), script(&[old]))]));
    let open = |version: &str| RocmRequest { sources: Vec::new(), ..request(version) };
    assert_eq!(look_up(&open("latest"), &pages, NOW).unwrap_err().kind(), Kind::Unreachable);
    assert_eq!(look_up(&open("<8"), &pages, NOW).unwrap_err().kind(), Kind::Unreachable);
    let found = look_up(&open("7.15.0a20260719"), &pages, NOW).unwrap();
    assert_eq!(found.newest.source, sources[1].url);
    assert_eq!(found.warnings.len(), 1, "the current index did not answer");

    // A current index that is up and has none: the frozen one is asked.
    let new = "therock-dist-linux-gfx1151-10.2.0a20261120.tar.gz";
    pages.0.insert(sources[0].url.to_string(), script(&[new]));
    assert_eq!(look_up(&open("latest"), &pages, NOW).unwrap().candidates.len(), 1, "the frozen one was not asked");
    let range = look_up(&open("<8"), &pages, NOW).unwrap();
    assert_eq!(
        (range.newest.version.to_string().as_str(), range.warnings),
        (
            "7.15.0a20260719",
            vec![
                "no current index has a gfx1151 build in <8; this one is from \
                 https://rocm.nightlies.amd.com/tarball-multi-arch/, \
                 where nothing new has appeared since 2026-08-22"
                    .to_owned()
            ]
        )
    );
    pages.0.insert(sources[0].url.to_string(), script(&[]));
    assert_eq!(
        look_up(&open("latest"), &pages, NOW).unwrap().warnings,
        ["no current index has a gfx1151 build; this one is from https://rocm.nightlies.amd.com/tarball-multi-arch/, \
          where nothing new has appeared since 2026-08-22"]
    );
}

#[test]
fn a_page_that_is_no_index_is_fatal_only_where_it_is_current() {
    let sources = built_in(&Channel::nightly()).unwrap();
    let old = "therock-dist-linux-gfx1151-7.12.0a20260308.tar.gz";
    let welcome = "<title>Welcome</title>".to_owned();
    let mut pages = Pages(BTreeMap::from([
        (sources[0].url.to_string(), script(&[])),
        (sources[1].url.to_string(), welcome.clone()),
        (sources[2].url.to_string(), script(&[old])),
    ]));
    let request = RocmRequest { sources: Vec::new(), ..request("<8") };
    let found = look_up(&request, &pages, NOW).unwrap();
    assert_eq!(found.newest.name, old);
    assert_eq!(found.warnings.len(), 2);
    assert!(found.warnings[0].contains("this page is not an index"), "{}", found.warnings[0]);
    pages.0.insert(sources[0].url.to_string(), welcome);
    assert_eq!(look_up(&request, &pages, NOW).unwrap_err().kind(), Kind::NotFound);
}

/// Index pages by what people met: what is taken, and what is said.
#[test]
fn what_changes_upstream_is_taken_or_told() {
    const OLD: &str = "therock-dist-linux-gfx1151-10.2.0a20261110.tar.gz";
    for (files, wish, taken, said) in [
        // Another compression.
        (&["gfx1151-10.3.0a20261119.tar.zst"][..], "latest", "gfx1151-10.3.0a20261119.tar.zst", &[][..]),
        (
            &["gfx1151-10.3.0a20261119.tar.xz", "gfx1151-10.3.0a20261119.tar.xz.sha256sum"],
            "latest",
            "",
            &["gfx1151-10.3.0a20261119.tar.xz is 9 days newer, and its name has an unknown format"],
        ),
        // The GPU leaves the name.
        (
            &["10.3.0a20261118.tar.gz", "10.3.0a20261119.tar.gz", "tests-10.3.0a20261119.tar.gz"],
            "latest",
            "",
            &["10.3.0a20261119.tar.gz is 9 days newer, and its name contains no GPU: `family = \"multiarch\"` in \
                 the manifest selects it; \
               so are therock-dist-linux-10.3.0a20261118.tar.gz (8 days newer)"],
        ),
        // A range that cannot mean it says nothing.
        (&["10.3.0a20261119.tar.gz"], "==10.2.*", "", &[]),
        (&["10.3.0a20261109.tar.gz"], "latest", "", &[]),
        // Families are merged.
        (
            &["gfx115X-all-10.3.0a20261119.tar.gz"],
            "latest",
            "",
            &[
                "the index also has gfx115X-all: families have been renamed before",
                "gfx115X-all-10.3.0a20261119.tar.gz is 9 days newer, and gfx115X-all may cover this GPU: `family = \"gfx115X-all\"` in the manifest selects it",
            ],
        ),
        // Post releases.
        (&["gfx1151-10.2.0a20261110.post1.tar.gz"], "latest", "gfx1151-10.2.0a20261110.post1.tar.gz", &[]),
        (
            &["gfx1151-10.2.0a20261111-1.tar.gz"],
            "latest",
            "",
            &["gfx1151-10.2.0a20261111-1.tar.gz is 1 day newer, and its version cannot be read"],
        ),
    ] {
        let files: Vec<String> = files.iter().map(|name| format!("therock-dist-linux-{name}")).collect();
        let mut all: Vec<&str> = files.iter().map(String::as_str).collect();
        all.push(OLD);
        let found = ask(&script(&all), wish).unwrap();
        let taken = if taken.is_empty() { OLD.to_owned() } else { format!("therock-dist-linux-{taken}") };
        assert_eq!(found.newest.name, taken, "{files:?}");
        let said: Vec<String> = said
            .iter()
            .map(
                |line| if line.starts_with("the ") { (*line).to_owned() } else { format!("therock-dist-linux-{line}") },
            )
            .collect();
        let told: Vec<String> = found.warnings.into_iter().filter(|line| !line.contains("days old")).collect();
        assert_eq!(told, said, "{files:?}");
    }
}

#[test]
fn a_family_is_taken_where_the_person_says_so() {
    let page = script(&[
        "therock-dist-linux-gfx110X-all-10.2.0a20261120.tar.gz",
        "therock-dist-linux-gfx110X-all-tests-10.2.0a20261121.tar.gz",
        "therock-dist-linux-gfx1151-10.2.0a20261121.tar.gz",
        "therock-dist-linux-multiarch-10.2.0a20261118.tar.gz",
        "therock-dist-linux-10.2.0a20261119.tar.gz",
    ]);
    let take = |family: Option<&str>| {
        let request = RocmRequest {
            target: "gfx1100".parse().unwrap(),
            family: family.map(|family| family.parse().unwrap()),
            ..request("latest")
        };
        look_up(&request, &Pages(BTreeMap::from([(NIGHTLY.to_owned(), page.clone())])), NOW)
    };
    assert!(
        take(None).unwrap_err().to_string().contains("`family = \"gfx110X-all\"` in the manifest selects that one")
    );
    assert_eq!(take(Some("gfx110X-all")).unwrap().newest.name, "therock-dist-linux-gfx110X-all-10.2.0a20261120.tar.gz");
    assert_eq!(take(Some("multiarch")).unwrap().newest.name, "therock-dist-linux-10.2.0a20261119.tar.gz");
    let error = take(Some("gfx110X-dgpu")).unwrap_err().to_string();
    assert!(error.contains("the index has no tarballs of gfx110X-dgpu alone"), "{error}");
}

#[test]
fn releases_and_their_patches_are_found_where_they_are() {
    let sources = built_in(&"stable".parse().unwrap()).unwrap();
    let now = names(&["10.0.0", "10.0.0.post1", "10.0.1rc1"]);
    let before = names(&["7.14.0", "7.14.1", "7.13.0"]);
    let page = |all: &[String]| script(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let pages = Pages(BTreeMap::from([
        (sources[0].url.to_string(), page(&now)),
        (sources[1].url.to_string(), page(&before)),
        (sources[2].url.to_string(), script(&[])),
    ]));
    for (wish, version, frozen) in [
        ("latest", "10.0.0.post1", false),
        ("10.0.0", "10.0.0", false),
        (">=7.14,<8", "7.14.1", true),
        ("==7.14.*", "7.14.1", true),
        ("7.14.0", "7.14.0", false),
        ("==10.*", "10.0.0.post1", false),
        ("<10.0.0.post1", "10.0.0", false),
    ] {
        let request = RocmRequest { channel: "stable".parse().unwrap(), sources: Vec::new(), ..request(wish) };
        let found = look_up(&request, &pages, NOW).unwrap();
        assert_eq!(found.newest.version.to_string(), version, "{wish}");
        assert_eq!(found.warnings.iter().any(|line| line.starts_with("no current index has")), frozen, "{wish}");
    }
}

#[test]
fn an_empty_channel_says_that_it_is_empty() {
    let source = built_in(&"bkc".parse().unwrap()).unwrap().remove(0).url;
    let request = RocmRequest { channel: "bkc".parse().unwrap(), sources: Vec::new(), ..request("latest") };
    let pages = Pages(BTreeMap::from([(
        source.to_string(),
        "<p>No tarballs available.</p><script>const files = [];</script>".to_owned(),
    )]));
    let error = look_up(&request, &pages, NOW).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    insta::assert_snapshot!(error, @r"
    the channel `bkc` is empty
      index    https://bkc.repo.amd.com/rocm/core/tarball/
      channel  bkc
      others   dev, nightly, rc, stable
    hint: nothing is published there now: ask again later, or choose another `channel`
    ");
    let weekly = RocmRequest { channel: "weekly".parse().unwrap(), ..request };
    assert!(look_up(&weekly, &pages, NOW).unwrap_err().to_string().contains("is announced"));
    let named = RocmRequest { sources: vec![source], ..weekly };
    assert!(look_up(&named, &pages, NOW).unwrap_err().to_string().starts_with("the index is empty"));
}

#[test]
fn builds_of_asan_directories_and_odd_entries_are_told() {
    let index: Url = "https://index.example/tarball-asan/".parse().unwrap();
    let page = "<script>const files = [{\"name\": 5}, {\"name\": \"therock-dist-linux-gfx1151-10.2.0a20261120.tar.gz\"}, {}]</script>";
    let request = RocmRequest { sources: vec![index.clone()], ..request("latest") };
    let found = look_up(&request, &Pages(BTreeMap::from([(index.to_string(), page.to_owned())])), NOW).unwrap();
    assert_eq!(
        found.warnings,
        [
            "2 entries of the index have invalid names and were skipped",
            "https://index.example/tarball-asan/therock-dist-linux-gfx1151-10.2.0a20261120.tar.gz is in a directory of \
             builds \
             with AddressSanitizer, which have the names of the plain ones"
        ]
    );
}

proptest! {
    #[test]
    fn any_list_is_looked_through(
        versions in prop::collection::vec("(7|10)\\.[0-9]\\.0(a202609[0-3][0-9](\\+bkc\\.20260914)?|rc[1-9]|)", 0..8),
        family in "gfx1151(-tests|-all)?|gfx115X|multiarch",
        wish in "latest|<8|>=10|7\\.0\\.0",
    ) {
        let names: Vec<String> =
            versions.iter().map(|version| format!("therock-dist-linux-{family}-{version}.tar.gz")).collect();
        let page = script(&names.iter().map(String::as_str).collect::<Vec<_>>());
        if let Ok(found) = ask(&page, &wish) {
            prop_assert_eq!(&found.newest, &found.candidates[0]);
            prop_assert!(found.candidates.iter().all(|one| wish.parse::<VersionRequest>().unwrap().accepts(&one.version)));
        }
    }
}

#[test]
fn builds_of_days_to_come_are_passed_over_unless_all_are() {
    let future = names(&["10.3.0a20270101", "10.3.0a20261222", "10.2.0a20261121", "10.2.0a20261120"]);
    let all: Vec<&str> = future.iter().map(String::as_str).collect();
    let found = ask(&script(&all), "latest").unwrap();
    assert_eq!(found.newest.version.to_string(), "10.2.0a20261121", "a day begins elsewhere before it does here");
    assert_eq!(
        found.warnings,
        ["passed over 2 builds, such as 10.3.0a20270101: of a day to come, since today is 2026-11-20"]
    );
    let found = ask(&script(&all[..2]), "latest").unwrap();
    assert_eq!(found.newest.version.to_string(), "10.3.0a20270101");
    assert!(found.warnings[0].contains("which is today by this machine's clock"), "{:?}", found.warnings);
    let exact = ask(&script(&all), "10.3.0a20270101").unwrap();
    assert_eq!(exact.warnings, [""; 0], "whoever names it has chosen it");
}

#[test]
fn a_name_that_is_listed_twice_with_other_times_is_told() {
    let [name] = &names(&["10.2.0a20261120"])[..] else { panic!() };
    let page = |times: &[f64]| {
        let files: Vec<_> = times.iter().map(|time| serde_json::json!({ "name": name, "mtime": time })).collect();
        format!("<script>const files = {};</script>", serde_json::Value::from(files))
    };
    let found = ask(&page(&[1_795_132_800.0, 1_795_132_801.0]), "latest").unwrap();
    assert_eq!((found.candidates.len(), found.newest.mtime), (1, Some(1_795_132_800)));
    assert_eq!(
        found.warnings,
        [format!(
            "the index lists {name} twice, made 2026-11-20 00:00:00 UTC and 2026-11-20 00:00:01 UTC: the first counts"
        )]
    );
    assert_eq!(ask(&page(&[1_795_132_800.0; 3]), "latest").unwrap().warnings, [""; 0]);
}
