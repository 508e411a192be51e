//! The listing of an S3 bucket, as the buckets behind AMD's older indexes gave it: `?list-type=2`.

use std::fmt::Write as _;

use url::form_urlencoded::parse;

use crate::archive::Listed;
use crate::text;
use crate::urls::escape_part;

/// Number of keys on a page, as with S3.
const PAGE: usize = 1000;

/// Returns the listing that a query asks for; `None` if it asks for none.
pub(super) fn listing(query: &str, all: &[Listed]) -> Option<String> {
    let get = |wanted: &str| parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value);
    get("list-type").filter(|kind| kind == "2")?;
    let prefix = get("prefix").unwrap_or_default();
    // A token is the last key of the page before.
    let after = get("continuation-token").or_else(|| get("start-after")).unwrap_or_default();
    let most = get("max-keys").and_then(|most| most.parse().ok()).unwrap_or(PAGE).min(PAGE);
    let as_url = get("encoding-type").is_some_and(|kind| kind == "url");
    let key = |name: &str| if as_url { escape_part(name) } else { escaped(name) };
    let mut left = all.iter().filter(|one| one.name.starts_with(&*prefix) && one.name.as_str() > &*after);
    let shown: Vec<&Listed> = left.by_ref().take(most).collect();
    let token = shown.last().filter(|_| left.next().is_some()).map(|last| last.name.as_str());
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>strixlock</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{}</IsTruncated>",
        escaped(&prefix),
        shown.len(),
        token.is_some()
    );
    // Writing to a String cannot fail.
    if let Some(token) = token {
        let _ = write!(xml, "<NextContinuationToken>{}</NextContinuationToken>", escaped(token));
    }
    for one in shown {
        let _ = write!(
            xml,
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            key(&one.name),
            text::rfc3339(one.mtime).unwrap_or_default(),
            one.digest.hex(),
            one.size
        );
    }
    xml.push_str("</ListBucketResult>\n");
    Some(xml)
}

/// Returns text for XML. Characters that XML cannot have are left out.
fn escaped(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    quick_xml::escape::escape(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    fn keys(query: &str) -> (Vec<String>, Option<String>) {
        let all: Vec<Listed> = (0..2500)
            .map(|number| Listed {
                name: format!("k{number:04}+x"),
                digest: Sha256Digest::of(b""),
                size: 7,
                mtime: 1_789_528_424,
            })
            .collect();
        let xml = listing(query, &all).unwrap();
        let between = |start: &str, end: &str| {
            xml.split(start).skip(1).map(|rest| rest.split(end).next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        (between("<Key>", "</Key>"), between("<NextContinuationToken>", "</").into_iter().next())
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let (first, token) = keys("list-type=2");
        assert_eq!((first.len(), token.as_deref()), (1000, Some("k0999+x")));
        let (second, token) = keys("list-type=2&continuation-token=k0999%2Bx");
        assert_eq!((second[0].as_str(), second.len(), token.as_deref()), ("k1000+x", 1000, Some("k1999+x")));
        let (third, token) = keys("list-type=2&continuation-token=k1999%2Bx");
        assert_eq!((third.len(), token), (500, None));
        let (few, token) = keys("list-type=2&prefix=k24&max-keys=3&encoding-type=url");
        assert_eq!(
            (few, token.as_deref()),
            (["k2400%2Bx", "k2401%2Bx", "k2402%2Bx"].map(str::to_owned).to_vec(), Some("k2402+x"))
        );
        assert_eq!(keys("list-type=2&prefix=<a>"), (Vec::new(), None));
    }

    #[test]
    fn other_queries_ask_for_no_listing() {
        for query in ["", "list-type=1", "prefix=x", "location"] {
            assert_eq!(listing(query, &[]), None, "{query}");
        }
        let odd = listing("list-type=2&prefix=%3C%00%26", &[]).unwrap();
        assert!(odd.contains("<Prefix>&lt;&amp;</Prefix><KeyCount>0</KeyCount>"), "{odd}");
    }
}
