//! The whole way with real tools: CMake, Ninja and the compiler of this machine in a sandbox, and each call with only
//! the files that it sees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::script::{self, DATABASE, NEEDED};
use super::command::Call;
use super::launcher::{LAUNCHER, OBJECTS, SUMS, WORDS, environment, take};
use super::scan::{GENERATED, LISTS, NAMES, NINJA};
use super::sight::{Part, Sight};
use super::{compile, depfile, scan};
use crate::tree::Listing;
use crate::tree::scan::scan as scan_tree;

const MARK: &str = "0123";

const PROJECT: &[(&str, &str)] = &[
    (
        "CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.18)\nproject(p CXX)\n\
         add_custom_command(OUTPUT made.h COMMAND sh ${CMAKE_SOURCE_DIR}/make.sh > made.h DEPENDS make.sh)\n\
         add_library(p SHARED a.cpp deep/b.cpp asks.cpp uses_made.cpp made.h)\n\
         target_include_directories(p PRIVATE include ${CMAKE_BINARY_DIR})\n\
         add_executable(unneeded EXCLUDE_FROM_ALL a.cpp)\ninstall(TARGETS p)\n",
    ),
    ("make.sh", "echo 'inline int made() { return 7; }'"),
    ("include/shared.h", "inline int shared() { return 1; }"),
    ("include/deeper.h", "inline int deeper() { return 2; }"),
    ("a.cpp", "#include <vector>\n#include <shared.h>\nint a() { return int(std::vector<int>{shared()}.size()); }"),
    ("deep/b.cpp", "#include \"../include/deeper.h\"\nint b() { return deeper(); }"),
    ("asks.cpp", "#if __has_include(<shared.h>)\nint asks() { return 3; }\n#endif"),
    ("uses_made.cpp", "#include \"made.h\"\nint m() { return made(); }"),
];

/// A directory that is `/build` in a sandbox with this machine's tools.
struct Machine {
    place: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { place: tempfile::tempdir().unwrap() };
        machine.write("/build/mark", "0123\n");
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.place.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let at = self.at(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, text).unwrap();
    }

    /// Runs a script as a worker does.
    fn run(&self, script: &str, more: impl IntoIterator<Item = (String, String)>) -> String {
        let mut environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        environment.extend(more);
        let mut bwrap = Command::new("bwrap");
        bwrap.args(["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc"]);
        for top in ["bin", "lib", "lib64"] {
            bwrap.args(["--symlink", &format!("usr/{top}"), &format!("/{top}")]);
        }
        bwrap.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind"]).arg(self.at("build"));
        let ran = bwrap.arg("/build").args(script::command(MARK, script, environment.iter())).output().unwrap();
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(ran.status.success(), "{said}");
        said
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn configure() -> Vec<String> {
    words(&["cmake", "-S", "/build/source", "-B", "/build/out", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"])
}

fn copy(listing: &Listing, from: &Path, to: &Path) {
    for entry in listing.entries() {
        let path = String::from_utf8(entry.path.clone()).unwrap();
        if from.join(&path).is_dir() {
            std::fs::create_dir_all(to.join(&path)).unwrap();
        } else {
            std::fs::copy(from.join(&path), to.join(&path)).unwrap();
        }
    }
}

/// Builds the project from beginning to end. Returns its library, and what was said.
fn built(source: &Machine, listing: &Listing, lay: impl Fn(&Machine) -> bool) -> (Vec<u8>, String) {
    let machine = Machine::new();
    std::fs::create_dir_all(machine.at("/build/source")).unwrap();
    copy(listing, &source.at("/build/source"), &machine.at("/build/source"));
    let with_objects = lay(&machine);
    let compile = words(&["cmake", "--build", "/build/out", "--parallel", "2"]);
    let install = words(&["env", "DESTDIR=/build/dest", "cmake", "--install", "/build/out"]);
    let commands = [("configure", configure()), ("compile", compile), ("install", install)];
    let script = script::to_build(false, &commands, Some(2), 1);
    let said = machine.run(&script, environment().filter(|_| with_objects));
    (std::fs::read(machine.at("/build/dest/usr/local/lib/libp.so")).unwrap(), said)
}

#[test]
fn calls_with_what_they_see_make_what_one_build_makes() {
    let first = Machine::new();
    for (path, text) in PROJECT {
        first.write(&format!("/build/source/{path}"), text);
    }
    let source = scan_tree(&first.at("/build/source")).unwrap();
    let (expected, _) = built(&first, &source, |_| false);

    first.run(&script::to_configure(false, &[], &configure(), Some(&[])), []);
    let record = |name: &str| std::fs::read(first.at("/build/record").join(name)).unwrap();
    let calls = Call::read(&record(DATABASE), &String::from_utf8(record(NEEDED)).unwrap()).unwrap();
    // The program is not among them.
    assert_eq!(calls.len(), 4, "{calls:?}");

    std::fs::remove_dir_all(first.at("/build/out")).unwrap();
    first.write(NINJA, &scan::ninja_file(&calls));
    first.run(&scan::script(&calls, &configure(), Some(2), 1), []);
    let (source_at, generated_at) = (first.at("/build/source"), first.at("/build/record").join(GENERATED));
    let generated = scan_tree(&generated_at).unwrap();
    assert_eq!(generated.entries().len(), 1, "{:?}", generated.entries());
    let sight = Sight::new(
        Part { listing: &source, directory: &source_at },
        Part { listing: &generated, directory: &generated_at },
        &String::from_utf8(record(NAMES)).unwrap(),
        Path::new("/"),
        None,
    );
    let mut objects = BTreeMap::new();
    for (number, call) in calls.iter().enumerate() {
        let list = String::from_utf8(record(&format!("{LISTS}/{number}"))).unwrap();
        let seen = match sight.of(call, &depfile::read(&list).unwrap()) {
            Ok(seen) => seen,
            Err(why) => {
                assert!(call.object.ends_with("asks.cpp.o") && why.contains("shared.h"), "{}: {why}", call.object);
                continue;
            }
        };
        let alone = Machine::new();
        for directory in &seen.directories {
            std::fs::create_dir_all(alone.at(directory)).unwrap();
        }
        for path in seen.files.keys() {
            let from = path.replacen("/build/out/", &format!("/build/record/{GENERATED}/"), 1);
            std::fs::create_dir_all(alone.at(path).parent().unwrap()).unwrap();
            std::fs::copy(first.at(&from), alone.at(path)).unwrap();
        }
        assert!(seen.files.len() < 3, "{:?}", seen.files);
        alone.run(&compile::script(call), []);
        objects.insert(call, (std::fs::read(alone.at("/build/record/object")).unwrap(), seen.sums()));
    }
    assert_eq!(objects.len(), 3);

    let (made, said) = built(&first, &source, |machine| {
        machine.write(LAUNCHER, &(take() + "echo compiled \"$@\"\nexec \"$@\"\n"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(machine.at(LAUNCHER), mode).unwrap();
        for (call, (object, sums)) in &objects {
            machine.write(&format!("{SUMS}/{}", call.object), sums);
            machine.write(&format!("{WORDS}/{}", call.object), &call.launched().join("\n"));
            let at = machine.at(OBJECTS).join(&call.object);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::fs::write(at, object).unwrap();
        }
        true
    });
    assert!(made == expected, "another library");
    let compiled: Vec<&str> =
        said.lines().filter(|line| line.starts_with("compiled ") && line.contains(" -c ")).collect();
    let sources: Vec<&str> = compiled.iter().filter(|line| line.contains("/build/source/")).copied().collect();
    assert!(sources.len() == 1 && sources[0].contains("asks.cpp"), "{said}");
}
