//! What the apt configuration of a machine names: sources.list, and *.list and *.sources beside it.

use std::path::{Path, PathBuf};

use url::Url;

use super::is_word;
use super::stanza::{Stanza, Stanzas};
use crate::error::{About, Error, Kind, Result};

/// A suite of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The archive's URLs, which all have the same files.
    pub archives: Vec<Url>,
    /// The suite.
    pub suite: String,
    /// Its components.
    pub components: Vec<String>,
    /// Who must have signed it.
    pub signed_by: SignedBy,
}

/// Whether this machine's apt looks at how long a Release file is valid (apt.conf(5), `Acquire::Check-Valid-Until`).
/// Machines with a mirror that is kept as it was on one day have that switched off.
#[must_use]
pub fn apt_checks_validity() -> bool {
    let asked =
        std::process::Command::new("apt-config").args(["shell", "value", "Acquire::Check-Valid-Until/b"]).output();
    !asked.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).trim() == "value='false'")
}

/// Whose signature apt would ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignedBy {
    /// Keyring files.
    pub files: Vec<PathBuf>,
    /// Fingerprints; with a `!` behind it, exactly that key, and no subkey of it.
    pub keys: Vec<String>,
    /// Keys that stand in the configuration itself, armored.
    pub armored: Option<String>,
}

impl SignedBy {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn parse(value: &str) -> Self {
        let mut signed = Self::default();
        if value.contains("-----BEGIN") {
            // A line with a single dot stands for an empty one.
            let lines = value.trim().lines().map(|line| if line == "." { "" } else { line });
            signed.armored = Some(lines.collect::<Vec<_>>().join("\n"));
            return signed;
        }
        for word in value.split([' ', ',', '\n', '\t']).filter(|word| !word.is_empty()) {
            if word.starts_with('/') {
                signed.files.push(word.into());
            } else {
                signed.keys.push(word.to_ascii_uppercase());
            }
        }
        signed
    }
}

/// Reads the configuration in `directory` (`/etc/apt`), for packages of this architecture. In apt's order, which decides where
/// several archives have the same; with what was left out and why.
pub fn read(directory: &Path, architecture: &str) -> Result<(Vec<Source>, Vec<String>)> {
    let mut files = vec![directory.join("sources.list")];
    let parts = directory.join("sources.list.d");
    if parts.is_dir() {
        let mut more = Vec::new();
        for entry in fs_err::read_dir(&parts)? {
            more.push(entry?.path());
        }
        more.sort();
        files.extend(more);
    }
    let mut reader = Reader { architecture, sources: Vec::new(), left_out: Vec::new() };
    for file in files {
        let kind = file.extension().and_then(|extension| extension.to_str());
        if !matches!(kind, Some("list" | "sources")) || !file.is_file() {
            continue;
        }
        let text = String::from_utf8_lossy(&fs_err::read(&file)?).into_owned();
        let about = file.display().to_string();
        if kind == Some("list") { reader.lines(&text) } else { reader.stanzas(&text) }.about(about)?;
    }
    Ok((reader.sources, reader.left_out))
}

struct Reader<'a> {
    architecture: &'a str,
    sources: Vec<Source>,
    left_out: Vec<String>,
}

impl Reader<'_> {
    /// `deb [options] URL SUITE COMPONENT...`
    fn lines(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t', '['])) else {
                continue;
            };
            let (options, rest) = match rest.trim_start().strip_prefix('[') {
                None => ("", rest),
                Some(rest) => rest.split_once(']').ok_or_else(|| wrong(line))?,
            };
            let option = |name: &str| {
                let value =
                    |word: &str| word.split_once('=').filter(|(key, _)| *key == name).map(|(_, v)| v.to_owned());
                options.split_ascii_whitespace().find_map(value)
            };
            let architectures = option("arch");
            if architectures.is_some_and(|list| !list.split(',').any(|one| one == self.architecture)) {
                continue;
            }
            let mut words = rest.split_ascii_whitespace();
            let (url, suite) = (words.next().ok_or_else(|| wrong(line))?, words.next().ok_or_else(|| wrong(line))?);
            let components = words.map(str::to_owned).collect();
            let signed_by = SignedBy::parse(&option("signed-by").unwrap_or_default());
            self.add(url, suite, components, signed_by)?;
        }
        Ok(())
    }

    fn stanzas(&mut self, text: &str) -> Result<()> {
        let mut stanzas = Stanzas::new(text.as_bytes(), &[]);
        while let Some(stanza) = stanzas.read()? {
            self.stanza(&stanza)?;
        }
        Ok(())
    }

    fn stanza(&mut self, stanza: &Stanza) -> Result<()> {
        let off = stanza.get("Enabled").is_some_and(|value| {
            ["no", "false", "without", "off", "disable"].iter().any(|no| value.eq_ignore_ascii_case(no))
        });
        let listed = stanza.get("Architectures").is_none();
        let wanted = listed || stanza.words("Architectures").any(|one| one == self.architecture);
        if off || !wanted || !stanza.words("Types").any(|kind| kind == "deb") {
            return Ok(());
        }
        let signed_by = SignedBy::parse(stanza.get("Signed-By").unwrap_or_default());
        let components: Vec<String> = stanza.words("Components").map(str::to_owned).collect();
        for url in stanza.words("URIs") {
            for suite in stanza.words("Suites") {
                self.add(url, suite, components.clone(), signed_by.clone())?;
            }
        }
        Ok(())
    }

    fn add(&mut self, url: &str, suite: &str, components: Vec<String>, signed_by: SignedBy) -> Result<()> {
        let filled = |text: &str| text.replace("$(ARCH)", self.architecture);
        let (url, suite) = (filled(url), filled(suite));
        if suite.ends_with('/') {
            self.left_out.push(format!("the flat archive {suite} of the apt configuration is left out"));
            return Ok(());
        }
        let parsed = Url::parse(&url).map_err(|error| wrong(&url).because(&error))?;
        // What is found here goes into the lock, which is published.
        let why = match parsed.scheme() {
            _ if !parsed.username().is_empty() || parsed.password().is_some() => "its URL holds a password".to_owned(),
            "http" | "https" | "file" => String::new(),
            scheme => format!("`{scheme}:` URLs cannot be fetched"),
        };
        if !why.is_empty() {
            self.left_out.push(format!("suite {suite} of the apt configuration is left out: {why}"));
            return Ok(());
        }
        if !is_word(&suite) || components.iter().any(|component| !is_word(component)) {
            return Err(wrong(&suite));
        }
        let known = self.sources.iter_mut().find(|known| known.archives == [parsed.clone()] && known.suite == suite);
        match known {
            Some(known) => {
                let new: Vec<String> =
                    components.into_iter().filter(|component| !known.components.contains(component)).collect();
                known.components.extend(new);
            }
            None => self.sources.push(Source { archives: vec![parsed], suite, components, signed_by }),
        }
        Ok(())
    }
}

fn wrong(text: &str) -> Error {
    Error::new(Kind::Invalid, "the apt configuration cannot be read")
        .fact("at", text.chars().take(200).collect::<String>())
}
