//! Names of images that cannot come to mean something else: `REGISTRY/REPOSITORY[:TAG]@sha256:<64 hex>`.
//!
//! The grammar is that of <https://github.com/distribution/reference>. A tag beside the digest is for people; engines go by
//! the digest. A tag alone is refused: it is what somebody last pushed.

use std::fmt;
use std::str::FromStr;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};

/// An image by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// Registry, repository and perhaps a tag.
    name: String,
    digest: Sha256Digest,
}

/// Longer names are refused by registries.
const LONGEST: usize = 255;

impl FromStr for ImageRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((name, digest)) = text.split_once('@') else {
            return Err(if is_name(text) { floating(text) } else { wrong(text) });
        };
        let digest = digest.parse().map_err(|error: Error| wrong(text).fact("digest", error.message()))?;
        Self::new(name, digest).map_err(|_| wrong(text))
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.digest)
    }
}

impl ImageRef {
    /// The image `name` with this digest.
    pub fn new(name: &str, digest: Sha256Digest) -> Result<Self> {
        if is_name(name) { Ok(Self { name: name.to_owned(), digest }) } else { Err(wrong(name)) }
    }

    /// Registry and repository.
    #[must_use]
    pub fn bare_name(&self) -> String {
        let (path, last) =
            self.name.rsplit_once('/').map_or((None, self.name.as_str()), |(path, last)| (Some(path), last));
        let last = last.split_once(':').map_or(last, |(name, _)| name);
        path.map_or_else(|| last.to_owned(), |path| format!("{path}/{last}"))
    }

    /// Without the tag, since podman's image library refuses names that have both.
    #[must_use]
    pub fn without_tag(&self) -> String {
        format!("{}@{}", self.bare_name(), self.digest)
    }
}

/// Whether this is the name of an image, with a digest or without.
#[must_use]
pub fn is_image(text: &str) -> bool {
    is_name(text) || text.parse::<ImageRef>().is_ok()
}

fn floating(text: &str) -> Error {
    Error::new(Kind::Usage, "this image has no digest, so it is whatever was pushed last").fact("image", text).hint(format!(
        "pin it: `skopeo inspect --format '{{{{.Name}}}}@{{{{.Digest}}}}' docker://{text}` prints the name to use; so does \
         `podman image inspect --format '{{{{index .RepoDigests 0}}}}' {text}` after a pull"
    ))
}

fn wrong(text: &str) -> Error {
    let shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    Error::new(Kind::Usage, "this is not the name of an image")
        .fact("image", shown)
        .hint("such as docker.io/library/ubuntu@sha256:<64 hex>")
}

/// `[host[:port]/]component[/component]...[:tag]`
fn is_name(text: &str) -> bool {
    let (path, tag) = match text.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (text, None),
    };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_tag = |tag: &str| {
        (1..=128).contains(&tag.len())
            && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
            && tag.bytes().next().is_some_and(word)
    };
    let mut components = path.split('/').peekable();
    let first = components.next().unwrap_or_default();
    let first_is_right = is_component(first) || (components.peek().is_some() && is_host(first));
    text.len() <= LONGEST && tag.is_none_or(is_tag) && first_is_right && components.all(is_component)
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Lower case and digits, with single separators between: `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(letter) && text.bytes().last().is_some_and(letter);
    let separator =
        |part: &str| part.is_empty() || part == "." || part == "_" || part == "__" || part.bytes().all(|b| b == b'-');
    ends && text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "f5ed5a7c92ad3aae7142fcc0becf57f6be00fe8b773e4e36c54b4ddcba1e3f4a";

    #[test]
    fn an_image_by_digest_is_read() {
        for (name, bare) in [
            ("docker.io/library/ubuntu", "docker.io/library/ubuntu"),
            ("docker.io/library/ubuntu:24.04", "docker.io/library/ubuntu"),
            ("ubuntu:24.04", "ubuntu"),
            ("localhost:5000/a/b-c__d.e:V1", "localhost:5000/a/b-c__d.e"),
            ("localhost:5000/a", "localhost:5000/a"),
        ] {
            let text = format!("{name}@sha256:{HEX}");
            let image: ImageRef = text.parse().unwrap();
            assert_eq!(image.to_string(), text);
            assert_eq!(image.without_tag(), format!("{bare}@sha256:{HEX}"));
        }
    }

    #[test]
    fn a_floating_tag_is_refused_with_the_way_to_pin_it() {
        let error = "docker.io/library/ubuntu:24.04".parse::<ImageRef>().unwrap_err().to_string();
        assert!(error.contains("docker://docker.io/library/ubuntu:24.04"), "{error}");
        assert!(error.contains("{{.Digest}}"), "{error}");
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for name in [
            "", "Ubuntu", "a//b", "/a", "a/", "a b", "a\nb", "$(id)", "a--", "a..b", "a:", "a:-x", "-a", "a;b", "h:x/a",
        ] {
            let error = format!("{name}@sha256:{HEX}").parse::<ImageRef>().unwrap_err();
            assert_eq!(error.message(), "this is not the name of an image", "{name}");
        }
        for digest in ["sha256:", "sha256:abc", "sha512:00", "", &HEX.to_uppercase()] {
            assert!(format!("ubuntu@{digest}").parse::<ImageRef>().is_err(), "{digest}");
        }
    }
}
