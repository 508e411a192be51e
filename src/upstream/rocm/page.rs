//! Index pages: bytes in, file names and links out.
//!
//! Three formats are understood: AMD's page, which has the names only in an inline script (`script`); the `<a href>`
//! listing of plain web servers (`links`); and S3's XML (`s3`). A list may be empty. A document in any other format is
//! an error, never "nothing new".

use url::Url;

use super::{links, markup, s3, script};
use crate::error::{Error, Kind, Result};
use crate::urls::show_url;

/// One file that an index names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without directories.
    pub name: String,
    /// Its address.
    pub url: Url,
    /// Its time in whole seconds since 1970, if the index gives one.
    pub mtime: Option<i64>,
    /// Its size in bytes, if the index gives one; only S3 does.
    pub size: Option<u64>,
}

/// A parsed index page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The files, in the page's order. Unusable names (with `/`, `\`, control characters, or `..`) are left out:
    /// upstream has no such file, and it would be dangerous to ask for one.
    pub files: Vec<Listed>,
    /// Number of entries that were skipped because their names are unusable.
    pub odd: usize,
    /// The address of the list's next page.
    pub next: Option<Url>,
}

/// Greatest number of files in one index; AMD's has about ten thousand. Each takes about 300 bytes of memory.
pub(super) const ENTRIES: usize = 100_000;

/// Parses the page that `url` returned.
pub fn parse(body: &[u8], url: &Url) -> Result<Page> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if s3::is_listing(text) {
        return s3::parse(text, url);
    }
    let markup = markup::read(text);
    let not_an_index = |why: &str| not_an_index(url, &markup.title, text, why);
    let base = markup.base.as_deref().and_then(|base| url.join(base).ok());
    let base = base.filter(|base| matches!(base.scheme(), "http" | "https") || base.scheme() == url.scheme());
    if let Some(array) = &markup.array {
        return match script::files(array, &base.unwrap_or_else(|| directory(url))) {
            Ok(page) => Ok(page),
            Err(error) if error.is_eof() => Err(not_an_index("its list of files is cut off").because(&error)),
            Err(error) => Err(not_an_index("its list of files is broken").because(&error)),
        };
    }
    if markup.links.len() > ENTRIES {
        return Err(not_an_index("it has too many links"));
    }
    let page = links::files(&markup.links, base.as_ref().unwrap_or(url));
    if page.files.is_empty() && !links::is_listing(&markup.title) {
        return Err(not_an_index("it has neither AMD's `const files` nor links to files"));
    }
    Ok(page)
}

/// Returns the directory that AMD's page lists: servers also answer without its final slash.
fn directory(url: &Url) -> Url {
    let mut url = url.clone();
    let last = url.path().rsplit('/').next().unwrap_or_default();
    if !last.is_empty() && !last.contains('.') && url.query().is_none() {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// Returns the URL of `name` in the directory of `base`. A `+` is encoded too, since some servers read it as a space.
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

/// Returns whether this is a plain file name.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}

/// Returns the beginning of a text as one printable line.
fn excerpt(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(100).collect()
}

fn not_an_index(url: &Url, title: &str, text: &str, why: &str) -> Error {
    let error = Error::new(Kind::NotFound, format!("this page is not an index: {why}")).fact("url", show_url(url));
    let begin: String = text.chars().take(1000).collect();
    match excerpt(title) {
        title if !title.is_empty() => error.fact("title", title),
        _ if text.is_empty() => error.fact("found", "an empty document"),
        _ => error.fact("begins", excerpt(&begin)),
    }
    .hint("the index may have moved again: look for its new address and name it under `sources` in the manifest")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "https://index.example/tarball/";

    fn refusal(page: &str) -> Error {
        parse(page.as_bytes(), &BASE.parse().unwrap()).unwrap_err()
    }

    #[test]
    fn what_is_no_index_is_an_error() {
        insta::assert_snapshot!(refusal("<html><title>Moved &amp;\n gone</title><body>Nightlies live elsewhere now</body></html>"), @r"
        this page is not an index: it has neither AMD's `const files` nor links to files
          url    https://index.example/tarball/
          title  Moved & gone
        hint: the index may have moved again: look for its new address and name it under `sources` in the manifest
        ");
        insta::assert_snapshot!(refusal("{\"message\": \"no such\nroute\"}"), @r#"
        this page is not an index: it has neither AMD's `const files` nor links to files
          url     https://index.example/tarball/
          begins  {"message": "no such route"}
        hint: the index may have moved again: look for its new address and name it under `sources` in the manifest
        "#);
        for page in [
            "",
            "not found",
            "\u{1f}\u{8b}\u{0}",
            "<script>const files = {};</script>",
            "<script>files = []</script>",
            "<script>const files</script>",
            "<a href='readme.txt'>x</a><a href='../'>up</a>",
            "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        ] {
            let error = refusal(page);
            assert_eq!(error.kind(), Kind::NotFound);
            assert!(error.message().starts_with("this page is not an index"), "{page}: {error}");
        }
    }

    #[test]
    fn a_flood_of_links_is_no_index() {
        let error = refusal(&"<a href=x.tar.gz>".repeat(ENTRIES + 1));
        assert_eq!(error.message(), "this page is not an index: it has too many links");
    }

    #[test]
    fn a_url_is_that_of_one_file_in_the_directory() {
        for (base, name, expected) in [
            ("https://a.example/t/", "x+y.gz", Some("https://a.example/t/x%2By.gz")),
            ("https://a.example/t/index.html?C=M#top", "x.gz", Some("https://a.example/t/x.gz")),
            ("https://a.example", "x.gz", Some("https://a.example/x.gz")),
            ("https://a.example/t/", "a b%?#.gz", Some("https://a.example/t/a%20b%25%3F%23.gz")),
            ("https://a.example/t/", "..", None),
            ("https://a.example/t/", "../x", None),
            ("https://a.example/t/", "a\\b", None),
            ("https://a.example/t/", "a\nb", None),
            ("data:text", "x", None),
        ] {
            assert_eq!(beside(&base.parse().unwrap(), name).as_ref().map(Url::as_str), expected, "{base} {name}");
        }
    }

    proptest! {
        #[test]
        fn any_page_is_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300), shape in 0usize..5) {
            let prefix: &[u8] = [
                b"".as_slice(),
                b"<script>const files = [",
                b"<script>const files = [{\"name\": \"x\", \"mtime\": ",
                b"<title>Index of</title><a href=\"",
                b"<?xml version='1.0'?><ListBucketResult><Contents><Key>",
            ][shape];
            let _ = parse(&[prefix, &body].concat(), &BASE.parse().unwrap());
        }
    }
}
