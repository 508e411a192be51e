//! The address of a remote in the configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use super::layout::{Directory, Layout, ObjectStore, StoreSettings, Web};
use super::registry::Registry;
use super::repository::Repository;
use crate::error::Result;
use crate::fetch::{Access, Fetcher};
use crate::oci::ImageName;
use crate::urls::has_login;

/// The forms of an address.
const EXPECTED: &str = "expected oci://HOST/REPOSITORY, https://HOST/PATH, file:///PATH or s3://BUCKET/PREFIX";
/// Settings that the address of a bucket may have.
const SETTINGS: [&str; 3] = ["endpoint", "profile", "region"];

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
    /// An OCI image layout in a directory: `file:///PATH`.
    Directory(PathBuf),
    /// An OCI image layout on a web server, which is only read: `https://HOST/PATH`.
    Web(Url),
    /// An OCI image layout in an object store: `s3://BUCKET[/PREFIX][?endpoint=URL&region=REGION&profile=PROFILE]`.
    Bucket {
        /// The bucket.
        name: String,
        /// The beginning of all keys, without slashes around it; may be empty.
        prefix: String,
        /// Settings that come before those of the environment.
        settings: Vec<(String, String)>,
    },
}

impl Address {
    /// Opens the remote for this access.
    pub fn open<'a>(&self, fetcher: &'a Fetcher, access: Access) -> Result<Box<dyn Repository + 'a>> {
        Ok(match self {
            Self::Registry { host, repository } => Box::new(Registry::open(fetcher, host, repository, access)?),
            Self::Directory(path) => Box::new(Layout::new(Directory::new(path.clone()))),
            Self::Web(url) => Box::new(Layout::new(Web::new(url.clone(), fetcher))),
            Self::Bucket { name, prefix, settings } => {
                let home = etcetera::home_dir().ok();
                let settings = StoreSettings::read(settings, &|name| std::env::var(name).ok(), home.as_deref())?;
                Box::new(Layout::new(ObjectStore::open(fetcher, name, prefix, &settings)?))
            }
        })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or(EXPECTED)?;
        match scheme {
            "oci" => registry(rest),
            "file" | "http" | "https" | "s3" => {
                let url = Url::parse(text).map_err(|error| error.to_string())?;
                if has_login(&url) {
                    return Err("expected an address without user and password".to_owned());
                }
                if url.fragment().is_some() || (scheme != "s3" && url.query().is_some()) {
                    return Err("expected an address without `?` and `#`".to_owned());
                }
                match scheme {
                    "file" => url.to_file_path().map(Self::Directory).map_err(|()| "expected an absolute path".into()),
                    "s3" => bucket(&url),
                    _ => Ok(Self::Web(url)),
                }
            }
            _ => Err(format!("`{scheme}:` is not supported: {EXPECTED}")),
        }
    }
}

fn registry(rest: &str) -> Result<Address, String> {
    let name = ImageName::parse(rest.trim_end_matches('/'))?;
    if name.tag.is_some() {
        return Err("expected a repository without a tag".to_owned());
    }
    let host = name.host.ok_or("expected the host of a registry before the repository")?;
    Ok(Address::Registry { host: host.to_owned(), repository: name.repository.to_owned() })
}

fn bucket(url: &Url) -> Result<Address, String> {
    let name = url.host_str().filter(|_| url.port().is_none()).ok_or("expected the name of a bucket")?;
    let prefix = url.path().trim_matches('/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_plain) && !part.bytes().all(|byte| byte == b'.');
    if !is_part(name) {
        return Err("expected letters, digits, `-`, `_` and `.` in the name of the bucket".to_owned());
    }
    if !prefix.is_empty() && !prefix.split('/').all(is_part) {
        return Err("expected letters, digits, `-`, `_` and `.` between the slashes of the prefix".to_owned());
    }
    let settings: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if let Some((unknown, _)) = settings.iter().find(|(name, _)| !SETTINGS.contains(&name.as_str())) {
        return Err(format!("unknown setting `{unknown}`: expected endpoint, profile or region"));
    }
    Ok(Address::Bucket { name: name.to_owned(), prefix: prefix.to_owned(), settings })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { host, repository } => write!(f, "oci://{host}/{repository}"),
            Self::Directory(path) => match Url::from_file_path(path) {
                Ok(url) => url.fmt(f),
                Err(()) => path.display().fmt(f),
            },
            Self::Web(url) => url.fmt(f),
            Self::Bucket { name, prefix, settings } => {
                write!(f, "s3://{name}")?;
                if !prefix.is_empty() {
                    write!(f, "/{prefix}")?;
                }
                if settings.is_empty() {
                    return Ok(());
                }
                let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(settings).finish();
                write!(f, "?{query}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for good in [
            "oci://r.example/team/strix",
            "oci://localhost:5000/a",
            "oci://[::1]:5000/a",
            "file:///srv/remote",
            "file:///a%20b",
            "https://h.example:8443/a/b",
            "http://127.0.0.1:8000/",
            "s3://bucket",
            "s3://bucket.name/a/b",
            "s3://bucket/a?region=eu-1&endpoint=https%3A%2F%2Fm.example%3A9000",
        ] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        assert_eq!("oci://r.example/a/".parse::<Address>().unwrap().to_string(), "oci://r.example/a");
        assert_eq!("s3://b/a/".parse::<Address>().unwrap().to_string(), "s3://b/a");
    }

    #[test]
    fn other_addresses_are_refused() {
        for wrong in [
            "r.example/a",
            "oci://a",
            "oci://team/a",
            "oci://r.example/a:tag",
            "oci://r.example/A",
            "oci://r.example/../a",
            "oci://me:secret@r.example/a",
            "ftp://r.example/a",
            "file://host/a",
            "file:a",
            "https://me:secret@h.example/a",
            "https://h.example/a?b",
            "https://h.example/a#b",
            "s3:///a",
            "s3://bucket:80/a",
            "s3://bucket/a//b",
            "s3://bucket/a%2Fb",
            "s3://bucket/a?secret=x",
            "s3://key:secret@bucket/a",
            "",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
