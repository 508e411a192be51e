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
        serde_json::json!({"rfilename": name, "blobId": "b", "size": 900,
            "lfs": {"sha256": digest, "size": 900, "pointerSize": 134}})
    };
    let mut siblings: Vec<_> = names.iter().map(lfs).collect();
    siblings.push(serde_json::json!({"rfilename": "README.md", "blobId": "b", "size": 12}));
    siblings.push(serde_json::json!({"rfilename": "../../etc/passwd", "size": 12}));
    serde_json::json!({"_id": "1", "id": REPO, "sha": COMMIT, "gated": false, "siblings": siblings,
        "new": {"field": 1}})
    .to_string()
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
    assert_eq!(error.advice().unwrap(), format!("it has {}, {}, {}", names[0], names[1], names[2]));
    let error = ask(&quantisation("Q8_0"), &answer(&[])).unwrap_err().to_string();
    assert!(error.contains("it has no GGUF file;"), "{error}");
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
    assert_eq!(found.files, [HubFile { path: "README.md".to_owned(), size: Some(12), sha256: None, fault: None }]);
    let error = ask(&request(ModelChoice::File("a-Q4_K_N.gguf".to_owned())), &answer(&["a-Q4_K_M.gguf"])).unwrap_err();
    assert!(error.to_string().contains("did you mean `a-Q4_K_M.gguf`?"), "{error}");
    assert!(ask(&request(ModelChoice::File("../../etc/passwd".to_owned())), &answer(&[])).is_err());
}

#[test]
fn what_is_no_answer_of_a_hub_is_refused() {
    for (body, why) in [
        ("<html>", "it is not JSON"),
        ("[]", "it names no commit"),
        (r#"{"sha": "main", "siblings": []}"#, "it names no commit"),
        (&format!(r#"{{"sha": "{COMMIT}"}}"#), "it lists no files"),
    ] {
        let error = ask(&quantisation("F16"), body).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert!(error.to_string().contains(why), "{body}: {error}");
    }
}

#[test]
fn odd_neighbours_are_passed_over_and_an_odd_file_is_an_error_when_it_is_wanted() {
    let odd = [
        serde_json::json!({}),
        serde_json::json!("a-F16.gguf"),
        serde_json::json!(null),
        serde_json::json!({"rfilename": 7}),
        serde_json::json!({"rfilename": "a/../b.gguf"}),
        serde_json::json!({"rfilename": "short-Q4_0.gguf", "lfs": {"sha256": "short", "size": 1}}),
        serde_json::json!({"rfilename": "number-Q5_0.gguf", "lfs": {"oid": 12}}),
        serde_json::json!({"rfilename": "list-Q5_1.gguf", "lfs": [], "size": "large"}),
        serde_json::json!({"rfilename": "twice-Q6_K.gguf", "size": 1}),
        serde_json::json!({"rfilename": "twice-Q6_K.gguf", "size": 2}),
        serde_json::json!({"rfilename": "same-Q8_0.gguf", "size": 1}),
        serde_json::json!({"rfilename": "same-Q8_0.gguf", "size": 1}),
    ];
    let mut value: serde_json::Value = serde_json::from_str(&answer(&["a-F16.gguf"])).unwrap();
    value["siblings"].as_array_mut().unwrap().extend(odd);
    let body = value.to_string();
    let found = ask(&quantisation("F16"), &body).unwrap();
    assert_eq!(paths(&found), ["a-F16.gguf"]);
    assert_eq!(found.notes, ["6 files of the hub's list have invalid names and were skipped"]);
    for (wanted, why) in [
        ("Q4_0", "its digest in LFS is not a SHA-256"),
        ("Q5_0", "its digest in LFS is not a SHA-256"),
        ("Q6_K", "it is listed twice, and differs"),
    ] {
        let error = ask(&quantisation(wanted), &body).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert!(error.to_string().contains(why), "{error}");
    }
    for wanted in ["Q5_1", "Q8_0"] {
        assert_eq!(ask(&quantisation(wanted), &body).unwrap().files[0].sha256, None);
    }
}

#[test]
fn the_digest_of_lfs_has_two_names() {
    let digest = Sha256Digest::of(b"x");
    for lfs in [
        serde_json::json!({"sha256": digest.hex(), "size": 5}),
        serde_json::json!({"oid": digest.hex(), "size": 5, "pointerSize": 134}),
        serde_json::json!({"oid": format!("sha256:{}", digest.hex()), "size": 5}),
        serde_json::json!({"sha256": null, "oid": digest.hex(), "size": 5}),
    ] {
        let body = serde_json::json!({"sha": COMMIT, "id": "other/name", "siblings": [
            {"rfilename": "a-F16.gguf", "size": 4, "lfs": lfs}]})
        .to_string();
        let found = ask(&quantisation("F16"), &body).unwrap();
        assert_eq!((found.files[0].size, found.files[0].sha256), (Some(5), Some(digest)));
        assert_eq!(found.notes, [format!("the repository {REPO} is called other/name now")]);
    }
}

#[test]
fn what_goes_with_a_model_is_told_and_not_taken() {
    let names = [
        "BF16/Qwen3.8-27B-BF16-00001-of-00002.gguf",
        "BF16/Qwen3.8-27B-BF16-00002-of-00002.gguf",
        "MTP/mtp-Qwen3.8-27B-Q4_0.gguf",
        "MTP/mtp-Qwen3.8-27B-Q8_0.gguf",
        "Qwen3.8-27B-Q4_0.gguf",
        "Qwen3.8-27B-Q8_0.gguf",
        "Qwen3.8-27B-Q8_0.imatrix.gguf",
        "eagle3-Qwen3.8-27B-Q8_0.gguf",
        "imatrix_unsloth.gguf_file",
        "mmproj-F16.gguf",
    ];
    let found = ask(&quantisation("Q8_0"), &answer(&names)).unwrap();
    assert_eq!(paths(&found), ["Qwen3.8-27B-Q8_0.gguf"]);
    assert_eq!(found.beside, [names[2], names[3], names[6], names[7], names[9]]);
    assert_eq!(paths(&ask(&quantisation("BF16"), &answer(&names)).unwrap()), names[..2]);
    // By name each can be had.
    for path in [names[3], names[6], names[9]] {
        assert_eq!(paths(&ask(&request(ModelChoice::File(path.to_owned())), &answer(&names)).unwrap()), [path]);
    }
    let error = ask(&quantisation("F16"), &answer(&names)).unwrap_err();
    assert!(error.to_string().contains("no GGUF file with quantisation F16"), "{error}");
    // A model whose head is within is a model; a longer name beside a shorter one is a variant.
    let found = ask(&quantisation("Q8_0"), &answer(&["m-MTP-Q8_0.gguf"])).unwrap();
    assert_eq!((paths(&found), found.beside.len()), (vec!["m-MTP-Q8_0.gguf"], 0));
    let variants = answer(&["m-shared-Q8_0.gguf", "m-Q8_0.gguf", "m.v2.Q8_0.gguf"]);
    let found = ask(&quantisation("q8_0"), &variants).unwrap();
    assert_eq!(paths(&found), ["m-Q8_0.gguf"]);
    assert_eq!(found.beside, ["m-shared-Q8_0.gguf", "m.v2.Q8_0.gguf"]);
    for two in [["m-Q8_0.gguf", "Q8_0/m-Q8_0.gguf"], ["m-Q8_0.gguf", "m2-Q8_0.gguf"]] {
        assert!(ask(&quantisation("Q8_0"), &answer(&two)).is_err(), "{two:?}");
    }
}

#[test]
fn pieces_that_were_cut_by_hand_are_told() {
    let names = ["m.i1-Q6_K.gguf.part1of2", "m.i1-Q6_K.gguf.part2of2", "m.Q4_0.gguf-split-a", "m.Q4_0.gguf-split-b"];
    for (wanted, pieces) in [("Q6_K", &names[..2]), ("Q4_0", &names[2..])] {
        let error = ask(&quantisation(wanted), &answer(&names)).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        let text = error.to_string();
        assert!(text.contains("only in pieces that must be joined") && text.contains(&pieces.join(", ")), "{text}");
    }
    let found = ask(&request(ModelChoice::File(names[0].to_owned())), &answer(&names)).unwrap();
    assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    assert!(found.notes[1].contains("one of 2 pieces of `m.i1-Q6_K.gguf`"), "{:?}", found.notes);
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
