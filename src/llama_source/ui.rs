//! The web UI of llama-server: its place in the sources, and the files that the sources ask for (`ui.toml`).
//!
//! Until the summer of 2026 its files were in git. Since then they are published as a bundle for each build.

use std::sync::LazyLock;

use serde::Deserialize;

use super::CMakeFiles;
use super::cmake::calls;
use crate::error::{Error, Kind, Result};
use crate::tree::{Listing, Node};

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(include_str!("ui.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    place: Vec<Place>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    list: String,
    directory: String,
    variables: Vec<String>,
    #[serde(default)]
    tested: Vec<String>,
    #[serde(default)]
    otherwise: Vec<String>,
}

/// The place of the web UI in the sources of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiPlace {
    /// The directory that its files belong in.
    pub directory: &'static str,
    needed: Vec<Needed>,
}

/// A file that the sources ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Needed {
    /// A path.
    Path(String),
    /// The last part of a path, with a `*` for anything if it has one.
    Name(String),
}

impl UiPlace {
    /// Reads the CMake files of the sources. `None` if they have no web UI.
    #[must_use]
    pub fn of(files: &CMakeFiles) -> Option<Self> {
        TABLE.place.iter().find_map(|place| {
            let (_, text) = files.files().find(|(path, _)| *path == place.list)?;
            let mut needed = needed(text, place);
            if needed.is_empty() {
                needed = place.otherwise.iter().cloned().map(Needed::Path).collect();
            }
            needed.sort();
            needed.dedup();
            (!needed.is_empty()).then_some(Self { directory: place.directory.as_str(), needed })
        })
    }

    /// Returns true if the sources have the files themselves.
    #[must_use]
    pub fn is_filled(&self, source: &Listing) -> bool {
        self.missing(source, self.directory).is_empty()
    }

    /// Returns the directory of a bundle that has its files: its top, or the only directory there.
    #[must_use]
    pub fn top(bundle: &Listing) -> String {
        let tops = bundle.entries().iter().filter(|entry| !entry.path.contains(&b'/'));
        match tops.collect::<Vec<_>>()[..] {
            [only] if only.node == Node::Directory => String::from_utf8_lossy(&only.path).into_owned(),
            _ => String::new(),
        }
    }

    /// Fails if a bundle lacks a file that the sources need, or has links.
    pub fn demand(&self, bundle: &Listing) -> Result<()> {
        if let Some(link) = bundle.entries().iter().find(|entry| matches!(entry.node, Node::Link { .. })) {
            return Err(Error::new(Kind::Invalid, "the bundle of the web UI has a link, where files are expected")
                .fact("link", link.display()));
        }
        let missing = self.missing(bundle, &Self::top(bundle));
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(Kind::Invalid, "the bundle of the web UI lacks files that these sources need")
            .fact("missing", missing.join(", "))
            .hint("`ui = false` in the output of type `llama` builds without a web UI"))
    }

    /// Returns the needed files that are not below a directory of a tree.
    fn missing(&self, tree: &Listing, directory: &str) -> Vec<String> {
        let start = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let files = tree.entries().iter().filter(|entry| matches!(entry.node, Node::File { .. }));
        let paths = files.filter_map(|entry| std::str::from_utf8(&entry.path).ok()?.strip_prefix(start.as_str()));
        let paths: Vec<&str> = paths.collect();
        let lacks = |needed: &&Needed| !paths.iter().any(|path| needed.is(path));
        self.needed.iter().filter(lacks).map(Needed::pattern).collect()
    }
}

impl Needed {
    fn pattern(&self) -> String {
        let (Self::Path(text) | Self::Name(text)) = self;
        text.clone()
    }

    fn is(&self, path: &str) -> bool {
        match self {
            Self::Path(needed) => path == needed,
            Self::Name(pattern) => {
                let name = path.rsplit('/').next().unwrap_or_default();
                match pattern.split_once('*') {
                    None => name == pattern,
                    Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
                }
            }
        }
    }
}

/// Returns the files that a CMake file names.
fn needed(text: &str, place: &Place) -> Vec<Needed> {
    let mut all = Vec::new();
    for (command, arguments) in calls(text) {
        let words: Vec<&str> = arguments.split_whitespace().map(|word| word.trim_matches('"')).collect();
        match (command, &words[..]) {
            ("set", [variable, files @ ..]) if place.variables.iter().any(|known| known == variable) => {
                let plain = files.iter().filter(|file| crate::tree::is_path(file.as_bytes()) && !file.contains('$'));
                all.extend(plain.map(|file| Needed::Path((*file).to_owned())));
            }
            ("if" | "elseif", [variable, "STREQUAL", name]) if place.tested.iter().any(|known| known == variable) => {
                all.push(Needed::Name((*name).to_owned()));
            }
            ("if" | "elseif", [variable, "MATCHES", regex]) if place.tested.iter().any(|known| known == variable) => {
                all.extend(pattern(regex).map(Needed::Name));
            }
            _ => {}
        }
    }
    all
}

/// Returns a regular expression such as `^bundle.*\\.js$`, as CMake quotes it, as a pattern with one `*`. `None` for
/// all others, which are not checked.
fn pattern(regex: &str) -> Option<String> {
    let (start, end) = regex.strip_prefix('^')?.strip_suffix('$')?.split_once(".*")?;
    let plain = |part: &str| {
        let part = part.replace("\\\\.", "\u{0}");
        let is_plain = part.chars().all(|c| c == '\u{0}' || c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        is_plain.then(|| part.replace('\u{0}', "."))
    };
    Some(format!("{}*{}", plain(start)?, plain(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::tree::Entry;

    fn place(path: &str, text: &str) -> Option<UiPlace> {
        UiPlace::of(&CMakeFiles::new([(path.to_owned(), text.to_owned())]))
    }

    fn listing(paths: &[&str]) -> Listing {
        let file = Node::File { executable: false, size: 0, digest: Sha256Digest::of(b"") };
        let entry = |path: &&str| Entry {
            path: path.trim_end_matches('/').as_bytes().to_vec(),
            node: if path.ends_with('/') { Node::Directory } else { file.clone() },
        };
        Listing::new(paths.iter().map(entry).collect())
    }

    #[test]
    fn the_table_is_well_formed() {
        let table: Table = toml::from_str(include_str!("ui.toml")).unwrap();
        assert!(table.place.iter().all(|place| crate::tree::is_path(place.directory.as_bytes())));
    }

    #[test]
    fn each_age_says_which_files_it_needs_and_where() {
        let tested = "foreach(f ${files})\n  get_filename_component(base \"${f}\" NAME)\n\
                      if(base STREQUAL \"index.html\")\n  set(found TRUE)\n\
                      elseif(base STREQUAL \"version.json\")\nelseif(base MATCHES \"^bundle.*\\\\.js$\")\nendif()\n";
        let newest = place("scripts/ui-assets.cmake", tested).unwrap();
        assert_eq!(newest.directory, "tools/ui/dist");
        let whole = listing(&["_app/", "_app/bundle.1x.js", "_app/version.json", "index.html"]);
        assert!(newest.missing(&whole, "").is_empty());
        assert_eq!(newest.missing(&listing(&["bundle.css", "index.html"]), ""), ["bundle*.js", "version.json"]);

        let listed = place("scripts/ui-assets.cmake", "set(ASSETS\n  bundle.js\n  index.html\n)\n").unwrap();
        assert_eq!(listed.missing(&listing(&["_app/", "_app/bundle.js", "index.html"]), ""), ["bundle.js"]);
        let unread = place("scripts/ui-assets.cmake", "include(elsewhere)\n").unwrap();
        assert_eq!(unread.missing(&listing(&["a"]), ""), ["index.html"]);

        let older =
            place("tools/server/CMakeLists.txt", "set(PUBLIC_ASSETS\n index.html.gz\n loading.html\n)").unwrap();
        assert_eq!(older.directory, "tools/server/public");
        let filled = ["tools/server/public/index.html.gz", "tools/server/public/loading.html"];
        assert!(older.is_filled(&listing(&filled)) && !older.is_filled(&listing(&filled[..1])));
        assert_eq!(place("tools/server/CMakeLists.txt", "set(TARGET llama-server)\n"), None);
    }

    /// See `ages/tests.rs` for the sources that are meant.
    #[test]
    fn real_sources_have_a_place_for_their_web_ui() {
        let Ok(all) = std::env::var("STRIXLOCK_LLAMA_SOURCES") else { return };
        for source in all.split(':') {
            let read = |path: &str| Some((path.to_owned(), std::fs::read_to_string(format!("{source}/{path}")).ok()?));
            let files = TABLE.place.iter().filter_map(|place| read(&place.list));
            let place = UiPlace::of(&CMakeFiles::new(files)).unwrap();
            let is_there =
                |needed: &Needed| std::path::Path::new(source).join(place.directory).join(needed.pattern()).exists();
            let filled = place.needed.iter().filter(|needed| is_there(needed)).count();
            println!("{source}: {} needs {:?}, has {filled}", place.directory, place.needed);
            assert!(place.needed.len() > 1 && (filled == 0 || filled == place.needed.len()));
        }
    }

    #[test]
    fn a_bundle_may_be_wrapped_in_one_directory() {
        assert_eq!(UiPlace::top(&listing(&["index.html", "_app/"])), "");
        assert_eq!(UiPlace::top(&listing(&["index.html"])), "");
        assert_eq!(UiPlace::top(&listing(&["llama-b1-ui/", "llama-b1-ui/index.html"])), "llama-b1-ui");
        assert_eq!(UiPlace::top(&listing(&[])), "");
    }
}
