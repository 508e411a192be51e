//! S3's `ListBucketResult` XML, as the older buckets return it: up to 1000 keys a page and a token for the next page.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use url::Url;

use super::page::{ENTRIES, Listed, Page, beside};
use crate::error::{Error, Kind, Result};
use crate::urls::show_url;

/// Greatest nesting of elements; listings have 3 levels.
const DEPTH: usize = 16;

/// Returns whether this is an S3 listing, complete or not. Other XML is not: an error document, or XHTML.
pub(super) fn is_listing(text: &str) -> bool {
    let text = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, rest)| rest).trim_start(),
        None => text,
    };
    text.starts_with("<ListBucketResult")
}

/// Parses the XML that `url` returned. Only keys directly under the prefix in the URL are files of this index.
pub(super) fn parse(text: &str, url: &Url) -> Result<Page> {
    let broken =
        |why: &str| Error::new(Kind::NotFound, format!("this S3 listing is broken: {why}")).fact("url", show_url(url));
    let directory = directory(url);
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let (mut listing, mut entry) = (Entry::default(), Entry::default());
    let mut page = Page::default();
    loop {
        let event = reader.read_event().map_err(|error| broken("it is not XML").because(&error))?;
        let text = match &event {
            Event::Text(text) => (**text).to_owned(),
            Event::CData(text) => (**text).to_owned(),
            // The parser reports character references apart from the text around them.
            Event::GeneralRef(name) => {
                let raw = format!("&{};", &**name);
                unescape(&raw).map_err(|error| broken("it is not XML").because(&error))?.into_owned()
            }
            _ => String::new(),
        };
        match event {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                if path.len() > DEPTH {
                    return Err(broken("it is nested too deeply"));
                }
            }
            Event::End(_) => {
                if path == ["ListBucketResult", "Contents"] {
                    let entry = std::mem::take(&mut entry);
                    // Directories, and files in them, do not belong to this index; an entry without a key is odd.
                    page.odd += usize::from(entry.key.is_empty());
                    page.files.extend(entry.listed(&directory, url));
                    if page.files.len() > ENTRIES {
                        return Err(broken(&format!("it has more than {ENTRIES} files")));
                    }
                }
                path.pop();
            }
            Event::Eof => break,
            _ => match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["ListBucketResult", "Contents", field] => entry.take(field, &text),
                ["ListBucketResult", field] => listing.take(field, &text),
                _ => {}
            },
        }
    }
    if !path.is_empty() {
        return Err(broken("it is cut off"));
    }
    if listing.truncated == "true" && listing.token.is_empty() {
        // Half a list could hide the newest build.
        return Err(broken("it is truncated, but has no continuation token").hint("add `?list-type=2` to its URL"));
    }
    if listing.truncated != "false" && !listing.token.is_empty() {
        page.next = Some(with_token(url, &listing.token));
    }
    Ok(page)
}

/// Returns the directory in the prefix of `url`: `v4/tarball/` for `v4/tarball/therock-`.
fn directory(url: &Url) -> String {
    let prefix = url.query_pairs().find(|(name, _)| name == "prefix").map(|(_, value)| value.into_owned());
    let mut prefix = prefix.unwrap_or_default();
    prefix.truncate(prefix.rfind('/').map_or(0, |slash| slash + 1));
    prefix
}

/// Returns the address of the listing's next page, which begins at `token`.
fn with_token(url: &Url, token: &str) -> Url {
    const NAME: &str = "continuation-token";
    let mut next = url.clone();
    let rest = url.query().unwrap_or_default().split('&');
    let rest: Vec<&str> = rest.filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(NAME)).collect();
    next.set_query((!rest.is_empty()).then(|| rest.join("&")).as_deref());
    next.query_pairs_mut().append_pair(NAME, token);
    next
}

/// The fields that are read, of the listing or of an entry in it.
#[derive(Default)]
struct Entry {
    key: String,
    modified: String,
    size: String,
    truncated: String,
    token: String,
}

impl Entry {
    fn take(&mut self, field: &str, text: &str) {
        match field {
            "Key" => self.key.push_str(text),
            "LastModified" => self.modified.push_str(text),
            "Size" => self.size.push_str(text),
            "IsTruncated" => self.truncated.push_str(text),
            "NextContinuationToken" => self.token.push_str(text),
            _ => {}
        }
    }

    fn listed(self, directory: &str, url: &Url) -> Option<Listed> {
        let name = self.key.strip_prefix(directory)?;
        let mut base = url.clone();
        base.set_query(None);
        base.set_path(&format!("{}/{directory}", url.path().trim_end_matches('/')));
        Some(Listed {
            url: beside(&base, name)?,
            name: name.to_owned(),
            mtime: self.modified.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond().div_euclid(1000)),
            size: self.size.parse().ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::parse;
    use super::*;

    const BASE: &str = "https://bucket.example/?list-type=2&prefix=v4/tarball/therock-";

    fn read(inner: &str) -> Result<Page> {
        let page = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>{inner}</ListBucketResult>"
        );
        parse(page.as_bytes(), &BASE.parse().unwrap())
    }

    fn contents(key: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-07-19T01:02:03.900Z</LastModified><ETag>&quot;x-2&quot;</ETag><Size>5</Size></Contents>"
        )
    }

    #[test]
    fn keys_under_the_prefix_are_files() {
        let keys = [
            "v4/tarball/a+b&amp;c&#43;d.gz",
            "v4/tarball/old/e.gz",
            "v4/tarball/",
            "other/f.gz",
            "v4/tarball/<![CDATA[g]]>.gz",
        ];
        let page = read(&keys.map(contents).concat()).unwrap();
        let found: Vec<_> = page.files.iter().map(|file| (file.name.as_str(), file.url.as_str())).collect();
        assert_eq!(
            found,
            [
                ("a+b&c+d.gz", "https://bucket.example/v4/tarball/a%2Bb&c%2Bd.gz"),
                ("g.gz", "https://bucket.example/v4/tarball/g.gz"),
            ]
        );
        assert_eq!((page.files[0].mtime, page.files[0].size), (Some(1_784_422_923), Some(5)));
    }

    #[test]
    fn a_path_style_bucket_is_read_too() {
        let url: Url = "http://127.0.0.1:9000/bucket?list-type=2".parse().unwrap();
        let page =
            parse(format!("<ListBucketResult>{}</ListBucketResult>", contents("a.gz")).as_bytes(), &url).unwrap();
        assert_eq!(page.files[0].url.as_str(), "http://127.0.0.1:9000/bucket/a.gz");
    }

    #[test]
    fn the_next_page_is_found() {
        let next = |inner: &str| read(inner).unwrap().next.map(String::from);
        let token = "<NextContinuationToken>a/b&amp;c=</NextContinuationToken>";
        let expected = format!("{BASE}&continuation-token=a%2Fb%26c%3D");
        assert_eq!(next(&format!("<IsTruncated>true</IsTruncated>{token}")), Some(expected.clone()));
        assert_eq!(next(token), Some(expected.clone()));
        assert_eq!(next(&format!("<IsTruncated>false</IsTruncated>{token}")), None);
        assert_eq!(next(""), None);
        let second = format!("{BASE}&continuation-token=old").parse().unwrap();
        assert_eq!(with_token(&second, "a/b&c=").as_str(), expected);
        assert_eq!(
            with_token(&"https://b.example/".parse().unwrap(), "t").as_str(),
            "https://b.example/?continuation-token=t"
        );
    }

    #[test]
    fn half_a_listing_is_an_error() {
        for (page, why) in [
            ("<ListBucketResult><Contents>", "it is cut off"),
            ("<?xml version='1.0'?><ListBucketResult><Contents><Key>a", "it is cut off"),
            (
                "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                "it is truncated, but has no continuation token",
            ),
            ("<ListBucketResult></Contents></ListBucketResult>", "it is not XML"),
            ("<ListBucketResult>&unknown;</ListBucketResult>", "it is not XML"),
        ] {
            let error = parse(page.as_bytes(), &BASE.parse().unwrap()).unwrap_err();
            assert!(error.message().starts_with(&format!("this S3 listing is broken: {why}")), "{page}: {error}");
        }
        let deep = format!("<ListBucketResult>{}", "<a>".repeat(100));
        assert!(
            parse(deep.as_bytes(), &BASE.parse().unwrap()).unwrap_err().message().ends_with("is nested too deeply")
        );
    }
}
