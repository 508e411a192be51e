//! The configuration of this machine's apt: its archives, and the ranks of their versions.
//!
//! * `settings`: apt.conf, as `apt-config` prints it
//! * `list`, `deb822`: the two formats of source lists; `options`: the options of one source; `mirrors`: `mirror+file:`
//! * `preferences`: pins, by which apt ranks versions
//! * `access`: proxies and logins, which are not applied
//!
//! A request with `archive = "host"` promises the result of apt. So every setting is applied, or it is reported as left
//! out: nothing is ignored silently.

mod access;
mod deb822;
mod list;
mod mirrors;
mod options;
mod parts;
mod preferences;
mod settings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use url::Url;

use super::is_word;
use super::sources::{AptSource, SignedBy, SourceOptions};
use crate::error::{About, Error, Kind, Result};
use crate::upstream::proxy::variable;
pub use preferences::Preferences;
pub use settings::Settings;

/// The configuration of a machine's apt.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The configured suites, in apt's order: if several have a version, it comes from the first of them.
    pub sources: Vec<AptSource>,
    /// The pins.
    pub preferences: Preferences,
    /// Settings and sources that are left out, and why.
    pub left_out: Vec<String>,
    /// Keyring files and directories for sources that name no key.
    pub trusted: Vec<PathBuf>,
    /// True if Release files may have expired.
    pub expired: bool,
}

/// Reads the configuration for packages of this architecture. The result contains no passwords.
pub fn read(settings: &Settings, architecture: &str) -> Result<Configuration> {
    let mut reader = SourceReader { architecture, sources: Vec::new(), left_out: Vec::new() };
    let mut files: Vec<PathBuf> =
        settings.file("Dir::Etc::sourcelist").into_iter().filter(|file| file.is_file()).collect();
    if let Some(directory) = settings.file("Dir::Etc::sourceparts") {
        files.extend(parts::read(&directory, &["list", "sources"], false, &mut reader.left_out)?);
    }
    for file in files {
        let text = String::from_utf8_lossy(&fs_err::read(&file)?).into_owned();
        let about = file.display().to_string();
        let is_deb822 = file.extension().is_some_and(|extension| extension == "sources");
        if is_deb822 { deb822::read(&mut reader, &text) } else { list::read(&mut reader, &text) }.about(about)?;
    }
    let mut left_out = reader.left_out;
    let preferences = Preferences::read(settings, &mut left_out)?;
    left_out.extend(settings.not_followed());
    let archives = reader.sources.iter().flat_map(|source| &source.archives);
    left_out.extend(access::not_followed(settings, archives, &variable)?);
    Ok(Configuration {
        sources: reader.sources,
        preferences,
        left_out,
        trusted: ["Dir::Etc::trusted", "Dir::Etc::trustedparts"].iter().filter_map(|key| settings.file(key)).collect(),
        expired: settings.flag("Acquire::Check-Valid-Until") == Some(false)
            || settings.flag("Acquire::Check-Date") == Some(false),
    })
}

/// Collects the sources of all files.
struct SourceReader<'a> {
    architecture: &'a str,
    sources: Vec<AptSource>,
    left_out: Vec<String>,
}

/// A source as written in a file.
struct Entry<'t> {
    url: &'t str,
    suite: &'t str,
    components: Vec<String>,
    signed_by: SignedBy,
    /// Names in lower case, with values.
    options: Vec<(String, String)>,
}

impl SourceReader<'_> {
    /// Adds a source, or records why it is left out.
    fn add(&mut self, entry: Entry) -> Result<()> {
        let filled = |text: &str| text.replace("$(ARCH)", self.architecture);
        let (url, suite) = (filled(entry.url), filled(entry.suite));
        match self.source(&url, &suite, entry) {
            Err(Left::Out(why)) => {
                self.left_out
                    .push(format!("suite {} of the apt configuration is left out: {why}", suite.escape_debug()));
                Ok(())
            }
            Err(Left::Wrong(error)) => Err(error),
            Ok(source) => self.merge(source),
        }
    }

    fn source(&mut self, url: &str, suite: &str, entry: Entry) -> Result<AptSource, Left> {
        if suite.ends_with('/') {
            return Err(Left::Out("flat archives, whose suite is a directory, are not supported".to_owned()));
        }
        let mut options = SourceOptions::default();
        for (name, value) in &entry.options {
            match options::apply(&mut options, name, value) {
                options::Followed::Yes => {}
                options::Followed::No(why) => return Err(Left::Out(why)),
                options::Followed::Unknown => self.left_out.push(format!(
                    "the unknown option `{}` of suite {} in the apt configuration is ignored",
                    name.escape_debug(),
                    suite.escape_debug()
                )),
            }
        }
        let archives = match url.strip_prefix("mirror+file:") {
            Some(path) => mirrors::read(path, self.architecture).map_err(Left::Out)?,
            None => vec![archive(url)?],
        };
        if !is_word(suite) || entry.components.iter().any(|component| !is_word(component)) {
            return Err(Left::Wrong(wrong(suite)));
        }
        Ok(AptSource {
            archives,
            suite: suite.to_owned(),
            components: entry.components,
            signed_by: entry.signed_by,
            options,
        })
    }

    /// Adds a source, or merges it into the one for the same archive and suite.
    fn merge(&mut self, source: AptSource) -> Result<()> {
        let Some(known) = self.sources.iter_mut().find(|known| known.is_the_same_place(&source)) else {
            self.sources.push(source);
            return Ok(());
        };
        if known.signed_by != source.signed_by || known.options != source.options {
            return Err(wrong(&source.suite)
                .hint("two entries of one suite have options that contradict each other, which apt refuses too"));
        }
        let new: Vec<String> =
            source.components.into_iter().filter(|component| !known.components.contains(component)).collect();
        known.components.extend(new);
        Ok(())
    }
}

/// The reason why a source is not used.
enum Left {
    /// It is left out, with a warning.
    Out(String),
    /// apt itself refuses the file.
    Wrong(Error),
}

/// Parses the address of an archive. It goes into the lock, which is published, so it must not contain a password.
fn archive(text: &str) -> Result<Url, Left> {
    let url = Url::parse(text).map_err(|error| Left::Wrong(wrong(text).because(&error)))?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(Left::Out("its URL contains a password".to_owned()))
        }
        "http" | "https" | "file" => Ok(url),
        scheme => Err(Left::Out(format!("`{scheme}:` URLs cannot be fetched"))),
    }
}

fn wrong(text: &str) -> Error {
    Error::new(Kind::Invalid, "the apt configuration cannot be read")
        .fact("at", text.chars().take(200).collect::<String>().escape_debug())
}
