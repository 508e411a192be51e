//! The name of an image: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`.
//!
//! The registry is required: the meaning of a name without one depends on a machine's configuration. On Docker Hub
//! `ubuntu` is short for `library/ubuntu`; the registry only accepts the long form.

use std::fmt;
use std::str::FromStr;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::ImageName;

/// The name of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The host, with a port if there is one.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// The tag; without tag and digest, `latest` is meant.
    pub tag: Option<String>,
    /// The digest of an index or manifest. A tag beside it is only informative.
    pub digest: Option<Sha256Digest>,
}

impl Reference {
    /// Returns the digest, else the tag: the name by which the registry is asked.
    #[must_use]
    pub fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// Returns host and repository.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
            Error::new(Kind::Invalid, format!("invalid image name `{shown}`: {why}"))
                .hint("such as \"registry.example/ubuntu:24.04\", with the registry's host")
        };
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| wrong("a digest is `sha256:` and 64 hexadecimal digits"))?))
            }
        };
        let ImageName { host, repository, tag } = ImageName::parse(rest).map_err(wrong)?;
        let host = host.ok_or_else(|| wrong("it names no registry: it does not begin with a host"))?;
        // The old name of Docker Hub.
        let host = if host == "index.docker.io" { "docker.io" } else { host };
        let official = host == "docker.io" && !repository.contains('/');
        let repository = format!("{}{repository}", if official { "library/" } else { "" });
        Ok(Self { host: host.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

strixlock_ground::serde_by_text!(Reference);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        let digest = Sha256Digest::of(b"");
        for (text, wanted) in [
            ("r.example/a/b:24.04", "24.04".to_owned()),
            ("localhost:5000/a", "latest".to_owned()),
            ("registry:5000/a:t", "t".to_owned()),
            ("[::1]:5000/a/b", "latest".to_owned()),
            (&format!("[::1]:5000/a@{digest}"), digest.to_string()),
            (&format!("127.0.0.1:1/a:t@{digest}"), digest.to_string()),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.to_string(), reference.wanted()), (text.to_owned(), wanted));
        }
        for (text, whole) in [
            ("docker.io/ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
            ("docker.io/library/ubuntu", "docker.io/library/ubuntu"),
            ("docker.io/rocm/dev", "docker.io/rocm/dev"),
            ("index.docker.io/ubuntu", "docker.io/library/ubuntu"),
            ("r.example/ubuntu", "r.example/ubuntu"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), whole);
        }
        let reference: Reference = "r.example:443/a.b/c_d:x".parse().unwrap();
        assert_eq!((reference.host.as_str(), reference.name().as_str()), ("r.example:443", "r.example:443/a.b/c_d"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "ubuntu",
            "ubuntu:24.04",
            "library/ubuntu",
            "r.example/",
            "r.example/A",
            "r.example/a//b",
            "r.example/../a",
            "r.example/a:",
            "r.example/a:.x",
            "r.example/a b",
            "r.example:0/a",
            "r.example:99999/a",
            "-r.example/a",
            "user@r.example/a",
            "r.example/a@sha256:00",
            "https://r.example/a",
            "r.example/a?b",
            "r.ex ample/a",
        ] {
            assert_eq!(text.parse::<Reference>().unwrap_err().kind(), Kind::Invalid, "{text}");
        }
    }
}
