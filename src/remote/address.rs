//! The address of a remote in the configuration.

use std::fmt;

use super::registry::Registry;
use super::repository::Repository;
use crate::error::Result;
use crate::fetch::{Access, Fetcher};
use crate::oci::ImageName;

/// The address of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A repository of a registry: `oci://HOST[:PORT]/REPOSITORY`.
    Registry {
        /// The host, with its port if it has one.
        host: String,
        /// The repository.
        repository: String,
    },
}

impl Address {
    /// Opens the remote for this access.
    pub fn open<'a>(&self, fetcher: &'a Fetcher, access: Access) -> Result<Box<dyn Repository + 'a>> {
        match self {
            Self::Registry { host, repository } => Ok(Box::new(Registry::open(fetcher, host, repository, access)?)),
        }
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("expected an address such as oci://HOST/REPOSITORY")?;
        if scheme != "oci" {
            return Err(format!("`{scheme}:` is not supported: expected oci://HOST/REPOSITORY"));
        }
        let name = ImageName::parse(rest.trim_end_matches('/'))?;
        if name.tag.is_some() {
            return Err("expected a repository without a tag".to_owned());
        }
        let host = name.host.ok_or("expected the host of a registry before the repository")?;
        Ok(Self::Registry { host: host.to_owned(), repository: name.repository.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { host, repository } => write!(f, "oci://{host}/{repository}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_repository_of_a_registry() {
        for good in ["oci://r.example/team/strix", "oci://localhost:5000/a", "oci://[::1]:5000/a"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        assert_eq!("oci://r.example/a/".parse::<Address>().unwrap().to_string(), "oci://r.example/a");
        for wrong in [
            "r.example/a",
            "oci://a",
            "oci://team/a",
            "oci://r.example/a:tag",
            "oci://r.example/A",
            "oci://r.example/../a",
            "oci://me:secret@r.example/a",
            "ftp://r.example/a",
            "",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
