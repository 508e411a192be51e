//! The apt of this machine: which archives its configuration names, and how it ranks what they have.
//!
//! * `settings`: apt.conf, as `apt-config` tells it
//! * `list`, `deb822`: the two forms of source lists; `options`: what one source may ask for; `mirrors`: `mirror+file:`
//! * `preferences`: pins, by which apt ranks versions
//! * `access`: proxies and logins, which are not followed
//!
//! A request with `archive = "host"` promises what apt would do. So everything here is followed, or left out by name and told:
//! nothing is ignored in silence.

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
use super::sources::{SignedBy, Source, SourceOptions};
use crate::error::{About, Error, Kind, Result};
use crate::upstream::proxy::variable;
pub use preferences::Preferences;
pub use settings::Settings;

/// The archives and ranks of a machine's apt.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The suites that it names, in its order, which decides where a version comes from that several have.
    pub sources: Vec<Source>,
    /// Its pins.
    pub preferences: Preferences,
    /// Things that it names and that are left out here, and why.
    pub left_out: Vec<String>,
    /// Keyring files and directories for sources that name no key.
    pub trusted: Vec<PathBuf>,
    /// Its Release files may have expired.
    pub expired: bool,
}

/// Reads the configuration for packages of this architecture. Passwords that stand in it do not appear in what is returned.
pub fn read(settings: &Settings, architecture: &str) -> Result<Configuration> {
    let mut reader = Reader { architecture, sources: Vec::new(), left_out: Vec::new() };
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
struct Reader<'a> {
    architecture: &'a str,
    sources: Vec<Source>,
    left_out: Vec<String>,
}

/// A source as it stands in a file.
struct Entry<'t> {
    url: &'t str,
    suite: &'t str,
    components: Vec<String>,
    signed_by: SignedBy,
    /// Names in lower case, and values.
    options: Vec<(String, String)>,
}

impl Reader<'_> {
    /// Adds a source, or tells why it is left out.
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

    fn source(&mut self, url: &str, suite: &str, entry: Entry) -> Result<Source, Left> {
        if suite.ends_with('/') {
            return Err(Left::Out("flat archives, whose suite is a directory, are not supported".to_owned()));
        }
        let mut options = SourceOptions::default();
        for (name, value) in &entry.options {
            match options::apply(&mut options, name, value) {
                options::Followed::Yes => {}
                options::Followed::No(why) => return Err(Left::Out(why)),
                options::Followed::Unknown => self.left_out.push(format!(
                    "the option `{}` of suite {} in the apt configuration is not known, and not followed",
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
        Ok(Source {
            archives,
            suite: suite.to_owned(),
            components: entry.components,
            signed_by: entry.signed_by,
            options,
        })
    }

    /// Adds a source to those of the same archive and suite, of which there is one.
    fn merge(&mut self, source: Source) -> Result<()> {
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

/// A reason not to take a source.
enum Left {
    /// It is left out, and told.
    Out(String),
    /// apt itself refuses the file.
    Wrong(Error),
}

/// The address of an archive that can be asked. It goes into the lock, which is published.
fn archive(text: &str) -> Result<Url, Left> {
    let url = Url::parse(text).map_err(|error| Left::Wrong(wrong(text).because(&error)))?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(Left::Out("its URL holds a password".to_owned()))
        }
        "http" | "https" | "file" => Ok(url),
        scheme => Err(Left::Out(format!("`{scheme}:` URLs cannot be fetched"))),
    }
}

fn wrong(text: &str) -> Error {
    Error::new(Kind::Invalid, "the apt configuration cannot be read")
        .fact("at", text.chars().take(200).collect::<String>().escape_debug())
}
