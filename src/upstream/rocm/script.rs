//! AMD's index page: `const files = [{"name": "...", "mtime": 1789528424.0}, ...];` in an inline script.
//!
//! Nothing else on the page is read, since everything else on it has changed before. The array is the output of a JSON
//! encoder; the JavaScript after it is ignored. An entry that cannot be read is skipped without harm to the others.

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tracing::debug;
use url::Url;

use super::page::{ENTRIES, Listed, Page, beside};
use crate::log::LISTS;

/// Returns the script's text from the array on, if the script has one.
pub(super) fn array(script: &str) -> Option<&str> {
    const NAME: &str = "const files";
    // The first mention may be a comment or a longer name.
    script.match_indices(NAME).find_map(|(at, _)| {
        let value = script[at + NAME.len()..].trim_start().strip_prefix('=')?.trim_start();
        value.starts_with('[').then_some(value)
    })
}

/// Returns the files of the array at the beginning of `text`, in the directory of `base`.
pub(super) fn files(text: &str, base: &Url) -> serde_json::Result<Page> {
    first(text, base).or_else(|error| if error.is_syntax() { first(&without_nan(text), base) } else { Err(error) })
}

fn first(text: &str, base: &Url) -> serde_json::Result<Page> {
    serde_json::Deserializer::from_str(text).deserialize_seq(FileList(base))
}

/// Reads the list entry by entry, so that memory holds only one entry beside the result.
struct FileList<'a>(&'a Url);

impl<'de> Visitor<'de> for FileList<'_> {
    type Value = Page;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Page, A::Error> {
        let mut page = Page::default();
        while let Some(entry) = entries.next_element::<Entry>()? {
            let (name, mtime) = match entry {
                Entry::File { name: Some(name), mtime } => (name, mtime),
                Entry::Text(name) => (name, None),
                _ => (String::new(), None),
            };
            let Some(url) = beside(self.0, &name) else {
                debug!(target: LISTS, "an entry of the index is skipped: invalid name {name:?}");
                page.odd += 1;
                continue;
            };
            if page.files.len() == ENTRIES {
                return Err(de::Error::custom(format!("it has more than {ENTRIES} files")));
            }
            let mtime = mtime.map(|mtime| mtime.floor() as i64);
            page.files.push(Listed { url, name, mtime, size: None });
        }
        Ok(page)
    }
}

/// An entry of the list, or a value in one. Any JSON is accepted, so that an odd value does not cost the name beside
/// it.
enum Entry {
    File { name: Option<String>, mtime: Option<f64> },
    Text(String),
    Number(f64),
    Other,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyEntry)
    }
}

struct AnyEntry;

impl<'de> Visitor<'de> for AnyEntry {
    type Value = Entry;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Entry, A::Error> {
        let (mut name, mut mtime) = (None, None);
        while let Some(key) = fields.next_key::<String>()? {
            match key.as_str() {
                "name" => name = if let Entry::Text(text) = fields.next_value()? { Some(text) } else { None },
                "mtime" => mtime = if let Entry::Number(number) = fields.next_value()? { Some(number) } else { None },
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Entry::File { name, mtime })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Entry, A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::Other)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Text(text.to_owned()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Entry, E> {
        Ok(Entry::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Entry, E> {
        Ok(Entry::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Entry, E> {
        Ok(Entry::Number(number as f64))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Entry, E> {
        Ok(Entry::Other)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Entry, E> {
        Ok(Entry::Other)
    }
}

/// Replaces `NaN` and `Infinity`, which Python's encoder writes and JSON lacks, by `null`: the time is unknown.
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

/// Returns the length of the JSON string at the beginning of `text`, quotes included.
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
    use super::super::page::{ENTRIES, Page, parse};
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
             const files = [{\"name\": \"a+b.gz\", \"mtime\": 1789528424.9, \"new\": {\"x\": []}}];\nif (1 < 2) \
             { '\"' }";
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
    fn an_odd_entry_costs_itself_alone() {
        let good = r#"{"name": "a.gz", "mtime": 5}"#;
        for odd in [
            "5",
            "null",
            "true",
            "-1.5",
            "[]",
            "[[{}], \"x\"]",
            "{}",
            "\"\"",
            r#"{"name": 5}"#,
            r#"{"name": null}"#,
            r#"{"name": ["a.gz"]}"#,
            r#"{"name": {"name": "x"}}"#,
            r#"{"name": ""}"#,
            r#"{"name": "../a"}"#,
            r#"{"mtime": 5}"#,
        ] {
            for entries in [format!("{odd}, {good}"), format!("{good}, {odd}")] {
                let page = read(&format!("const files = [{entries}];")).unwrap();
                assert_eq!((page.files.len(), page.odd, page.files[0].mtime), (1, 1, Some(5)), "{entries}");
            }
        }
        assert_eq!(
            times(r#"const files = ["b.gz", {"name": "c.gz", "mtime": [1]}]"#),
            [("b.gz".to_owned(), None), ("c.gz".to_owned(), None)]
        );
    }

    #[test]
    fn a_list_without_end_is_no_index() {
        let list = |count: usize| read(&format!("const files = [{}0]", r#"{"name": "a"},"#.repeat(count)));
        assert_eq!(list(ENTRIES).unwrap().files.len(), ENTRIES);
        let error = list(ENTRIES + 1).unwrap_err().to_string();
        assert!(error.contains("it has more than 100000 files"), "{error}");
    }

    #[test]
    fn a_directory_may_be_named_without_its_last_slash() {
        let url = |base: &str| {
            let page = "<script>const files = [{\"name\": \"a.gz\"}]</script>";
            parse(page.as_bytes(), &base.parse().unwrap()).unwrap().files[0].url.to_string()
        };
        assert_eq!(url("https://index.example/core/tarball"), "https://index.example/core/tarball/a.gz");
        assert_eq!(url("https://index.example/core/tarball/"), "https://index.example/core/tarball/a.gz");
        assert_eq!(url("https://index.example/core/index.html"), "https://index.example/core/a.gz");
    }

    #[test]
    fn a_broken_list_is_an_error() {
        for (script, why) in [
            ("const files = [{\"name\": \"x", "its list of files is cut off"),
            ("const files = [", "its list of files is cut off"),
            ("const files = [{\"name\": \"x\", \"mtime\": NaN}", "its list of files is cut off"),
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
