//! Index pages in every form that upstream has had: a script line in HTML, S3 XML, plain links.
//!
//! Pure: entries in, text out.

use std::fmt::Write as _;

use crate::urls::escape_path;

/// One file in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The file name, or the whole key in a bucket.
    pub name: String,
    /// Last modified, in seconds since 1970.
    pub mtime: i64,
    /// Size in bytes. Only the bucket shows it.
    pub size: u64,
    /// The ETag without quotes. Only the bucket shows it: for a large upload it is a digest of digests with the
    /// number of parts, not the file's MD5.
    pub etag: String,
}

/// Returns the page of all three generations: the names stand only in a script line, in lexical order.
#[must_use]
pub fn page(entries: &[Listed]) -> String {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let files: Vec<String> = sorted
        .iter()
        .map(|entry| format!("{{\"name\": {}, \"mtime\": {}.0}}", serde_json::json!(entry.name), entry.mtime))
        .collect();
    include_str!("templates/index.html").replace("@FILES@", &files.join(", "))
}

/// Returns a directory listing as plain web servers make it.
#[must_use]
pub fn links(path: &str, entries: &[Listed]) -> String {
    let path = escape(path);
    let mut text = format!(
        "<html>\r\n<head><title>Index of {path}</title></head>\r\n<body>\r\n\
         <h1>Index of {path}</h1><hr><pre><a href=\"../\">../</a>\r\n"
    );
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in sorted {
        let href = escape_path(&entry.name);
        let time = timestamp(entry.mtime).strftime("%d-%b-%Y %H:%M");
        // nginx cuts a long name in the text, so only the href can be relied on.
        let shown = if entry.name.chars().count() > 50 {
            format!("{}..&gt;", escape(&entry.name.chars().take(47).collect::<String>()))
        } else {
            escape(&entry.name)
        };
        let _ = write!(text, "<a href=\"{href}\">{shown}</a> {time} {:>19}\r\n", entry.size);
    }
    text + "</pre><hr></body>\r\n</html>\r\n"
}

/// The parameters of a request to list a bucket (S3's `list-type=2`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketQuery {
    /// The prefix of the wanted keys.
    pub prefix: String,
    /// The token of the last answer, to continue there.
    pub continuation_token: Option<String>,
    /// Most keys wanted; S3 returns at most 1000.
    pub max_keys: Option<usize>,
}

/// Returns the XML that lists a bucket; `None` if the token was not given out here.
#[must_use]
pub fn bucket(name: &str, entries: &[Listed], query: &BucketQuery) -> Option<String> {
    let after = match &query.continuation_token {
        Some(token) => Some(decode_token(token)?),
        None => None,
    };
    let mut sorted: Vec<_> = entries.iter().filter(|entry| entry.name.starts_with(&query.prefix)).collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted.retain(|entry| after.as_ref().is_none_or(|after| entry.name > *after));
    let max_keys = query.max_keys.unwrap_or(1000).min(1000);
    let truncated = sorted.len() > max_keys;
    sorted.truncate(max_keys);

    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>{}</Name><Prefix>{}</Prefix>",
        escape(name),
        escape(&query.prefix)
    );
    if let Some(token) = &query.continuation_token {
        let _ = write!(text, "<ContinuationToken>{}</ContinuationToken>", escape(token));
    }
    if let Some(last) = sorted.last().filter(|_| truncated) {
        let _ = write!(text, "<NextContinuationToken>{}</NextContinuationToken>", encode_token(&last.name));
    }
    let count = sorted.len();
    let _ =
        write!(text, "<KeyCount>{count}</KeyCount><MaxKeys>{max_keys}</MaxKeys><IsTruncated>{truncated}</IsTruncated>");
    for Listed { name, mtime, size, etag } in sorted {
        let time = timestamp(*mtime).strftime("%Y-%m-%dT%H:%M:%S.000Z");
        let _ = write!(
            text,
            "<Contents><Key>{}</Key><LastModified>{time}</LastModified><ETag>&quot;{etag}&quot;</ETag>\
             <Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            escape(name)
        );
    }
    Some(text + "</ListBucketResult>")
}

fn timestamp(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns a token that is opaque to the client. Like real ones, it has characters that the client must
/// percent-encode.
fn encode_token(last: &str) -> String {
    let hex = last.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("1+{hex}/=")
}

fn decode_token(token: &str) -> Option<String> {
    let hex = token.strip_prefix("1+")?.strip_suffix("/=").filter(|hex| hex.len().is_multiple_of(2))?;
    let bytes: Option<Vec<u8>> =
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Listed> {
        ["b-10.1.0a20260811+bkc.20260814.tar.gz", "a-7.9.0a20251001.tar.gz", "c&<d>"]
            .into_iter()
            .map(|name| Listed { name: name.to_owned(), mtime: 1_789_528_424, size: 9 << 20, etag: "abc-2".to_owned() })
            .collect()
    }

    #[test]
    fn the_page_has_its_names_in_one_script_line_in_lexical_order() {
        let page = page(&entries()[..2]);
        assert!(page.contains(
            "const files = [{\"name\": \"a-7.9.0a20251001.tar.gz\", \"mtime\": 1789528424.0}, \
             {\"name\": \"b-10.1.0a20260811+bkc.20260814.tar.gz\", \"mtime\": 1789528424.0}];\n"
        ));
        assert!(!page.contains("href=\"a-"));
        assert!(super::page(&[]).contains("const files = [];\n"));
    }

    #[test]
    fn links_are_encoded_and_their_texts_cut() {
        let text = links("/mirror/", &entries());
        assert!(text.contains(
            "<a href=\"b-10.1.0a20260811%2Bbkc.20260814.tar.gz\">b-10.1.0a20260811+bkc.20260814.tar.gz</a> "
        ));
        assert!(text.contains("<a href=\"c%26%3Cd%3E\">c&amp;&lt;d&gt;</a> 16-Sep-2026 03:13 "), "{text}");
        let long = Listed { name: "x".repeat(60), ..entries().remove(0) };
        assert!(links("/", &[long]).contains(&format!("{}..&gt;</a>", "x".repeat(47))));
    }

    #[test]
    fn a_bucket_is_listed_page_by_page() {
        let (mut query, mut keys, mut pages) = (BucketQuery { max_keys: Some(2), ..BucketQuery::default() }, 0, 0);
        loop {
            let text = bucket("nightlies", &entries(), &query).unwrap();
            keys += text.matches("<Key>").count();
            pages += 1;
            let token = text.split_once("<NextContinuationToken>").and_then(|(_, rest)| rest.split_once('<'));
            assert_eq!(token.is_some(), text.contains("<IsTruncated>true</IsTruncated>"));
            let Some((token, _)) = token else { break };
            query.continuation_token = Some(token.to_owned());
        }
        assert_eq!((keys, pages), (3, 2));
        let one = bucket("nightlies", &entries(), &BucketQuery { prefix: "b-".to_owned(), ..BucketQuery::default() })
            .unwrap();
        assert!(
            one.contains("<KeyCount>1</KeyCount>")
                && one.contains("<LastModified>2026-09-16T03:13:44.000Z</LastModified>")
        );
        assert!(one.contains("<Size>9437184</Size>") && one.contains("<ETag>&quot;abc-2&quot;</ETag>"), "{one}");
        for token in ["x", "1+0/=", "1+zz/=", "1+ff/=", "1+é/="] {
            let query = BucketQuery { continuation_token: Some(token.to_owned()), ..BucketQuery::default() };
            assert_eq!(bucket("nightlies", &entries(), &query), None, "{token}");
        }
    }
}
