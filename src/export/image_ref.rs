//! Image names with a digest, which always mean the same image: `REGISTRY/REPOSITORY[:TAG]@sha256:<64 hex>`.
//!
//! A tag beside the digest is for people; engines use the digest. A tag alone is refused, since it means whatever was
//! last pushed.

use std::fmt;
use std::str::FromStr;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::ImageName;
use crate::text::visible;

/// Name of an image with its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// Registry, repository and perhaps a tag.
    name: String,
    digest: Sha256Digest,
}

/// Maximum number of characters of a name in a message.
const LONGEST: usize = 255;

impl FromStr for ImageRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((name, digest)) = text.split_once('@') else {
            return Err(if is_name(text) { floating(text) } else { invalid(text) });
        };
        let digest = digest.parse().map_err(|error: Error| invalid(text).fact("digest", error.message()))?;
        Self::new(name, digest).map_err(|_| invalid(text))
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.digest)
    }
}

impl ImageRef {
    /// Returns the image `name` with this digest. Fails if the name is invalid.
    pub fn new(name: &str, digest: Sha256Digest) -> Result<Self> {
        if is_name(name) { Ok(Self { name: name.to_owned(), digest }) } else { Err(invalid(name)) }
    }

    /// Returns registry and repository.
    #[must_use]
    pub fn bare_name(&self) -> String {
        match ImageName::parse(&self.name) {
            Ok(ImageName { host: Some(host), repository, .. }) => format!("{host}/{repository}"),
            Ok(ImageName { repository, .. }) => repository.to_owned(),
            // Cannot happen: `new` checked the name.
            Err(_) => self.name.clone(),
        }
    }

    /// Returns the name without its tag, since podman's image library refuses names with tag and digest.
    #[must_use]
    pub fn without_tag(&self) -> String {
        format!("{}@{}", self.bare_name(), self.digest)
    }
}

/// Returns true if this is the name of an image, with or without a digest.
#[must_use]
pub fn is_image(text: &str) -> bool {
    is_name(text) || text.parse::<ImageRef>().is_ok()
}

fn floating(text: &str) -> Error {
    Error::new(Kind::Usage, "missing digest in image name").fact("image", text).hint(format!(
        "a tag can be moved: `skopeo inspect --format '{{{{.Name}}}}@{{{{.Digest}}}}' docker://{text}` prints the \
         name with its digest; so does `podman image inspect --format '{{{{index .RepoDigests 0}}}}' {text}` after a \
         pull"
    ))
}

fn invalid(text: &str) -> Error {
    let shown: String = visible(text).chars().take(LONGEST).collect();
    Error::new(Kind::Usage, "invalid image name")
        .fact("image", shown)
        .fact("expected", "a name such as docker.io/library/ubuntu@sha256:<64 hex>")
}

fn is_name(text: &str) -> bool {
    ImageName::parse(text).is_ok()
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
            ("registry:5000/a:1", "registry:5000/a"),
            ("[::1]:5000/a/b:1", "[::1]:5000/a/b"),
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
            assert_eq!(error.message(), "invalid image name", "{name}");
        }
        for digest in ["sha256:", "sha256:abc", "sha512:00", "", &HEX.to_uppercase()] {
            assert!(format!("ubuntu@{digest}").parse::<ImageRef>().is_err(), "{digest}");
        }
    }
}
