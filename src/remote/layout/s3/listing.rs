//! Documents of an object store: lists of objects, and errors.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

use crate::error::{Error, Kind, Result};

/// Greatest nesting of elements; listings have 3 levels.
const DEPTH: usize = 16;

/// A page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Its objects.
    pub objects: Vec<Object>,
    /// The token of the next page, if there is one.
    pub next: Option<String>,
}

/// An object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    /// Its key.
    pub key: String,
    /// The time at which it was written, in seconds since 1970.
    pub modified: i64,
}

/// Parses a page of a list.
pub(super) fn parse(body: &[u8]) -> Result<Page> {
    let broken = || Error::new(Kind::Mismatch, "malformed list of the remote's objects");
    let (mut page, mut truncated, mut token) = (Page::default(), false, None);
    for (path, text) in fields(body).ok_or_else(broken)? {
        match path.as_str() {
            "ListBucketResult/Contents/Key" => page.objects.push(Object { key: text, modified: i64::MAX }),
            "ListBucketResult/Contents/LastModified" => {
                let time: jiff::Timestamp = text.parse().map_err(|_| broken())?;
                page.objects.last_mut().ok_or_else(broken)?.modified = time.as_second();
            }
            "ListBucketResult/IsTruncated" => truncated = text == "true",
            "ListBucketResult/NextContinuationToken" => token = Some(text),
            _ => {}
        }
    }
    page.next = if truncated { Some(token.ok_or_else(broken)?) } else { None };
    Ok(page)
}

/// Returns the texts of a document in their order, each with the names of its elements. `None` if it is not XML.
pub(super) fn fields(body: &[u8]) -> Option<Vec<(String, String)>> {
    let mut reader = Reader::from_str(str::from_utf8(body).ok()?);
    let (mut path, mut all): (Vec<String>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                text.clear();
                if path.len() > DEPTH {
                    return None;
                }
            }
            Event::End(_) => {
                if !text.trim().is_empty() {
                    all.push((path.join("/"), std::mem::take(&mut text)));
                }
                path.pop();
            }
            Event::Text(part) => text.push_str(&part),
            Event::CData(part) => text.push_str(&part),
            // The parser reports character references apart from the text around them.
            Event::GeneralRef(name) => text.push_str(&unescape(&format!("&{};", &*name)).ok()?),
            Event::Eof => break,
            _ => {}
        }
    }
    path.is_empty().then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_and_broken_ones_refused() {
        let page = |text: &str| parse(text.as_bytes());
        let whole = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><IsTruncated>true</IsTruncated><Contents>\
                     <Key>a&amp;b</Key><LastModified>1970-01-02T00:00:00.000Z</LastModified><Size>1</Size></Contents>\
                     <NextContinuationToken>t</NextContinuationToken></ListBucketResult>";
        let object = Object { key: "a&b".to_owned(), modified: 86_400 };
        assert_eq!(page(whole).unwrap(), Page { objects: vec![object], next: Some("t".to_owned()) });
        let last = whole.replace("true", "false");
        assert_eq!(page(&last).unwrap().next, None);
        for wrong in [
            &whole[..whole.len() - 20],
            &whole.replace("NextContinuationToken", "Token"),
            &whole.replace("1970-01-02T", "yesterday"),
            &whole.replace("&amp;", "&unknown;"),
            &"<a>".repeat(100),
        ] {
            assert!(page(wrong).is_err(), "{wrong}");
        }
        assert!(parse(b"\xff").is_err());
    }
}
