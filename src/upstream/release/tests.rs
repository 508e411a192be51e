//! Tables of patterns, and of answers as forges give them and as they must not.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::fetch::Document;

const PATTERN: &str = "llama-b{number}-bin-ubuntu-rocm-{rocm}-x64.tar.gz";
const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// Documents by path and query.
struct Answers(BTreeMap<String, Vec<u8>>);

impl Documents for Answers {
    fn get(&self, url: &Url, limit: u64) -> Result<Document> {
        let at = url.as_str().strip_prefix("https://api.example/r/").unwrap_or_default();
        let body = self.0.get(at).cloned().ok_or_else(|| Error::new(Kind::NotFound, "404").fact("url", url))?;
        assert!(body.len() as u64 <= limit, "the fetcher refuses it");
        Ok(Document { url: url.clone(), body })
    }
}

fn request(wanted: ReleaseRef, pattern: &str) -> ReleaseRequest {
    ReleaseRequest {
        url: "https://forge.example/r".to_owned(),
        wanted,
        asset: pattern.parse().unwrap(),
        api: Some("https://api.example/r".parse().unwrap()),
    }
}

fn file(name: &str) -> Value {
    json!({
        "name": name, "size": 7, "state": "uploaded", "digest": format!("sha256:{HEX}"),
        "browser_download_url": format!("https://forge.example/download/{name}"),
    })
}

fn release(tag: &str, assets: &[Value]) -> Value {
    json!({ "tag_name": tag, "draft": false, "prerelease": false, "published_at": "2026-10-05T10:00:00Z", "assets": assets })
}

fn ask_tag(pattern: &str, tags: &[&str], answers: &[(&str, &Value)]) -> Result<Found> {
    let answers = answers.iter().map(|(tag, answer)| (format!("releases/tags/{tag}"), answer.to_string().into_bytes()));
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    let request = request(ReleaseRef::Tag(tags[0].clone()), pattern);
    of_tags(&request, &tags, tags.iter().find_map(|tag| number_of(tag)), &Answers(answers.collect()))
}

fn told(error: &Error) -> String {
    let facts: Vec<String> = error.facts().map(|(label, value)| format!("{label}: {value}")).collect();
    format!("{}\n{}", error.message(), facts.join("\n"))
}

#[test]
fn a_pattern_fits_the_names_that_are_meant() {
    let pattern: AssetPattern = PATTERN.parse().unwrap();
    let fits = |name: &str| pattern.fits(name, "b11429", Some(11429)).map(|fit| fit.rocm.map(String::from));
    assert_eq!(fits("llama-b11429-bin-ubuntu-rocm-7.2-x64.tar.gz"), Some(Some("7.2".to_owned())));
    assert_eq!(fits("llama-b11429-bin-ubuntu-rocm-10.1.2-x64.tar.gz"), Some(Some("10.1.2".to_owned())));
    for other in [
        "llama-b11428-bin-ubuntu-rocm-7.2-x64.tar.gz",
        "llama-b11429-bin-ubuntu-rocm--x64.tar.gz",
        "llama-b11429-bin-ubuntu-rocm-7.2.-x64.tar.gz",
        "llama-b11429-bin-ubuntu-rocm-7.2-arm64.tar.gz",
        "llama-b11429-bin-ubuntu-rocm-7.2-x64.tar.gz.sig",
        "xllama-b11429-bin-ubuntu-rocm-7.2-x64.tar.gz",
    ] {
        assert_eq!(fits(other), None, "{other}");
    }
    assert_eq!(pattern.fits("llama-b-bin-ubuntu-rocm-7.2-x64.tar.gz", "v1.0.0", None), None, "there is no number");
    let any: AssetPattern = "{tag}-*.tar.*".parse().unwrap();
    assert_eq!(any.fits("v1-linux.tar.zst", "v1", None), Some(Fit::default()));
    assert_eq!(any.fits("v1-linux.zip", "v1", None), None);
}

#[test]
fn a_pattern_that_can_fit_no_file_is_refused() {
    for wrong in ["", "a/b", "../x", ".x", "-x", "a b", "a\n", "{", "x}", "{numbr}", "{}", "*****", "{number"] {
        assert_eq!(wrong.parse::<AssetPattern>().err().map(|error| error.kind()), Some(Kind::Invalid), "{wrong}");
    }
}

#[test]
fn numbers_of_tags_are_those_that_programs_show() {
    assert_eq!((number_of("b11429"), number_of("b2147483647")), (Some(11429), Some(2_147_483_647)));
    for tag in ["b", "b011429", "b99999999999999999999", "b2147483648", "v1.0.0", "b1x", "11429", "b-1", "b+1"] {
        assert_eq!(number_of(tag), None, "{tag}");
    }
}

#[test]
fn the_file_of_a_tag_is_found_with_its_digest() {
    let name = "llama-b11429-bin-ubuntu-rocm-7.2-x64.tar.gz";
    let answer = release("b11429", &[file("llama-b11429-ui.tar.gz"), file(name)]);
    let found = ask_tag(PATTERN, &["b11429", "v0.6.0"], &[("b11429", &answer)]).unwrap();
    assert_eq!((found.file.as_str(), found.size), (name, Some(7)));
    assert_eq!(found.sha256.map(|digest| digest.hex()).as_deref(), Some(HEX));
    assert_eq!((found.rocm.map(String::from).as_deref(), found.published), (Some("7.2"), Some(1_791_194_400)));
    // A tag without a release, or with one that has no files, is passed over for the other.
    let bare = release("v0.6.0", &[]);
    let found = ask_tag(PATTERN, &["v0.6.0", "b11429"], &[("v0.6.0", &bare), ("b11429", &answer)]).unwrap();
    assert_eq!(found.tag, "b11429");
    assert_eq!(ask_tag(PATTERN, &["v0.6.0", "b11429"], &[]).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_pattern_that_fits_none_or_several_lists_the_names() {
    let series = ["6.4", "7.2"].map(|one| file(&format!("llama-b7-bin-ubuntu-rocm-{one}-x64.tar.gz")));
    let error = ask_tag(PATTERN, &["b7"], &[("b7", &release("b7", &series))]).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(told(&error).contains("rocm-6.4-x64.tar.gz, llama-b7-bin-ubuntu-rocm-7.2-x64.tar.gz"), "{}", told(&error));
    let error = ask_tag("llama-{rocm}.zip", &["b7"], &[("b7", &release("b7", &series))]).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(told(&error).contains("it has: llama-b7-bin-ubuntu-rocm-"), "{}", told(&error));
}

#[test]
fn entries_that_cannot_be_used_are_refused_if_they_are_meant() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut entry = file("a.tar.gz");
        change(&mut entry);
        ask_tag("a.tar.gz", &["b7"], &[("b7", &release("b7", &[entry]))])
    };
    for (key, value, fault) in [
        ("digest", json!("sha256:xyz"), "its digest is not a SHA-256"),
        ("state", json!("starter"), "it is not uploaded yet"),
        ("browser_download_url", json!("file:///etc/passwd"), "it has no address that can be downloaded"),
        ("browser_download_url", json!("https://me:secret@forge.example/a"), "it has no address"),
        ("browser_download_url", json!(7), "it has no address"),
    ] {
        let error = with(&|entry| entry[key] = value.clone()).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert!(told(&error).contains(fault), "{}", told(&error));
    }
    for digest in [Value::Null, json!("sha512:00"), json!(7)] {
        assert_eq!(with(&|entry| entry["digest"] = digest.clone()).unwrap().sha256, None, "{digest}");
    }
    for size in [Value::Null, json!(-1), json!("7"), json!(1.5)] {
        assert_eq!(with(&|entry| entry["size"] = size.clone()).unwrap().size, None, "{size}");
    }
    // Names that cannot be written are counted, and meant by no pattern.
    let odd = ["a/b.tar.gz", "..", "a\\b", "a\nb", "-o", ""].map(file);
    let all: Vec<Value> = odd.into_iter().chain([file("a.tar.gz"), json!(7), json!({})]).collect();
    let found = ask_tag("*.tar.gz", &["b7"], &[("b7", &release("b7", &all))]).unwrap();
    assert_eq!(found.notes, ["8 files of release b7 have invalid names and were skipped"]);
}

#[test]
fn hostile_answers_are_errors() {
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let ask = |body: &[u8]| {
        let answers = Answers(BTreeMap::from([("releases/tags/b7".to_owned(), body.to_vec())]));
        of_tags(&request(ReleaseRef::Newest, "a"), &["b7".to_owned()], None, &answers).unwrap_err()
    };
    for body in
        [b"".as_slice(), b"<html>", b"[]", b"7", b"{}", br#"{"tag_name":7}"#, b"{\"tag_name\":\"a\\nb\"}", &deep]
    {
        assert_eq!(ask(body).kind(), Kind::Mismatch, "{}", String::from_utf8_lossy(&body[..body.len().min(40)]));
    }
    let error = ask(release("b8", &[file("a")]).to_string().as_bytes());
    assert!(told(&error).contains("it is about another tag"), "{}", told(&error));
    for body in [br#"{"tag_name":"b7"}"#.as_slice(), br#"{"tag_name":"b7","assets":7}"#] {
        assert!(told(&ask(body)).contains("it has: no files"));
    }
}

#[test]
fn the_newest_release_is_the_first_published_one_that_has_the_file() {
    let full = |number: u64| release(&format!("b{number}"), &[file(&format!("llama-{number}.tar.gz"))]);
    let with = |number: u64, key: &str| {
        let mut one = full(number);
        one[key] = true.into();
        one
    };
    let page = |number: usize| format!("releases?per_page=10&page={number}");
    let ask = |pages: &[Value]| {
        let pages = pages.iter().enumerate().map(|(at, one)| (page(at + 1), one.to_string().into_bytes()));
        newest(&request(ReleaseRef::Newest, "llama-{number}.tar.gz"), &Answers(pages.collect()))
    };
    let first = json!([
        with(9, "draft"),
        with(8, "prerelease"),
        release("b7", &[]),
        json!({ "tag_name": 7 }),
        release("v1.0.0", &[])
    ]);
    assert_eq!(ask(&[first.clone(), json!([full(6), full(5)])]).unwrap().tag, "b6");
    let error = ask(&[first.clone(), json!([])]).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(told(&error).contains("looked at: 4 releases"), "{}", told(&error));
    // No more pages are asked for than these.
    assert_eq!(ask(&[first.clone(), first.clone(), first]).unwrap_err().kind(), Kind::NotFound);
    assert!(told(&ask(&[json!([])]).unwrap_err()).contains("the repository has no published release"));
    assert_eq!(ask(&[json!({})]).unwrap_err().kind(), Kind::Mismatch);
}
