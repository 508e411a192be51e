//! AMD's index page: `const files = [{"name": "...", "mtime": 1789528424.0}, ...];` in an inline script.
//!
//! Nothing else on the page is looked at, since everything else on it has changed before. The array is the output of a
//! JSON encoder; what follows it is JavaScript and not read.

use scraper::{Html, Selector};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::page::{Listed, beside};

#[derive(Deserialize)]
struct File {
    name: String,
    /// A float. Any value, since a name is not to be lost for the time beside it.
    #[serde(default)]
    mtime: Value,
}

/// The text from the array on, out of the script that has it.
pub(super) fn array(document: &Html) -> Option<String> {
    const NAME: &str = "const files";
    let selector = Selector::parse("script").ok()?;
    document.select(&selector).find_map(|script| {
        let text: String = script.text().collect();
        // The first mention may be a comment or another name that begins so.
        text.match_indices(NAME).find_map(|(at, _)| {
            let value = text[at + NAME.len()..].trim_start().strip_prefix('=')?.trim_start();
            value.starts_with('[').then(|| value.to_owned())
        })
    })
}

/// The files of the array that `text` begins with.
pub(super) fn files(text: &str, url: &Url) -> serde_json::Result<Vec<Listed>> {
    let files = first(text).or_else(|error| if error.is_syntax() { first(&without_nan(text)) } else { Err(error) })?;
    let listed = |File { name, mtime }: File| {
        let mtime = mtime.as_f64().map(|mtime| mtime.floor() as i64);
        Some(Listed { url: beside(url, &name)?, name, mtime, size: None })
    };
    Ok(files.into_iter().filter_map(listed).collect())
}

fn first(text: &str) -> serde_json::Result<Vec<File>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    values.next().unwrap_or_else(|| Ok(Vec::new()))
}

/// Python's encoder writes numbers that JSON does not have; here they mean that the time is not known.
fn without_nan(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        out.push_str(&nan_to_null(&rest[..quote]));
        let string = string_length(&rest[quote..]);
        out.push_str(&rest[quote..quote + string]);
        rest = &rest[quote + string..];
    }
    out.push_str(&nan_to_null(rest));
    out
}

fn nan_to_null(text: &str) -> String {
    text.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null")
}

/// The length of the JSON string that `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::page::{Page, parse};
    use crate::error::Result;

    fn read(script: &str) -> Result<Page> {
        let page = format!("<!doctype html><title>ROCm</title><table></table><script>{script}</script><p>end</p>");
        parse(page.as_bytes(), &"https://index.example/t/".parse().unwrap())
    }

    fn times(script: &str) -> Vec<(String, Option<i64>)> {
        read(script).unwrap().files.into_iter().map(|file| (file.name, file.mtime)).collect()
    }

    fn named(name: &str, mtime: Option<i64>) -> Vec<(String, Option<i64>)> {
        vec![(name.to_owned(), mtime)]
    }

    #[test]
    fn only_the_array_is_read() {
        let page = "'use strict'; // const files hold the names\nconst filesPerPage = [5];\n\
             const files = [{\"name\": \"a+b.gz\", \"mtime\": 1789528424.9, \"new\": {\"x\": []}}];\nif (1 < 2) { '\"' }";
        let page = read(page).unwrap();
        assert_eq!(page.files[0].url.as_str(), "https://index.example/t/a%2Bb.gz");
        assert_eq!((page.files.len(), page.files[0].mtime, page.next), (1, Some(1_789_528_424), None));
    }

    #[test]
    fn an_empty_array_is_an_empty_index() {
        for script in ["const files = [];", "const files=[ ]", "const files =\n[\n];"] {
            assert_eq!(read(script).unwrap(), Page::default(), "{script}");
        }
    }

    #[test]
    fn no_time_loses_a_name() {
        for (mtime, expected) in [
            ("1789528424", Some(1_789_528_424)),
            ("-0.5", Some(-1)),
            ("-3600.0", Some(-3600)),
            ("1e300", Some(i64::MAX)),
            ("NaN", None),
            ("-Infinity", None),
            ("null", None),
            ("\"yesterday\"", None),
        ] {
            let script = format!("const files = [{{\"name\": \"a.gz\", \"mtime\": {mtime}}}];");
            assert_eq!(times(&script), named("a.gz", expected), "{mtime}");
        }
        assert_eq!(times("const files = [{\"name\": \"a.gz\"}]"), named("a.gz", None));
        let script = r#"const files = [{"name": "NaN\"NaN.gz", "mtime": NaN}]; let x = "NaN"#;
        assert_eq!(times(script), named("NaN\"NaN.gz", None));
    }

    #[test]
    fn strings_are_json_and_not_html() {
        // An encoder for pages escapes the `/`; entities mean nothing inside a script.
        let script = r#"const files = [{"name": "<\/script>"}, {"name": "a&amp;b\u002bc.gz"}]"#;
        let found = read(script).unwrap().files;
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a&amp;b+c.gz"], "the first has a `/` and is no file's name");
        // Unescaped, it ends the script for every browser too.
        let error = read(r#"const files = [{"name": "</script>"}]"#).unwrap_err();
        assert!(error.message().ends_with("its list of files is cut off"), "{error}");
    }

    #[test]
    fn names_that_lead_elsewhere_are_left_out() {
        let script = r#"const files = [{"name": "../a"}, {"name": "/a"}, {"name": ".."}, {"name": ""}, {"name": "a\n"}, {"name": "b"}]"#;
        assert_eq!(times(script), named("b", None));
    }

    #[test]
    fn a_broken_list_is_an_error() {
        for (script, why) in [
            ("const files = [{\"name\": \"x", "its list of files is cut off"),
            ("const files = [", "its list of files is cut off"),
            ("const files = [{\"name\": \"x\", \"mtime\": NaN}", "its list of files is cut off"),
            ("const files = [{\"name\": 5}]", "its list of files is broken"),
            ("const files = [\"x\"]", "its list of files is broken"),
            ("const files = [{name: \"x\"}]", "its list of files is broken"),
        ] {
            let error = read(script).unwrap_err();
            assert_eq!(error.message(), format!("this page is not an index: {why}"), "{script}");
        }
        // What is not whole is not read in part.
        let page = "<script>const files = [{\"name\": \"x\"}, {\"na";
        assert!(parse(page.as_bytes(), &"https://index.example/".parse().unwrap()).is_err());
    }
}
