//! The list of errors in the book.

use std::path::Path;

use super::{ROOT, page};
use crate::support::files;

#[test]
fn every_error_of_the_list_is_one_of_the_program_s() {
    let text = page(&Path::new(ROOT).join("docs/troubleshooting.md")).text;
    let told: Vec<&str> =
        text.split("**`").skip(1).filter_map(|rest| rest.split_once("`**")).map(|(told, _)| told).collect();
    assert!(told.len() > 20, "{told:?}");
    let places = ["src", "crates/ground/src", "crates/formats/src"].map(|place| files(&Path::new(ROOT).join(place)));
    let sources = places.into_iter().flatten().filter_map(|file| std::fs::read_to_string(file).ok());
    // Long texts are broken in the sources.
    let sources: Vec<String> =
        sources.map(|text| text.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let missing: Vec<&&str> = told.iter().filter(|told| !sources.iter().any(|text| text.contains(**told))).collect();
    assert!(missing.is_empty(), "no longer errors: {missing:#?}");
}
