//! The files that a call sees: those that it reads, and no others of the project, so that its result stays in a
//! service's cache as long as they stay the same.
//!
//! A call with fewer files than it has in the sandbox must make the same object. So it is refused where it could tell
//! the difference: where it asks whether a file is there (`__has_include`), or reads a file that its compiler does not
//! note. Refused calls are left to the last action, which sees everything.
//!
//! clang notes what the host's side of a HIP source includes, and not what the GPU's side does. So a call for a GPU also
//! sees every file of the project with a name that is included under any condition.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use strixlock_reapi::BlobDigest;

use super::super::inputs::Laying;
use super::command::Call;
use super::facts::Facts;
use crate::error::Result;
use crate::recipe::build::{BUILD, SOURCE};
use crate::tree::{Listing, Node};

/// Bytes that are read of a file at most; headers are far smaller.
const LARGEST: u64 = 64 << 20;
/// Options before a directory, in one word or in two.
const DIRECTORIES: [&str; 4] = ["-isystem", "-iquote", "-idirafter", "-I"];
/// Options with a name that no file is read by.
const NAMES: [&str; 4] = ["-o", "-MF", "-MT", "-MQ"];
/// Beginnings of words in which a path is only text.
const TEXTS: [&str; 5] = ["-D", "-U", "-ffile-prefix-map=", "-fmacro-prefix-map=", "-fdebug-prefix-map="];

/// Beginnings of words by which a compiler reads or writes more files than its list has.
const MORE: [&str; 14] = [
    "@",
    "-B",
    "-fprofile",
    "-fmodule",
    "-fplugin",
    "-fdump",
    "-gsplit-dwarf",
    "--coverage",
    "-ftest-coverage",
    "-fstack-usage",
    "-fcallgraph-info",
    "-ftime-trace",
    "-fsave-optimization-record",
    "-save-temps",
];

/// The trees of a build, in which calls see some files.
pub(super) struct Sight<'s> {
    source: Part<'s>,
    generated: Part<'s>,
    /// Other trees: the place that they are seen at, and their directory. The last one is the root.
    others: Vec<(String, PathBuf)>,
    /// The files of the project by their names without directories.
    named: BTreeMap<String, Vec<String>>,
    /// Names of everything in the project, generated or not, without directories.
    there: BTreeSet<String>,
    known: RefCell<HashMap<String, Option<Rc<Facts>>>>,
}

/// A tree of which calls see only what they read.
#[derive(Clone, Copy)]
pub(super) struct Part<'p> {
    pub listing: &'p Listing,
    /// The directory that it lies in.
    pub directory: &'p Path,
}

/// The files and directories that a call sees.
#[derive(Debug, Default)]
pub(in super::super) struct Seen {
    pub files: BTreeMap<String, (BlobDigest, bool)>,
    pub directories: BTreeSet<String>,
    /// True if something may ask for the time.
    pub uses_time: bool,
}

impl Seen {
    /// Returns the digests of the files, as sha256sum reads them.
    pub fn sums(&self) -> String {
        let line = |(path, (digest, _)): (&String, &(BlobDigest, bool))| format!("{}  {path}", digest.sha256.hex());
        self.files.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Lays them into a tree.
    pub fn lay(&self, tree: &mut Laying) -> Result<()> {
        for directory in &self.directories {
            tree.directory(directory)?;
        }
        self.files.iter().try_for_each(|(path, (digest, executable))| tree.file(path, *digest, *executable))
    }
}

impl<'s> Sight<'s> {
    /// Prepares to look at the files of a build with the root `root`, and with a ROCm tree at a prefix. `built` has a line
    /// with the name of each file in the directory of the build.
    pub fn new(source: Part<'s>, generated: Part<'s>, built: &str, root: &Path, rocm: Option<(&str, &Path)>) -> Self {
        let sources = source.listing.entries().iter().map(|entry| String::from_utf8_lossy(&entry.path));
        let mut there: BTreeSet<String> = sources.map(|path| base(&path).to_owned()).collect();
        there.extend(built.lines().map(str::to_owned));
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (place, part) in [(SOURCE, source), (BUILD, generated)] {
            let files = part.listing.entries().iter().filter(|entry| matches!(entry.node, Node::File { .. }));
            for path in files.filter_map(|file| std::str::from_utf8(&file.path).ok()) {
                named.entry(base(path).to_owned()).or_default().push(format!("{place}/{path}"));
            }
        }
        let rocm = rocm.map(|(prefix, path)| (prefix.to_owned(), path.to_path_buf()));
        let others = rocm.into_iter().chain([(String::new(), root.to_path_buf())]).collect();
        Self { source, generated, others, named, there, known: RefCell::default() }
    }

    /// Returns the files that a call sees, which reads these; or the reason why it must see everything.
    pub fn of(&self, call: &Call, read: &[String]) -> Result<Seen, String> {
        let mut seen = Seen::default();
        let words = Facts::of(call.launched().join(" ").as_bytes());
        seen.uses_time = words.uses_time;
        let mut asked = words.asked.ok_or("its command asks for files by a macro")?;
        let (mut left, mut looked_at) = (read.to_vec(), BTreeSet::new());
        while let Some(path) = left.pop() {
            if !looked_at.insert(path.clone()) {
                continue;
            }
            let facts = self.add(&path, &mut seen)?;
            seen.uses_time |= facts.uses_time;
            match &facts.asked {
                Some(names) => asked.extend(names.iter().cloned()),
                // Headers of the system do not ask for files of the project, whatever they hide behind macros.
                None if !is_in(&walked(&path).0, "/build") => {}
                None => return Err(format!("{path} reads data, or asks for files by a macro")),
            }
            if call.has_device_side() {
                left.extend(facts.included.iter().flat_map(|name| self.ours(name)));
            }
        }
        // A file of another kind than those that are laid, such as a link, would be missed.
        let is_missed = |name: &&String| {
            let mut all = self.ours(name).peekable();
            self.there.contains(base(name)) && (all.peek().is_none() || all.any(|path| !seen.files.contains_key(&path)))
        };
        if let Some(name) = asked.iter().find(is_missed) {
            return Err(format!("it asks whether there is a file {name}"));
        }
        self.look_at_words(call, read, &mut seen)?;
        Ok(seen)
    }

    /// Returns the files of the project that can be included by this name.
    fn ours(&self, name: &str) -> impl Iterator<Item = String> {
        let below = name.trim_start_matches("../").trim_start_matches("./");
        let end = format!("/{below}");
        let all = self.named.get(base(name)).into_iter().flatten();
        all.filter(move |path| path.ends_with(&end)).cloned()
    }

    /// Adds a file. Returns the facts about it.
    fn add(&self, path: &str, seen: &mut Seen) -> Result<Rc<Facts>, String> {
        let (inside, above) = walked(path);
        for (place, part) in [(SOURCE, self.source), (BUILD, self.generated)] {
            let Some(below) = inside.strip_prefix(place).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let found = part.listing.get(below.as_bytes());
            let Some(Node::File { executable, size, digest }) = found.map(|entry| &entry.node) else {
                return Err(format!("it reads {path}, which is not a file of the project"));
            };
            self.add_directories(&above, seen)?;
            seen.files.insert(inside.clone(), (BlobDigest { sha256: *digest, size: *size }, *executable));
            let read = || std::fs::read(part.directory.join(below)).ok();
            return self.facts(&inside, read).ok_or_else(|| format!("it reads {path}, which cannot be read here"));
        }
        if inside.starts_with("/build/") {
            return Err(format!("it reads {path}"));
        }
        // Links are followed, as the compiler does.
        self.facts(&inside, || self.read(path)).ok_or_else(|| format!("it reads {path}, which cannot be read here"))
    }

    /// Adds the directories on the way to a file, which must be there for `..` to lead back.
    fn add_directories(&self, above: &[String], seen: &mut Seen) -> Result<(), String> {
        for directory in above {
            if let Some(below) = directory.strip_prefix(SOURCE).and_then(|rest| rest.strip_prefix('/')) {
                match self.source.listing.get(below.as_bytes()).map(|entry| &entry.node) {
                    Some(Node::Directory) => {}
                    // Without it, nothing is found there either way.
                    None => continue,
                    Some(_) => return Err(format!("it reads through {directory}, which is not a directory")),
                }
            } else if !is_in(directory, SOURCE) && !is_in(directory, BUILD) {
                continue;
            }
            seen.directories.insert(directory.clone());
        }
        Ok(())
    }

    /// Adds the directories that a command names. Fails if it names files that its compiler may not note.
    fn look_at_words(&self, call: &Call, read: &[String], seen: &mut Seen) -> Result<(), String> {
        let mut previous = "";
        for (number, word) in call.launched().iter().enumerate() {
            let directory = DIRECTORIES.iter().find_map(|option| match word.strip_prefix(option) {
                Some("") => None,
                Some(joined) => Some(joined),
                None => (previous == *option).then_some(word.as_str()),
            });
            if let Some(directory) = directory {
                let (inside, mut above) = walked(directory);
                above.push(inside);
                self.add_directories(&above, seen)?;
            } else {
                let is_text = NAMES.contains(&previous) || TEXTS.iter().any(|text| word.starts_with(text));
                let is_relative = word.contains('/') && !word.rsplit('=').next().unwrap_or_default().starts_with('/');
                let is_path = (is_relative || word.contains("/build/")) && !is_text && !read.contains(word);
                let has_more = MORE.iter().any(|option| word.starts_with(option)) || word.ends_with("=native");
                if (is_path && number > 0) || has_more || word.contains("cmake_pch") {
                    return Err(format!("its command has {word}"));
                }
            }
            previous = word;
        }
        Ok(())
    }

    /// Returns the facts about a file, which is read once. `None` if it cannot be read.
    fn facts(&self, name: &str, read: impl FnOnce() -> Option<Vec<u8>>) -> Option<Rc<Facts>> {
        let mut known = self.known.borrow_mut();
        known.entry(name.to_owned()).or_insert_with(|| read().map(|bytes| Rc::new(Facts::of(&bytes)))).clone()
    }

    /// Reads a file of the root or of the ROCm tree. Links stay in their tree.
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let is_there = |place: &&(String, PathBuf)| place.0.is_empty() || is_in(path, &place.0);
        let (place, directory) = self.others.iter().find(is_there)?;
        let root = open(directory, OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty()).ok()?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let below = path.strip_prefix(place.as_str()).unwrap_or(path);
        let file = openat2(&root, below, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?;
        let mut bytes = Vec::new();
        File::from(file).take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// Returns the name of a file without its directories.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Returns true for a path that is the directory `place`, or below it.
fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the absolute path of a file that a command in the directory of the build names, without `.` and `..`, and
/// every directory on the way.
fn walked(path: &str) -> (String, Vec<String>) {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{BUILD}/{path}") };
    let (mut inside, mut above) = (String::new(), Vec::new());
    for name in whole.split('/').filter(|name| !matches!(*name, "" | ".")) {
        if name == ".." {
            above.push(inside.clone());
            inside.truncate(inside.rfind('/').unwrap_or(0));
        } else {
            if !inside.is_empty() {
                above.push(inside.clone());
            }
            inside = format!("{inside}/{name}");
        }
    }
    (inside, above)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tree::scan::scan;

    /// Looks at a call that reads these files, in a project that has some.
    fn look(words: &str, read: &[&str]) -> Result<Seen, String> {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for (path, text) in [
            ("source/src/x.cpp", "int x;"),
            ("source/src/clock.cpp", "__TIME__"),
            ("source/src/asks.h", "__has_include(<there.h>) __has_include(<missing.h>)"),
            ("source/include/there.h", ""),
            ("source/src/link.h", "__has_include(\"link\")"),
            ("source/src/gpu.cpp", "#ifdef __HIP_DEVICE_COMPILE__\n#include \"../common/device.cuh\"\n#endif\n"),
            ("source/common/device.cuh", "#include <deeper.cuh>\n"),
            ("source/include/deeper.cuh", ""),
            ("source/include/common.cuh", ""),
            ("source/common/y.h", ""),
            ("generated/ggml/made.h", "made"),
            ("root/usr/include/real.h", ""),
            ("rocm/include/hip.h", ""),
            ("outside.h", ""),
        ] {
            std::fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            std::fs::write(at(path), text).unwrap();
        }
        // A link in the root stays there.
        symlink("/usr/include", at("root/include")).unwrap();
        symlink("../../outside.h", at("root/out.h")).unwrap();
        symlink("common", at("source/link")).unwrap();
        let (source_at, generated_at) = (at("source"), at("generated"));
        let (source, generated) = (scan(&source_at).unwrap(), scan(&generated_at).unwrap());
        let sight = Sight::new(
            Part { listing: &source, directory: &source_at },
            Part { listing: &generated, directory: &generated_at },
            "/build/out:\nunread.h\n",
            &at("root"),
            Some(("/opt/rocm", &at("rocm"))),
        );
        let words = words.split_whitespace().map(str::to_owned).collect();
        let read: Vec<String> = read.iter().map(|path| (*path).to_owned()).collect();
        sight.of(&Call { object: "x.o".to_owned(), words }, &read)
    }

    #[test]
    fn a_call_sees_what_it_reads_and_the_ways_to_it() {
        let words =
            "c++ -DA=/build/source -I/build/source/include -isystem ggml/src/../deep -o x.o -c /build/source/src/x.cpp";
        let read = [
            "/build/source/src/x.cpp",
            "/build/source/src/../common/y.h",
            "ggml/made.h",
            "/include/real.h",
            "/opt/rocm/include/hip.h",
        ];
        let seen = look(words, &read).unwrap();
        let files: Vec<&str> = seen.files.keys().map(String::as_str).collect();
        assert_eq!(files, ["/build/out/ggml/made.h", "/build/source/common/y.h", "/build/source/src/x.cpp"]);
        for directory in ["/build/source/src", "/build/source/include", "/build/out/ggml/src", "/build/out/ggml/deep"] {
            assert!(seen.directories.contains(directory), "{directory}: {:?}", seen.directories);
        }
        assert!(!seen.uses_time);
        let clock = "/build/source/src/clock.cpp";
        assert!(look(&format!("c++ -o x.o -c {clock}"), &[clock]).unwrap().uses_time);
        let defined = "c++ -DAT=__TIME__ -o x.o -c /build/source/src/x.cpp";
        assert!(look(defined, &["/build/source/src/x.cpp"]).unwrap().uses_time);
    }

    #[test]
    fn a_call_for_a_gpu_sees_what_its_other_side_includes() {
        let source = "/build/source/src/gpu.cpp";
        let files = |words: &str| look(words, &[source]).unwrap().files.into_keys().collect::<Vec<_>>();
        let both = ["/build/source/common/device.cuh", "/build/source/include/deeper.cuh", source];
        assert_eq!(files(&format!("clang++ -x hip -o x.o -c {source}")), both);
        assert_eq!(files(&format!("clang++ -o x.o -c {source}")), [source]);
    }

    #[test]
    fn a_call_that_could_tell_the_difference_is_refused() {
        let usual = "c++ -o x.o -c /build/source/src/x.cpp";
        for (words, read, why) in [
            (usual, "/build/source/src/other.cpp", "not a file of the project"),
            (usual, "/build/source/link/y.h", "not a file of the project"),
            (usual, "/build/source/link/../src/x.cpp", "through /build/source/link"),
            (usual, "/build/made/x.h", "it reads /build/made/x.h"),
            (usual, "/usr/include/missing.h", "cannot be read here"),
            (usual, "/out.h", "cannot be read here"),
            (usual, "/opt/rocm/../../outside.h", "cannot be read here"),
            (usual, "/build/source/src/asks.h", "asks whether there is a file there.h"),
            (usual, "/build/source/src/link.h", "asks whether there is a file link"),
            ("c++ -DHAS=__has_include(\"there.h\")", "/build/source/src/x.cpp", "a file there.h"),
            ("c++ -march=native", "/build/source/src/x.cpp", "-march=native"),
            ("c++ -fprofile-use=../pgo", "/build/source/src/x.cpp", "-fprofile-use"),
            ("c++ --some=../file", "/build/source/src/x.cpp", "--some=../file"),
            ("c++ @x.rsp", "/build/source/src/x.cpp", "@x.rsp"),
            ("c++ -fprofile-use=/build/source/x", "/build/source/src/x.cpp", "-fprofile-use"),
            ("c++ -include cmake_pch.hxx", "/build/source/src/x.cpp", "cmake_pch"),
        ] {
            let error = look(words, &["/build/source/src/x.cpp", read]).unwrap_err();
            assert!(error.contains(why), "{read}: {error}");
        }
        // It is there, and seen.
        let reads_it = ["/build/source/src/x.cpp", "/build/source/src/asks.h", "/build/source/include/there.h"];
        assert!(look(usual, &reads_it).is_ok());
    }
}
