//! Looks up the bundle of a build number: `sources.toml`, or the sources of the manifest.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::LlamaUiRequest;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::{Documents, is_refusal};
use crate::urls::show_url;

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(include_str!("sources.toml")).unwrap_or_default());

/// The place of the build number in the URL of a source.
pub(super) const NUMBER: &str = "{number}";

/// Greatest length of a document about a bundle, in bytes. A release has some dozens of files, with 2 kB about each.
const LONGEST: u64 = 4 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    most_older: u64,
    source: Vec<Source>,
}

/// A place that publishes bundles.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    bundle: String,
    digest: Option<String>,
    release: Option<String>,
}

/// A published bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    /// The build number that it is for.
    pub number: u64,
    /// Its URL.
    pub url: Url,
    /// Its published digest, if there is one.
    pub sha256: Option<Sha256Digest>,
    /// The document that has the digest.
    pub said_by: Url,
}

/// Returns the URL of a source for a build number.
pub(super) fn filled(template: &str, number: u64) -> String {
    template.replace(NUMBER, &number.to_string())
}

/// Returns the bundle of a build, or of the nearest older one that has one, and warnings.
pub(super) fn look_up(
    request: &LlamaUiRequest,
    documents: &dyn Documents,
    number: u64,
) -> Result<(Published, Vec<String>)> {
    let own = request.sources.iter().map(|bundle| Source {
        bundle: bundle.clone(),
        digest: Some(format!("{bundle}.sha256")),
        release: None,
    });
    let own: Vec<Source> = own.collect();
    let sources = if own.is_empty() { &TABLE.source } else { &own };
    let oldest = number.saturating_sub(TABLE.most_older).max(1);
    for asked in (oldest..=number).rev() {
        let mut silent: Vec<Error> = Vec::new();
        for source in sources {
            match source.ask(documents, asked) {
                Ok(Some(found)) => return Ok((found, silent.iter().map(unasked).collect())),
                Ok(None) => {}
                Err(error) if error.kind() == Kind::Unreachable => silent.push(error),
                Err(error) => return Err(error),
            }
        }
        // Whoever cannot be asked may have it, so that no older one is taken.
        if let Some(error) = silent.into_iter().next() {
            return Err(error);
        }
    }
    let error = Error::new(Kind::NotFound, format!("no web UI is published for b{number}"))
        .fact("asked for", format!("b{oldest} to b{number}"));
    let error = sources.iter().fold(error, |error, source| error.fact("at", filled(&source.bundle, number)));
    Err(error.hint(
        "`ui = false` in the output of type `llama` builds without one; `sources` of an input of type `llama-ui` names \
         other places",
    ))
}

fn unasked(error: &Error) -> String {
    let url = error.facts().find(|(label, _)| *label == "url").map(|(_, url)| format!("{url}: ")).unwrap_or_default();
    format!("another source of the web UI was taken: {url}{}", error.message())
}

impl Source {
    /// Returns the bundle of this build, if it is published here.
    fn ask(&self, documents: &dyn Documents, number: u64) -> Result<Option<Published>> {
        let url = parse(&filled(&self.bundle, number))?;
        let said_by = self
            .digest
            .as_ref()
            .or(self.release.as_ref())
            .map_or_else(|| Ok(url.clone()), |template| parse(&filled(template, number)))?;
        let found = match documents.get(&said_by, LONGEST) {
            Ok(found) => found,
            Err(error) if error.kind() == Kind::NotFound || is_refusal(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let published = |sha256| Published { number, url: url.clone(), sha256, said_by: said_by.clone() };
        if self.digest.is_some() {
            return match digest_in(&found.body) {
                Some(digest) => Ok(Some(published(Some(digest)))),
                None => Err(Error::new(Kind::Mismatch, "the digest file of the web UI has no SHA-256")
                    .fact("url", show_url(&said_by))
                    .hint("upstream may be in the middle of an update: try again later")),
            };
        }
        let name = url.path_segments().and_then(Iterator::last).unwrap_or_default();
        let answer: Value = serde_json::from_slice(&found.body).map_err(|error| {
            Error::new(Kind::Mismatch, "the answer about a release is not JSON")
                .fact("url", show_url(&said_by))
                .because(&error)
        })?;
        Ok(asset(&answer, name).map(|asset| published(digest_of(asset))))
    }
}

/// Returns a file of a release.
fn asset<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    answer["assets"].as_array()?.iter().find(|asset| asset["name"] == name)
}

/// Returns the digest of a file of a release, if the answer has it.
fn digest_of(asset: &Value) -> Option<Sha256Digest> {
    asset["digest"].as_str()?.strip_prefix("sha256:").and_then(Sha256Digest::from_hex)
}

/// Returns the first SHA-256 in the text of a digest file.
fn digest_in(body: &[u8]) -> Option<Sha256Digest> {
    let text = String::from_utf8_lossy(body);
    text.split_whitespace().find_map(Sha256Digest::from_hex)
}

fn parse(text: &str) -> Result<Url> {
    Url::parse(text)
        .map_err(|error| Error::new(Kind::Invalid, "invalid URL of a web UI").fact("url", text).because(&error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fetch::Document;

    /// Documents by their URLs; all others are missing, and those of `down.invalid` cannot be asked.
    struct Table(BTreeMap<&'static str, &'static str>);

    impl Documents for Table {
        fn get(&self, url: &Url, _: u64) -> Result<Document> {
            match self.0.get(url.as_str()) {
                Some(text) => Ok(Document { url: url.clone(), body: text.as_bytes().to_vec() }),
                None if url.host_str() == Some("down.invalid") => {
                    Err(Error::new(Kind::Unreachable, "down").fact("url", url))
                }
                None => Err(Error::new(Kind::NotFound, "missing")),
            }
        }
    }

    const ONES: &str = "1111111111111111111111111111111111111111111111111111111111111111";

    fn at(sources: &[&str]) -> LlamaUiRequest {
        let sources = sources.iter().map(|host| format!("https://{host}.invalid/b{{number}}.tgz")).collect();
        LlamaUiRequest { source: "llama-cpp".to_owned(), sources }
    }

    #[test]
    fn the_table_is_well_formed() {
        let table: super::Table = toml::from_str(include_str!("sources.toml")).unwrap();
        for source in &table.source {
            assert!(source.digest.is_some() != source.release.is_some(), "{source:?}");
            for text in [Some(&source.bundle), source.digest.as_ref(), source.release.as_ref()].into_iter().flatten() {
                assert!(text.contains(NUMBER) && parse(&filled(text, 7)).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn the_nearest_older_build_is_taken_and_none_while_somebody_cannot_be_asked() {
        let documents = Table([("https://a.invalid/b5.tgz.sha256", ONES)].into());
        let (found, warnings) = look_up(&at(&["a"]), &documents, 7).unwrap();
        assert_eq!((found.number, found.url.as_str()), (5, "https://a.invalid/b5.tgz"));
        assert!(found.sha256.is_some() && warnings.is_empty());
        let error = look_up(&at(&["a", "down"]), &documents, 7).unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable, "{error}");
        let (found, warnings) = look_up(&at(&["down", "a"]), &documents, 5).unwrap();
        assert!(found.number == 5 && warnings[0].contains("down.invalid"), "{warnings:?}");
        for number in [4, 0, TABLE.most_older + 6] {
            let error = look_up(&at(&["a"]), &documents, number).unwrap_err();
            assert_eq!(error.kind(), Kind::NotFound, "{error}");
        }
    }

    #[test]
    fn a_release_names_its_files_with_or_without_a_digest() {
        let source = Source {
            bundle: "https://a.invalid/b{number}/ui-b{number}.tgz".to_owned(),
            digest: None,
            release: Some("https://api.invalid/b{number}".to_owned()),
        };
        let ask = |text| source.ask(&Table([("https://api.invalid/b7", text)].into()), 7);
        let with = format!(r#"{{"assets":[{{"name":"x"}},{{"name":"ui-b7.tgz","digest":"sha256:{ONES}"}}]}}"#);
        assert!(ask(with.leak()).unwrap().unwrap().sha256.is_some());
        for unsaid in [r#"{"assets":[{"name":"ui-b7.tgz"}]}"#, r#"{"assets":[{"name":"ui-b7.tgz","digest":"md5:1"}]}"#]
        {
            assert_eq!(ask(unsaid).unwrap().unwrap().sha256, None);
        }
        for absent in ["{}", "[]", r#"{"assets":{}}"#, r#"{"assets":[{"name":"ui-b8.tgz"}]}"#, r#"{"assets":[7]}"#] {
            assert_eq!(ask(absent).unwrap(), None, "{absent}");
        }
        assert_eq!(ask("<html>").unwrap_err().kind(), Kind::Mismatch);
    }

    #[test]
    fn a_digest_file_without_a_digest_is_refused() {
        for text in ["", "latest", "<html>1111</html>", &ONES[1..]] {
            let documents = Table([("https://a.invalid/b7.tgz.sha256", &*text.to_owned().leak())].into());
            assert_eq!(look_up(&at(&["a"]), &documents, 7).unwrap_err().kind(), Kind::Mismatch, "{text}");
        }
        assert!(digest_in(format!("{ONES}  dist.tar.gz\n").as_bytes()).is_some());
    }
}
