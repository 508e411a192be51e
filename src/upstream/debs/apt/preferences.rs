//! Pins, by which users change the ranks of versions (apt_preferences(5)), and `APT::Default-Release`.

use super::{Settings, parts};
use crate::error::{About, Error, Kind, Result};
use crate::upstream::debs::ranking::{ListFacts, Pin, Pinned, Ranking, is_regular_expression};
use crate::upstream::debs::stanza::{Stanza, Stanzas};

/// The rank of versions from the release that the user has made apt's default.
const DEFAULT_RELEASE: i32 = 990;

/// The pins of a machine's apt, in order of precedence.
#[derive(Debug, Clone, Default)]
pub struct Preferences(Vec<Pin>);

impl Preferences {
    /// Reads the preferences that apt would read. Fails if a pin is not supported: without it another version would be
    /// chosen.
    pub(super) fn read(settings: &Settings, told: &mut Vec<String>) -> Result<Self> {
        let mut pins = Vec::new();
        if let Some(release) = settings.get("APT::Default-Release") {
            pins.push(pin("*", Pinned::release(release), DEFAULT_RELEASE).about("APT::Default-Release")?);
        }
        let mut files: Vec<_> =
            settings.file("Dir::Etc::preferences").into_iter().filter(|file| file.is_file()).collect();
        if let Some(directory) = settings.file("Dir::Etc::preferencesparts") {
            files.extend(parts::read(&directory, &["pref"], true, told)?);
        }
        for file in files {
            let about = file.display().to_string();
            let bytes = fs_err::read(&file)?;
            let mut stanzas = Stanzas::new(bytes.as_slice(), &[]);
            while let Some(stanza) = stanzas.read().about(&about)? {
                pins.extend(pins_of(&stanza, &about, told).about(&about)?);
            }
        }
        Ok(Self(pins))
    }

    /// Returns the ranks of the versions in a list; `base` is the rank of its release without pins.
    #[must_use]
    pub fn of(&self, facts: &ListFacts, base: i32) -> Ranking {
        Ranking::new(&self.0, facts, base)
    }
}

fn pins_of(stanza: &Stanza, file: &str, told: &mut Vec<String>) -> Result<Vec<Pin>> {
    let wrong =
        |message: &str| Error::new(Kind::Invalid, message).hint("apt refuses it too: correct or remove the file");
    let names = stanza.get("Package").filter(|names| !names.trim().is_empty());
    let names = names.ok_or_else(|| wrong("a pin of apt's preferences names no package"))?;
    let Some(what) = stanza.get("Pin") else { return Ok(Vec::new()) };
    let (kind, value) = what.split_once([' ', '\t']).unwrap_or((what, ""));
    let value = value.trim();
    let pinned = match kind.to_ascii_lowercase().as_str() {
        "release" => Pinned::release(value),
        "version" if names.trim() == "*" => return Ok(Vec::new()),
        "version" => Pinned::Version(value.to_owned()),
        "origin" => Pinned::Site(value.trim_matches('"').to_owned()),
        _ => {
            told.push(format!("{file}: a pin of the unknown kind `{}` is ignored, as apt does", kind.escape_debug()));
            return Ok(Vec::new());
        }
    };
    let text = stanza.get("Pin-Priority").unwrap_or_default();
    let number = text.split(|c: char| c.is_whitespace() || c == '#').next().unwrap_or_default();
    let priority = match number {
        "never" if names.trim() == "*" => Ranking::NEVER,
        "never" => return Err(wrong("`Pin-Priority: never` is only for `Package: *`")),
        number => number.parse::<i16>().map(i32::from).ok().filter(|number| *number != 0).ok_or_else(|| {
            wrong("a pin of apt's preferences has no priority").fact("Pin-Priority", text.escape_debug())
        })?,
    };
    names.split_ascii_whitespace().map(|name| pin(name, pinned.clone(), priority)).collect()
}

fn pin(name: &str, pinned: Pinned, priority: i32) -> Result<Pin> {
    let unfollowed = |why: &str, text: &str| {
        Error::new(Kind::Invalid, format!("a pin of apt's preferences is not supported: {why}"))
            .fact("pin", text.escape_debug())
            .hint("name the archives by their URLs in the manifest instead of archive = \"host\"")
    };
    if name.starts_with("src:") {
        return Err(unfollowed("it names a source package", name));
    }
    if let Some(text) = pinned.texts().into_iter().chain([name]).find(|text| is_regular_expression(text)) {
        return Err(unfollowed("it is a regular expression", text));
    }
    Ok(Pin { name: name.to_owned(), pinned, priority })
}
