//! The name of an archive on the command line.

use std::path::{Path, PathBuf};

use url::Url;

use crate::remote::Address;

/// The place of an archive: a directory, a tar file of it, the address of a server, or a repository of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveName {
    /// A directory.
    Directory(PathBuf),
    /// A directory that is to be an OCI image layout too.
    Layout(PathBuf),
    /// A tar file.
    File(PathBuf),
    /// The address of `strixlock serve`, or of any web server that has the directory.
    Url(Url),
    /// A repository of a registry: `oci://HOST[:PORT]/REPOSITORY`.
    Registry {
        /// The host, with its port if it has one.
        host: String,
        /// The repository.
        repository: String,
    },
}

impl ArchiveName {
    /// Reads a name. A path that ends in `.tar`, or leads to a file, is that of a tar file.
    pub fn parse(text: &str, expand: impl Fn(&Path) -> Result<PathBuf, String>) -> Result<Self, String> {
        if let Some(("http" | "https", _)) = text.split_once("://") {
            let mut url = Url::parse(text).map_err(|error| error.to_string())?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err("expected the address of a directory, without `?` or `#`".to_owned());
            }
            // Names are joined to it.
            let path = format!("{}/", url.path().trim_end_matches("index.html").trim_end_matches('/'));
            url.set_path(&path);
            return Ok(Self::Url(url));
        }
        if let Some(path) = text.strip_prefix("oci-layout:") {
            return expand(Path::new(path)).map(Self::Layout);
        }
        if text.starts_with("oci://")
            && let Address::Registry { host, repository } = text.parse()?
        {
            return Ok(Self::Registry { host, repository });
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(format!(
                "`{scheme}:` is not supported: expected a directory, a .tar file, an http(s) address or \
                 oci://HOST/REPOSITORY"
            ));
        }
        let path = expand(Path::new(text))?;
        let is_tar = path.extension().is_some_and(|extension| extension == "tar");
        Ok(if path.is_file() || (is_tar && !path.is_dir()) { Self::File(path) } else { Self::Directory(path) })
    }
}

impl std::fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) | Self::Layout(path) | Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(&crate::urls::show_url(url)),
            Self::Registry { host, repository } => write!(f, "oci://{host}/{repository}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_or_an_address() {
        let parse = |text: &str| ArchiveName::parse(text, |path| Ok(path.to_path_buf()));
        let url = |text: &str| Ok(ArchiveName::Url(text.parse().unwrap()));
        assert_eq!(parse("http://box:8000"), url("http://box:8000/"));
        assert_eq!(parse("https://box/a"), url("https://box/a/"));
        assert_eq!(parse("https://box/a/index.html"), url("https://box/a/"));
        assert_eq!(parse("a/b"), Ok(ArchiveName::Directory("a/b".into())));
        assert_eq!(parse("oci-layout:a/b"), Ok(ArchiveName::Layout("a/b".into())));
        assert_eq!(parse("a/b.tar"), Ok(ArchiveName::File("a/b.tar".into())));
        let registry = ArchiveName::Registry { host: "r.example:5000".into(), repository: "team/archive".into() };
        assert_eq!(registry.to_string(), "oci://r.example:5000/team/archive");
        assert_eq!(parse("oci://r.example:5000/team/archive"), Ok(registry));
        for wrong in [
            "http://box/?list-type=2",
            "http://box/#a",
            "oci://name",
            "oci://r.example/a:tag",
            "oci://me:secret@r.example/a",
            "s3://bucket",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
