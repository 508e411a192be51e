//! The control file of a package: one stanza of fields, as in deb-control(5).

use super::{DebVersion, is_package_name, relation};
use crate::error::{Error, Kind, Result};
use crate::tree::named;

/// The fields of a package's control file that are used here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: DebVersion,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// True if packages of this name for several architectures can be installed together (`Multi-Arch: same`).
    pub(crate) side_by_side: bool,
    /// The value of `Replaces`: the packages whose files it may replace.
    replaces: String,
    /// The stanza as written, without the fields `Package` and `Status`.
    rest: String,
}

impl Control {
    /// Parses a control file. Fails if a required field is missing or invalid.
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(text).map_err(|_| wrong("not UTF-8"))?;
        let fields = fields(text)?;
        let get = |name: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let needed = |name: &'static str, fits: fn(&str) -> bool| {
            let value = get(name).map(|value| value.trim()).ok_or_else(|| wrong(format!("missing field {name}")))?;
            let fits = fits(value).then(|| value.to_owned());
            fits.ok_or_else(|| wrong(format!("invalid field {name}")).fact("found", named(value.as_bytes())))
        };
        let replaces = get("Replaces").map(String::as_str).unwrap_or_default();
        relation::parse(replaces).map_err(|why| wrong(format!("field Replaces: {why}")))?;
        let mut rest = String::new();
        for (key, value) in &fields {
            if !key.eq_ignore_ascii_case("Package") && !key.eq_ignore_ascii_case("Status") {
                rest.extend([key, ":", value, "\n"]);
            }
        }
        Ok(Self {
            package: needed("Package", is_package_name)?,
            version: DebVersion::parse(&needed("Version", is_version)?)
                .ok_or_else(|| wrong("invalid field Version"))?,
            architecture: needed("Architecture", is_architecture)?,
            side_by_side: get("Multi-Arch").is_some_and(|value| value.trim() == "same"),
            replaces: replaces.to_owned(),
            rest,
        })
    }

    /// Returns whether this package may replace files of another one (`Replaces`).
    #[must_use]
    pub(crate) fn may_replace(&self, other: &Self) -> bool {
        let groups = relation::parse(&self.replaces).unwrap_or_default();
        groups.iter().flatten().any(|relation| {
            let bound = relation.version.as_ref();
            relation.name == other.package
                && bound.is_none_or(|(operator, wanted)| operator.holds(other.version.compare(wanted)))
        })
    }

    /// Returns the stanza as dpkg's database of installed packages has it.
    #[must_use]
    pub(crate) fn installed_stanza(&self) -> String {
        format!("Package: {}\nStatus: install ok installed\n{}", self.package, self.rest)
    }

    /// Returns the base name of the package's files in dpkg's database.
    #[must_use]
    pub(crate) fn info_name(&self) -> String {
        if self.side_by_side { format!("{}:{}", self.package, self.architecture) } else { self.package.clone() }
    }

    /// Returns name, version and architecture for messages.
    #[must_use]
    pub fn display(&self) -> String {
        format!("{} {} ({})", self.package, self.version, self.architecture)
    }
}

/// Splits a stanza into names and values. A value keeps its continuation lines and the space before it.
fn fields(text: &str) -> Result<Vec<(&str, String)>> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    let mut ended = false;
    for line in text.lines() {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(wrong("contains control characters"));
        }
        if line.trim().is_empty() {
            ended = !fields.is_empty();
            continue;
        }
        if ended {
            return Err(wrong("more than one stanza"));
        }
        if line.starts_with([' ', '\t']) {
            let (_, value) = fields.last_mut().ok_or_else(|| wrong("begins with a continuation line"))?;
            value.push('\n');
            value.push_str(line);
            continue;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("expected `Name: value`"))?;
        let plain = |byte: u8| byte.is_ascii_graphic();
        if name.is_empty() || !name.bytes().all(plain) || name.starts_with(['#', '-']) {
            return Err(wrong("expected `Name: value`"));
        }
        if fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(wrong(format!("duplicate field {name}")));
        }
        fields.push((name, value.to_owned()));
    }
    Ok(fields)
}

fn is_version(text: &str) -> bool {
    DebVersion::parse(text).is_some()
}

fn is_architecture(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

fn wrong(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, format!("invalid control file of the package: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_is_read_and_kept() {
        let text = "Package: libx1\nsource: x\nVersion: 1:2.0-1\nArchitecture: amd64\nMulti-Arch: same\n\
            Replaces: liba (<< 1.5), libb\nDescription: short\n long\n .\n more\n\n";
        let control = Control::parse(text.as_bytes()).unwrap();
        assert_eq!(control.info_name(), "libx1:amd64");
        assert_eq!(
            control.installed_stanza(),
            text.replace("Package: libx1\n", "Package: libx1\nStatus: install ok installed\n").trim_end().to_owned()
                + "\n"
        );
    }

    #[test]
    fn what_is_no_stanza_is_refused() {
        let good = "Package: xx\nVersion: 1\nArchitecture: all\n";
        Control::parse(good.as_bytes()).unwrap();
        for (text, why) in [
            ("", "missing field Package"),
            (" x\n", "continuation"),
            ("Package: ../x\nVersion: 1\nArchitecture: all\n", "invalid field Package"),
            ("Package: xx\nVersion: 1/2\nArchitecture: all\n", "invalid field Version"),
            ("Package: xx\nVersion: 1\nArchitecture: a/b\n", "invalid field Architecture"),
            (&format!("{good}Replaces: x (\n"), "field Replaces: invalid package relation `x (`"),
            (&format!("{good}\n{good}"), "more than one stanza"),
            (&format!("{good}package: yy\n"), "duplicate field package"),
            (&format!("{good}no field\n"), "expected `Name: value`"),
            (&format!("{good}A: \u{1b}[1m\n"), "control characters"),
        ] {
            let error = Control::parse(text.as_bytes()).unwrap_err();
            assert!(error.message().contains(why), "{text:?}: {error}");
        }
        assert!(Control::parse(b"Package: \xff\n").unwrap_err().message().contains("UTF-8"));
    }
}
