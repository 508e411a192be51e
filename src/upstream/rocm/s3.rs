//! S3's `ListBucketResult` XML, as the older buckets answer it: up to 1000 keys a page and a token for the next.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use url::Url;

use super::page::{Listed, Page, beside};
use crate::error::{Error, Kind, Result};
use crate::fetch::show_url;

/// Parses the XML that `url` gave. Only keys directly under the prefix that the URL asked for are files of this index.
pub(super) fn parse(text: &str, url: &Url) -> Result<Page> {
    let broken = |why: String| {
        Error::new(Kind::NotFound, format!("this S3 listing is broken: {why}")).fact("url", show_url(url))
    };
    let prefix =
        url.query_pairs().find(|(name, _)| name == "prefix").map(|(_, value)| value.into_owned()).unwrap_or_default();
    let directory = &prefix[..prefix.rfind('/').map_or(0, |slash| slash + 1)];
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut fields = Fields::default();
    let mut page = Page::default();
    let mut seen = false;
    loop {
        match reader.read_event().map_err(|error| broken(error.to_string()))? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                if path.len() > 16 {
                    return Err(broken("it nests too deep".to_owned()));
                }
                seen |= path == ["ListBucketResult"];
            }
            Event::End(_) => {
                if path == ["ListBucketResult", "Contents"] {
                    page.files.extend(std::mem::take(&mut fields).listed(directory, url));
                }
                path.pop();
            }
            Event::Text(text) => {
                let value = unescape(&text).map_err(|error| broken(error.to_string()))?;
                match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["ListBucketResult", "Contents", "Key"] => fields.key.push_str(&value),
                    ["ListBucketResult", "Contents", "LastModified"] => fields.modified.push_str(&value),
                    ["ListBucketResult", "NextContinuationToken"] => page.next.get_or_insert_default().push_str(&value),
                    _ => {}
                }
            }
            Event::GeneralRef(reference) if path.last().is_some_and(|name| name == "Key") => {
                let raw = format!("&{};", &*reference);
                fields.key.push_str(&unescape(&raw).map_err(|error| broken(error.to_string()))?);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !path.is_empty() || !seen {
        return Err(broken("it is cut off or no listing".to_owned()));
    }
    Ok(page)
}

#[derive(Default)]
struct Fields {
    key: String,
    modified: String,
}

impl Fields {
    fn listed(self, directory: &str, url: &Url) -> Option<Listed> {
        let name = self.key.strip_prefix(directory)?;
        let mut base = url.clone();
        base.set_query(None);
        base.set_path(&format!("{}/{directory}", url.path().trim_end_matches('/')));
        let mtime = self.modified.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
        Some(Listed { url: beside(&base, name)?, name: name.to_owned(), mtime })
    }
}
