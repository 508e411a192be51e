//! Mirrors: the files below one address are also available below another.

use url::Url;

use crate::error::{Error, Kind, Result};

/// A directory `at` with the same files as the directory `of`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    of: Url,
    at: Url,
}

impl Mirror {
    /// Returns a mirror `at` of the directory `of`. Both may end with a slash or not.
    pub fn new(of: Url, at: Url) -> Result<Self> {
        for (field, url) in [("of", &of), ("at", &at)] {
            if url.cannot_be_a_base() || url.query().is_some() || url.fragment().is_some() {
                return Err(Error::new(
                    Kind::Invalid,
                    format!("`{field}` of a mirror must be the address of a directory"),
                )
                .fact("found", crate::urls::show_url(url))
                .hint("such as https://mirror.example/amd/, without `?` or `#`"));
            }
        }
        Ok(Self { of, at })
    }

    /// Returns the address in the mirror for an address below the original.
    pub(super) fn moved(&self, url: &Url) -> Option<Url> {
        moved(url, &self.of, &self.at)
    }

    /// Returns the original address for an address in the mirror.
    pub(super) fn original(&self, url: &Url) -> Option<Url> {
        moved(url, &self.at, &self.of)
    }
}

fn moved(url: &Url, from: &Url, to: &Url) -> Option<Url> {
    let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    if place(url) != place(from) {
        return None;
    }
    let rest = url.path().strip_prefix(from.path().trim_end_matches('/'))?;
    let mut new = to.clone();
    if !rest.is_empty() {
        // `.../amd-other` is not below `.../amd`.
        let rest = rest.strip_prefix('/')?;
        new.set_path(&format!("{}/{rest}", to.path().trim_end_matches('/')));
    }
    new.set_query(url.query());
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_mirror_is_a_directory_and_no_beginning_of_a_text() {
        for (of, at, asked, expected) in [
            (
                "https://a.example/x/",
                "https://b.example/y/",
                "https://a.example/x/f%2B.gz",
                Some("https://b.example/y/f%2B.gz"),
            ),
            ("https://a.example/x/", "https://b.example/y", "https://a.example/x/d/f", Some("https://b.example/y/d/f")),
            ("https://a.example/x", "https://b.example/y/", "https://a.example/x/d/f", Some("https://b.example/y/d/f")),
            (
                "https://a.example/x",
                "https://b.example/y",
                "https://a.example/x/f?q=1",
                Some("https://b.example/y/f?q=1"),
            ),
            ("https://a.example", "https://b.example", "https://a.example/f", Some("https://b.example/f")),
            ("https://a.example", "file:///srv/m", "https://a.example/f", Some("file:///srv/m/f")),
            (
                "https://a.example/",
                "https://b.example/m",
                "https://a.example/?list-type=2",
                Some("https://b.example/m/?list-type=2"),
            ),
            (
                "https://a.example/f.gz",
                "https://b.example/g.gz",
                "https://a.example/f.gz",
                Some("https://b.example/g.gz"),
            ),
            ("https://a.example:443/x/", "https://b.example/", "https://a.example/x/f", Some("https://b.example/f")),
            ("https://a.example/amd", "https://b.example/", "https://a.example/amd-other/f", None),
            ("https://a.example/amd/", "https://b.example/", "https://a.example/amd-other/f", None),
            ("https://a.example/x/", "https://b.example/", "https://a.example/X/f", None),
            ("https://a.example/", "https://b.example/", "https://a.example.evil/f", None),
            ("https://a.example/", "https://b.example/", "http://a.example/f", None),
            ("https://a.example/", "https://b.example/", "https://a.example:8443/f", None),
            ("https://a.example/x/", "https://b.example/", "https://a.example/x/../f", None),
        ] {
            let mirror = Mirror::new(url(of), url(at)).unwrap();
            let found = mirror.moved(&url(asked));
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{asked} of {of} at {at}");
            if let Some(found) = found {
                assert_eq!(mirror.original(&found).map(String::from), Some(url(asked).to_string().replace(":443", "")));
            }
        }
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        for wrong in ["https://a.example/?x", "https://a.example/#x", "data:x"] {
            assert!(Mirror::new(url(wrong), url("https://b.example/")).is_err(), "{wrong}");
            assert!(Mirror::new(url("https://b.example/"), url(wrong)).is_err(), "{wrong}");
        }
    }
}
