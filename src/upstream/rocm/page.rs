//! Index pages: bytes in, file names and links out.
//!
//! Three shapes are understood: AMD's page, whose names stand only in an inline script as `const files = [...];`; the
//! `<a href>` listing of plain web servers; and S3's `ListBucketResult` XML. An array that is there may be empty. A
//! document that is none of the three is an error and never "nothing new".

use percent_encoding::percent_decode_str;
use scraper::{Html, Selector};
use serde::Deserialize;
use url::Url;

use super::s3;
use crate::error::{Error, Kind, Result};
use crate::fetch::show_url;

/// One file that an index names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without directories.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// When it was made, in whole seconds since 1970, where the index says so.
    pub mtime: Option<i64>,
}

/// What an index page says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The files, in the page's order.
    pub files: Vec<Listed>,
    /// S3's token for the next page.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct ScriptFile {
    name: String,
    #[serde(default)]
    mtime: Option<f64>,
}

/// Parses the page that `url` gave.
pub fn parse(body: &[u8], url: &Url) -> Result<Page> {
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with("<?xml") || text.contains("<ListBucketResult") {
        return s3::parse(&text, url);
    }
    let document = Html::parse_document(&text);
    if let Some(array) = script_array(&document) {
        let mut stream = serde_json::Deserializer::from_str(&array).into_iter::<Vec<ScriptFile>>();
        let files = match stream.next() {
            Some(Ok(files)) => files,
            Some(Err(error)) => return Err(not_an_index(url, &document, "its list of files is broken").because(&error)),
            None => return Err(not_an_index(url, &document, "its list of files is cut off")),
        };
        let files = files.into_iter().filter_map(|file| {
            let mtime = file.mtime.filter(|mtime| mtime.is_finite()).map(|mtime| mtime.floor() as i64);
            Some(Listed { url: beside(url, &file.name)?, name: file.name, mtime })
        });
        return Ok(Page { files: files.collect(), next: None });
    }
    let files = links(&document, url);
    if files.is_empty() {
        return Err(not_an_index(url, &document, "it has neither AMD's `const files` nor links to files"));
    }
    Ok(Page { files, next: None })
}

/// The text from the array of `const files = [` on, out of the script that has it.
fn script_array(document: &Html) -> Option<String> {
    let selector = Selector::parse("script").ok()?;
    document.select(&selector).find_map(|script| {
        let text: String = script.text().collect();
        let rest = &text[text.find("const files")? + "const files".len()..];
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        rest.starts_with('[').then(|| rest.to_owned())
    })
}

/// The links of a plain listing: to files or directories beside or below the page.
fn links(document: &Html, url: &Url) -> Vec<Listed> {
    let Ok(selector) = Selector::parse("a[href]") else { return Vec::new() };
    let link = |href: &str| {
        let mut target = url.join(href).ok()?;
        target.set_query(None);
        target.set_fragment(None);
        let last = target.path_segments()?.next_back()?.to_owned();
        let name = percent_decode_str(&last).decode_utf8().ok()?.into_owned();
        (name.ends_with(".tar.gz") && is_name(&name)).then_some(())?;
        Some(Listed { url: beside(&target, &name)?, name, mtime: None })
    };
    document.select(&selector).filter_map(|element| link(element.value().attr("href")?)).collect()
}

/// The URL of `name` in the directory of `base`, with everything encoded that a server could take for something else:
/// a `+` is a space to some.
pub(super) fn beside(base: &Url, name: &str) -> Option<Url> {
    if !is_name(name) {
        return None;
    }
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut().ok()?.pop().push(name);
    let path = url.path().replace('+', "%2B");
    url.set_path(&path);
    Some(url)
}

/// Whether this is the plain name of a file.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}

fn not_an_index(url: &Url, document: &Html, why: &str) -> Error {
    let title = Selector::parse("title").ok().and_then(|selector| {
        let title: String = document.select(&selector).next()?.text().collect();
        Some(title.trim().chars().filter(|c| !c.is_control()).take(100).collect::<String>())
    });
    let error = Error::new(Kind::NotFound, format!("this page is not an index: {why}")).fact("url", show_url(url));
    match title {
        Some(title) if !title.is_empty() => error.fact("title", title),
        _ => error,
    }
    .hint("the index may have moved again: look for its new address and name it under `sources` in the manifest")
}
