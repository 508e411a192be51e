//! Look-ups over made-up answers of the hub.

use std::collections::BTreeMap;

use super::*;
use crate::fetch::Document;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPO: &str = "unsloth/gemma-3-1b-it-GGUF";

struct Pages(BTreeMap<String, String>);

impl Documents for Pages {
    fn get(&self, url: &Url, _limit: u64) -> Result<Document> {
        let page = self.0.get(url.as_str()).ok_or_else(|| Error::new(Kind::Unreachable, "cannot be reached"))?;
        Ok(Document { url: url.clone(), body: page.clone().into_bytes() })
    }
}

fn request(model: ModelChoice) -> HuggingfaceRequest {
    HuggingfaceRequest { repo: REPO.to_owned(), revision: "main".to_owned(), model, endpoints: Vec::new() }
}

fn quantisation(text: &str) -> HuggingfaceRequest {
    request(ModelChoice::Quantisation(text.to_owned()))
}

fn answer(names: &[&str]) -> String {
    let lfs = |name: &&str| {
        let digest = Sha256Digest::of(name.as_bytes()).hex();
        serde_json::json!({"rfilename": name, "blobId": "b", "size": 900, "lfs": {"sha256": digest, "size": 900, "pointerSize": 134}})
    };
    let mut siblings: Vec<_> = names.iter().map(lfs).collect();
    siblings.push(serde_json::json!({"rfilename": "README.md", "blobId": "b", "size": 12}));
    siblings.push(serde_json::json!({"rfilename": "../../etc/passwd", "size": 12}));
    serde_json::json!({"_id": "1", "id": REPO, "sha": COMMIT, "gated": false, "siblings": siblings, "new": {"field": 1}}).to_string()
}

fn ask(request: &HuggingfaceRequest, answer: &str) -> Result<Found> {
    let url = format!("https://huggingface.co/api/models/{REPO}/revision/main?blobs=true");
    look_up(request, &Pages(BTreeMap::from([(url, answer.to_owned())])))
}

fn paths(found: &Found) -> Vec<&str> {
    found.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn a_quantisation_finds_its_file_with_size_and_digest() {
    let names = [
        "gemma-3-1b-it-Q4_K_M.gguf",
        "gemma-3-1b-it-UD-Q4_K_M.gguf",
        "gemma-3-1b-it-IQ4_XS.gguf",
        "mmproj-Q4_K_M.gguf",
    ];
    for wanted in ["Q4_K_M", "q4_k_m"] {
        let found = ask(&quantisation(wanted), &answer(&names)).unwrap();
        assert_eq!((found.commit.as_str(), paths(&found)), (COMMIT, vec![names[0]]));
        assert_eq!(
            (found.files[0].size, found.files[0].sha256),
            (Some(900), Some(Sha256Digest::of(names[0].as_bytes())))
        );
    }
    assert_eq!(paths(&ask(&quantisation("UD-Q4_K_M"), &answer(&names)).unwrap()), [names[1]]);
    let error = ask(&quantisation("Q8_0"), &answer(&names)).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    let hint = error.to_json()["hint"].as_str().unwrap().to_owned();
    assert_eq!(hint, format!("it has {}, {}, {}", names[0], names[1], names[2]));
    let error = ask(&quantisation("Q8_0"), &answer(&[])).unwrap_err().to_string();
    assert!(error.contains("it has no GGUF file at all"), "{error}");
}

#[test]
fn all_parts_of_a_split_model_are_taken_in_order() {
    let part = |number: u32| format!("UD-Q4_K_XL/big-UD-Q4_K_XL-{number:05}-of-00003.gguf");
    let (one, two, three) = (part(1), part(2), part(3));
    let found = ask(&quantisation("UD-Q4_K_XL"), &answer(&[&three, &one, &two])).unwrap();
    assert_eq!(paths(&found), [&one, &two, &three]);
    let by_file = request(ModelChoice::File(one.clone()));
    assert_eq!(paths(&ask(&by_file, &answer(&[&one, &two, &three])).unwrap()), [&one, &two, &three]);
    let error = ask(&by_file, &answer(&[&one, &three])).unwrap_err().to_string();
    assert!(error.contains("lacks part 2 of 3"), "{error}");
    let error = ask(&request(ModelChoice::File("m-00001-of-99999.gguf".into())), &answer(&["m-00001-of-99999.gguf"]))
        .unwrap_err();
    assert!(error.to_string().contains("lacks part 2 of 99999"), "{error}");
}

#[test]
fn a_quantisation_of_several_models_must_be_said_by_file() {
    let error = ask(&quantisation("F16"), &answer(&["a-F16.gguf", "b.F16.gguf"])).unwrap_err().to_string();
    assert!(error.contains("several GGUF files") && error.contains("a-F16.gguf, b.F16.gguf"), "{error}");
}

#[test]
fn a_file_without_lfs_has_no_digest_yet_and_a_wrong_name_gets_a_suggestion() {
    let found = ask(&request(ModelChoice::File("README.md".to_owned())), &answer(&[])).unwrap();
    assert_eq!(found.files, [HubFile { path: "README.md".to_owned(), size: Some(12), sha256: None }]);
    let error = ask(&request(ModelChoice::File("a-Q4_K_N.gguf".to_owned())), &answer(&["a-Q4_K_M.gguf"])).unwrap_err();
    assert!(error.to_string().contains("did you mean `a-Q4_K_M.gguf`?"), "{error}");
    assert!(ask(&request(ModelChoice::File("../../etc/passwd".to_owned())), &answer(&[])).is_err());
}

#[test]
fn what_is_no_answer_of_a_hub_is_refused() {
    let bad_digest = answer(&["a-F16.gguf"]).replace(&Sha256Digest::of(b"a-F16.gguf").hex(), "short");
    for (body, why) in [
        ("<html>", "it is no JSON"),
        ("[]", "it names no commit"),
        (r#"{"sha": "main", "siblings": []}"#, "it names no commit"),
        (&format!(r#"{{"sha": "{COMMIT}"}}"#), "it lists no files"),
        (&format!(r#"{{"sha": "{COMMIT}", "siblings": [{{}}]}}"#), "a file has no name"),
        (&bad_digest, "a file in LFS has no SHA-256"),
    ] {
        let error = ask(&quantisation("F16"), body).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert!(error.to_string().contains(why), "{body}: {error}");
    }
}

#[test]
fn a_hub_that_cannot_be_reached_is_passed_over() {
    let endpoints = vec!["https://gone.example".parse().unwrap(), "https://hub.example/base/".parse().unwrap()];
    let asked = HuggingfaceRequest { endpoints, revision: "refs/pr/1".to_owned(), ..quantisation("F16") };
    let url = format!("https://hub.example/base/api/models/{REPO}/revision/refs%2Fpr%2F1?blobs=true");
    let found = look_up(&asked, &Pages(BTreeMap::from([(url, answer(&["a b-F16.gguf"]))]))).unwrap();
    let urls = file_urls(&asked.hubs().unwrap(), REPO, COMMIT, &found.files[0].path);
    let urls: Vec<&str> = urls.iter().map(Url::as_str).collect();
    assert_eq!(
        urls,
        [
            format!("https://gone.example/{REPO}/resolve/{COMMIT}/a%20b-F16.gguf"),
            format!("https://hub.example/base/{REPO}/resolve/{COMMIT}/a%20b-F16.gguf")
        ]
    );
}

#[test]
fn names_are_held_to_what_the_hub_allows() {
    for good in ["a/b", "unsloth/gemma-3-1b-it-GGUF", "TheBloke/x.y_z"] {
        assert!(is_repository(good), "{good}");
    }
    for bad in ["", "a", "a/b/c", "../b", "a/..", "a/b?c", "a/b#c", "a/-b", "a b/c", "a/b\n", "api/models/x"] {
        assert!(!is_repository(bad), "{bad}");
    }
    assert_eq!(parse_model("a/b:Q4_K_M"), Some(("a/b".to_owned(), ModelChoice::Quantisation("Q4_K_M".to_owned()))));
    for bad in ["a/b", "a/b:", "a:Q4", "https://huggingface.co/a/b:Q4", "a/b:../c"] {
        assert_eq!(parse_model(bad), None, "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn any_answer_gives_files_or_an_error(body in "\\PC{0,200}", name in "\\PC{0,60}") {
        let _ = ask(&quantisation("F16"), &body);
        let _ = ask(&quantisation("F16"), &answer(&[&name]));
        let _ = ask(&request(ModelChoice::File(name.clone())), &answer(&[&name, &format!("{name}-00001-of-00002.gguf")]));
    }
}
