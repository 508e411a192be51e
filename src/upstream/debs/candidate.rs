//! One package of a package list.
//!
//! apt accepts stanzas that violate Debian policy, and chooses among packages with them. So do we: an odd package takes
//! part in the choice, since otherwise another package would silently be chosen in its place. If it is chosen, that is
//! an error.

use super::stanza::Stanza;
use super::{is_path, is_word};
use crate::deb::DebVersion;
use crate::deb::is_package_name;
use crate::deb::relation::{self, Operator};
use crate::digest::Sha256Digest;

/// The fields that relate to other packages, in the order in which apt reads them.
pub(super) const RELATIONS: [&str; 8] =
    ["Pre-Depends", "Depends", "Conflicts", "Breaks", "Recommends", "Suggests", "Replaces", "Enhances"];

/// The fields of a package list that are read. Descriptions, most of the list, are not.
pub(super) const FIELDS: &[&str] = &[
    "Package",
    "Version",
    "Architecture",
    "Filename",
    "Size",
    "SHA256",
    "Essential",
    "Important",
    "Protected",
    "Priority",
    "Multi-Arch",
    "Provides",
    "Pre-Depends",
    "Depends",
    "Conflicts",
    "Breaks",
    "Recommends",
    "Suggests",
    "Replaces",
    "Enhances",
];

/// A package that could be installed.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: DebVersion,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// Its path in the archive.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// The number of the release that has it.
    pub source: usize,
    /// The reason why it cannot be installed even if apt's rules choose it, if there is one.
    pub odd: Option<String>,
    pub(super) rank: Rank,
    /// True for `Multi-Arch: allowed`: it satisfies dependencies on `name:any`.
    pub(super) allowed: bool,
    pub(super) pre_depends: String,
    pub(super) depends: String,
    pub(super) conflicts: String,
    pub(super) breaks: String,
    pub(super) provides: String,
    /// The priority of its release.
    pub(super) priority: i32,
}

/// The order in which apt prefers packages that provide the same name; less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    not_essential: bool,
    not_important: bool,
    /// From 1, `required`, to 5, `extra`; 0, the best, without a `Priority`.
    priority: u8,
}

impl Rank {
    fn of(stanza: &Stanza) -> Self {
        let priority = match stanza.get("Priority").map(str::to_ascii_lowercase).as_deref() {
            None => 0,
            Some("required") => 1,
            Some("important") => 2,
            Some("standard") => 3,
            Some("optional") => 4,
            Some(_) => 5,
        };
        Self {
            not_essential: !stanza.says_yes("Essential"),
            not_important: !(stanza.says_yes("Important") || stanza.says_yes("Protected")),
            priority,
        }
    }
}

/// The result of reading a stanza of a package list for one architecture.
pub(super) enum Read {
    /// A package, which may be odd.
    Candidate(Box<Candidate>),
    /// A package for another architecture.
    Foreign,
    /// Not a package that apt would accept: its name, if it has one, and the reason.
    PassedOver(String, String),
}

impl Candidate {
    /// Reads the package in a stanza of release number `source`.
    pub(super) fn read(stanza: &Stanza, architecture: &str, source: usize) -> Read {
        let written = stanza.get("Package").unwrap_or_default();
        // apt ignores the case of the package's name, but not of names in relations.
        let name = written.to_ascii_lowercase();
        let passed = |why: &str| Read::PassedOver(name.chars().take(80).collect(), why.to_owned());
        if let Some(fault) = stanza.fault() {
            return passed(fault);
        }
        if !is_name(&name) {
            return passed(if name.is_empty() { "it has no `Package`" } else { "its `Package` is not a valid name" });
        }
        let mut odd: Option<String> = None;
        let mut wrong = |why: String| {
            odd.get_or_insert(why);
        };
        let own = match stanza.get("Architecture").filter(|text| !text.is_empty()) {
            None => {
                wrong("it has no `Architecture`".to_owned());
                architecture
            }
            Some(own) if own.contains(|c: char| c.is_whitespace() || c == ',') => {
                return passed("its `Architecture` has several values");
            }
            Some(own) if own != architecture && own != "all" => return Read::Foreign,
            Some(own) => own,
        };
        let Some(version) = stanza.get("Version").filter(|text| !text.is_empty()) else {
            return passed("it has no `Version`");
        };
        let unsound = |field: &str| match stanza.get(field) {
            None => format!("it has no `{field}`"),
            Some(text) => format!("its `{field}` is `{}`", text.chars().take(80).collect::<String>().escape_debug()),
        };
        if written != name || !is_package_name(&name) || !is_word(own) {
            wrong(unsound("Package"));
        }
        if DebVersion::parse(version).is_none() {
            wrong(unsound("Version"));
        }
        let path =
            stanza.get("Filename").map(|path| path.strip_prefix("./").unwrap_or(path)).filter(|path| is_path(path));
        let size = stanza.get("Size").and_then(|size| size.parse().ok());
        let sha256 = stanza.get("SHA256").and_then(Sha256Digest::from_hex);
        for (field, sound) in [("Filename", path.is_some()), ("Size", size.is_some()), ("SHA256", sha256.is_some())] {
            if !sound {
                wrong(unsound(field));
            }
        }
        for field in RELATIONS.iter().chain(&["Provides"]) {
            if let Err(told) = stanza.get(field).map_or(Ok(()), relation::check) {
                wrong(format!("its `{field}`: {told}"));
            }
        }
        let text = |field: &str| stanza.get(field).unwrap_or_default().to_owned();
        Read::Candidate(Box::new(Self {
            name: name.clone(),
            version: DebVersion::as_written(version),
            architecture: own.to_owned(),
            path: path.unwrap_or_default().to_owned(),
            size: size.unwrap_or_default(),
            sha256: sha256.unwrap_or_else(|| Sha256Digest::of(b"")),
            source,
            odd,
            rank: Rank::of(stanza),
            allowed: stanza.get("Multi-Arch") == Some("allowed"),
            pre_depends: text("Pre-Depends"),
            depends: text("Depends"),
            conflicts: text("Conflicts"),
            breaks: text("Breaks"),
            provides: text("Provides"),
            priority: 0,
        }))
    }

    /// Returns the names that it provides, with their versions. Entries with a version operator other than `=` are
    /// ignored, as apt does.
    pub(super) fn provided(&self, native: &str) -> Vec<(String, Option<DebVersion>)> {
        let mut found = Vec::new();
        for relation in relation::parse(&self.provides).unwrap_or_default().into_iter().flatten() {
            let version = match relation.version {
                Some((Operator::Equal, version)) => Some(version),
                Some(_) => continue,
                None => None,
            };
            match relation.qualifier {
                None => {
                    if self.allowed {
                        found.push((format!("{}:any", relation.name), version.clone()));
                    }
                    found.push((relation.name.to_owned(), version));
                }
                Some(own) if own == native => found.push((relation.name.to_owned(), version)),
                Some(other) => found.push((format!("{}:{other}", relation.name), version)),
            }
        }
        if self.allowed {
            found.push((format!("{}:any", self.name), Some(self.version.clone())));
        }
        found
    }

    /// Returns whether it provides a name with a version operator other than `=`.
    pub(super) fn provides_unequal(&self) -> bool {
        let groups = relation::parse(&self.provides).unwrap_or_default();
        groups.into_iter().flatten().any(|one| one.version.is_some_and(|(operator, _)| operator != Operator::Equal))
    }
}

/// Returns whether apt can find a package of this name: one that policy allows, or one without special characters of
/// relations.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    !text.is_empty() && text.len() <= 200 && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use crate::error::{Kind, Result};
    use crate::upstream::debs::ranking::Ranking;
    use crate::upstream::debs::solve;
    use crate::upstream::debs::universe::Universe;

    const GOOD: &str = "Package: hello\nVersion: 1.0\nArchitecture: amd64\nDepends: lib\nPriority: optional\nFilename: \
        pool/h.deb\n\
        Size: 100\nSHA256: 00000000000000000000000000000000000000000000000000000000000000ff\n";

    /// A stanza with these lines in place of its own, `-Field` for none.
    fn stanza(name: &str, lines: &[&str]) -> String {
        let mut text = GOOD.replace("hello", name).replace("Depends: lib\n", "");
        for line in lines {
            let field = line.trim_start_matches('-').split(':').next().unwrap();
            let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with(&format!("{field}:"))).collect();
            text = kept.join("\n") + "\n";
            if !line.starts_with('-') {
                text.push_str(line);
                text.push('\n');
            }
        }
        text + "\n"
    }

    fn universe(list: &str) -> (Universe, Option<String>) {
        let mut universe = Universe::new("amd64");
        let list = format!("{list}{GOOD}\n{}", stanza("lib", &[]));
        let told = universe.add(list.as_bytes(), 0, &Ranking::plain(500)).unwrap().told("the list");
        universe.finish();
        (universe, told)
    }

    fn choose(universe: &Universe, name: &str) -> Result<String> {
        let names = solve(universe, &[name.to_owned()])?.0.into_iter().map(|index| universe.get(index).name.clone());
        Ok(names.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn an_odd_package_spoils_nothing_and_is_an_error_where_it_is_wanted() {
        let long = format!("Version: {}", "1".repeat(300));
        for (lines, why) in [
            (&["Package: Odd"][..], "its `Package` is `Odd`"),
            (&["Package: odd_one"], ""),
            (&["-SHA256"], "it has no `SHA256`"),
            (&["SHA256: 12"], "its `SHA256` is `12`"),
            (&["Filename: /pool/x.deb"], "its `Filename` is `/pool/x.deb`"),
            (&["Filename: pool//../x.deb"], "its `Filename` is `pool//../x.deb`"),
            (&["Filename: ../x.deb"], "its `Filename` is `../x.deb`"),
            (&["-Filename"], "it has no `Filename`"),
            (&["Version: 1.0 beta"], "its `Version` is `1.0 beta`"),
            (&[&long], "its `Version` is `1111"),
            (&["-Version"], "it has no `Version`"),
            (&["Version:"], "it has no `Version`"),
            (&["Architecture: amd64 i386"], "its `Architecture` has several values"),
            (&["-Architecture"], "it has no `Architecture`"),
            (&["Size: many"], "its `Size` is `many`"),
            (&["Size: -1"], "its `Size` is `-1`"),
            (&["-Size"], "it has no `Size`"),
            (&["Depends: lib ("], "its `Depends`: invalid package relation `lib (`"),
            (&["Breaks: lib hello"], "its `Breaks`: invalid package relation `lib hello`"),
            (&["Suggests: lib [amd64]"], "its `Suggests`: invalid package relation `lib [amd64]`"),
            (&["Provides: (= 1)"], "its `Provides`: invalid package relation `(= 1)`"),
            (&["-Package"], ""),
            (&["Package:"], ""),
            (&["Package: o d d"], ""),
            (&["Package: odd\n: :\nnothing of a field"], "expected `Name: value`"),
        ] {
            let (universe, told) = universe(&stanza("odd", lines));
            assert_eq!(choose(&universe, "hello").unwrap(), "hello lib", "{lines:?}");
            assert!(told.is_some_and(|told| told.starts_with("1 odd package in the list (`")), "{lines:?}");
            let error = choose(&universe, "odd").unwrap_err();
            if why.is_empty() {
                assert_eq!(error.kind(), Kind::NotFound, "{lines:?}");
            } else {
                assert_eq!(
                    (error.kind(), error.message()),
                    (Kind::Invalid, "the archive's package `odd` cannot be used")
                );
                assert!(error.to_string().contains(why), "{lines:?}: {error}");
            }
            let wanting = format!("{}{}", stanza("odd", lines), stanza("wanting", &["Depends: odd"]));
            assert!(choose(&self::universe(&wanting).0, "wanting").unwrap_err().to_string().contains(why), "{lines:?}");
        }
        // For another architecture it is nobody's business.
        assert_eq!(universe(&stanza("odd", &["Architecture: arm64", "-SHA256"])).1, None);
        assert_eq!(universe(&stanza("odd", &["Provides: ${gir:Provides}"])).1, None);
    }

    #[test]
    fn many_odd_packages_are_one_line() {
        let list: String = (0..1000).map(|number| stanza(&format!("odd{number}"), &["-SHA256"])).collect();
        let (_, told) = universe(&list);
        assert_eq!(
            told.as_deref(),
            Some(
                "1000 odd packages in the list (`odd0`: it has no `SHA256`; `odd1`: it has no `SHA256`; `odd2`: it has \
                 no \
                 `SHA256`, and more)"
            )
        );
    }

    /// Each as apt 2.6 has it.
    #[test]
    fn providers_are_those_of_apt() {
        for (provides, depends, chosen) in [
            ("Provides: v (>= 2)", "v", None),
            ("Provides: v (>= 2), v (= 1)", "v", Some("pp")),
            ("Provides: v (= 2)", "v (>= 1)", Some("pp")),
            ("Provides: v (= 2)", "v (>= ${version})", None),
            ("Provides: v", "v (>= 1)", None),
            ("Provides: v:i386", "v", None),
            ("Provides: v:i386", "v:i386", Some("pp")),
            ("Provides: v:amd64", "v", Some("pp")),
            ("Provides: v:amd64", "v:any", None),
            ("Provides: v:any", "v:any", Some("pp")),
            ("Provides: v:any", "v", None),
            ("Provides: v\nMulti-Arch: allowed", "v:any", Some("pp")),
            ("Provides: v\nMulti-Arch: foreign", "v:any", None),
            ("Multi-Arch: Allowed", "pp:any", None),
            ("Multi-Arch: allowed", "pp:any", Some("pp")),
            ("Multi-Arch: foreign", "pp:any", None),
            ("Multi-Arch: foreign", "pp:i386", None),
            ("Multi-Arch: same", "pp:native", Some("pp")),
            ("Multi-Arch: same", "pp (1.0)", Some("pp")),
            ("Multi-Arch: same", "pp (== 1.0)", None),
            ("Multi-Arch: same", "pp (>= ${binary:Version})", None),
            ("Multi-Arch: same", "${misc:Depends}", None),
            ("Multi-Arch: same", "pp,", Some("pp")),
        ] {
            let depends = format!("Depends: {depends}");
            let (universe, _) = universe(&format!("{}{}", stanza("pp", &[provides]), stanza("xx", &[&depends])));
            let found = choose(&universe, "xx").ok();
            assert_eq!(found.as_deref(), chosen.map(|_| "pp xx"), "{provides}, {depends}");
        }
    }

    /// Each as apt 2.6 has it: between these two, the first is taken.
    #[test]
    fn ranks_are_those_of_apt() {
        for (better, worse) in [
            ("-Priority", "Priority: required"),
            ("Priority: REQUIRED", "Priority: optional"),
            ("Priority: Optional", "Priority: extra"),
            ("Priority: Important", "Priority: standard"),
            ("Priority: optional", "Priority:"),
            ("Priority: optional", "Priority: optional (new)"),
            ("Essential: Yes", "Priority: required"),
            ("Essential: true", "Priority: required"),
            ("Essential: 1", "Priority: required"),
            ("Important: on", "Priority: required"),
            ("Protected: enable", "Priority: required"),
            ("Priority: required", "Essential: no"),
            ("Priority: required", "Essential: 2"),
            // With the same priority it is the one that the lists mention last.
            ("Priority: OPTIONAL", "Priority: optional"),
            ("Priority: source", "Priority: extra"),
        ] {
            let provides = "Provides: v";
            let list = [stanza("worse", &[worse, provides]), stanza("better", &[better, provides])].concat();
            let (universe, _) = universe(&format!("{list}{}", stanza("xx", &["Depends: v"])));
            assert_eq!(choose(&universe, "xx").unwrap(), "better xx", "{better} before {worse}");
        }
    }
}
