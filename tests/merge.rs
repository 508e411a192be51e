//! Merges of locks: by git alone where text is enough, and by `strixlock lock merge` as its driver.

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;
use strixlock::parts::Lock;
use strixlock_ground::digest::{Sha256Digest, TreeDigest};

use crate::support::{FIRST, Project, Ran, SECOND};

const THIRD: &str = "10.2.0a20261120";

/// Locks of one project by what moved in them: `r` is ROCm, `l` llama.cpp, `f` a file without a date.
struct Locks {
    project: Project,
}

impl Locks {
    fn new() -> Self {
        let locks = Self { project: Project::new() };
        let project = &locks.project;
        std::fs::write(project.path("note.txt"), "one").unwrap();
        locks.save("r1l1", FIRST, "");
        locks.save("r1l1-on", FIRST, "[outputs.llama.cmake]\nGGML_CCACHE = \"ON\"\n");
        locks.save("r1l1-off", FIRST, "[outputs.llama.cmake]\nGGML_CCACHE = \"OFF\"\n");
        locks.save("r1l1-lto", FIRST, "[outputs.llama.cmake]\nGGML_LTO = \"ON\"\n");
        locks.save("r2l1", SECOND, "");
        project.upstream().add_llama_commit().unwrap();
        locks.save("r1l2", FIRST, "");
        locks.save("r2l2", SECOND, "");
        project.upstream().add_llama_commit().unwrap();
        locks.save("r1l3", FIRST, "");
        locks.save("r2l3", SECOND, "");
        std::fs::write(project.path("note.txt"), "the second").unwrap();
        locks.save("r2l3f2", SECOND, "");
        std::fs::write(project.path("note.txt"), "three").unwrap();
        locks.save("r2l3f3", SECOND, "");
        let sealed = |lock: &str, outputs: &[&str], tree: &str| {
            let mut lock = Lock::parse(&project.read(lock)).unwrap();
            for output in outputs {
                lock.outputs.get_mut(*output).unwrap().set_seal(TreeDigest(Sha256Digest::of(tree.as_bytes())));
            }
            lock.to_text().unwrap()
        };
        project.write("r1l1-sealed", &sealed("r1l1", &["llama"], "a"));
        project.write("r2l1-sealed", &sealed("r2l1", &["llama"], "b"));
        project.write("r2l1-other", &sealed("r2l1", &["llama"], "c"));
        locks
    }

    /// Updates to this version of ROCm and the newest commit, and keeps the lock under a name. The request is the newest
    /// version, so that only pins differ.
    fn save(&self, name: &str, version: &str, more: &str) {
        let project = &self.project;
        project.full_manifest(version);
        let note = format!("[inputs.note]\ntype = \"file\"\nurl = \"file://{}\"\n", project.path("note.txt").display());
        let text = project.read("manifests/strix.toml");
        project.write("manifests/strix.toml", &format!("{text}\n{note}\n{more}"));
        project.run(&["update", "--accept-replaced"]).code(0);
        // As if `latest` had been that version on that day.
        let mut lock: Value = serde_json::from_str(&project.lock()).unwrap();
        lock["inputs"]["rocm"]["requested"]["version"] = "latest".into();
        crate::lock::seal(&mut lock["inputs"]["rocm"]);
        project.write(name, &format!("{}\n", serde_json::to_string_pretty(&lock).unwrap()));
    }

    fn merge(&self, base: &str, ours: &str, theirs: &str) -> Ran {
        std::fs::copy(self.project.path(ours), self.project.path("merged")).unwrap();
        self.project.run(&["lock", "merge", base, "merged", theirs, "lock/strix.lock"])
    }
}

#[test]
fn three_versions_become_the_one_that_people_mean() {
    let locks = Locks::new();
    let newer = |input: &str| format!("lock/strix.lock: input {input}: both sides moved it: kept ");
    let seal = "lock/strix.lock: output llama: removed the seal, which is for other pins or differs: ".to_owned();
    let both = "lock/strix.lock: output llama: both sides changed other fields of its recipe: took both\n".to_owned();
    // Base, ours, theirs: the lock that comes out, and what is said.
    let clean: [(&str, &str, &str, &str, String); 13] = [
        ("r1l1", "r1l1", "r1l1", "r1l1", String::new()),
        ("r1l1", "r2l1", "r1l1", "r2l1", String::new()),
        ("r1l1", "r1l1", "r2l1", "r2l1", String::new()),
        ("r1l1", "r2l1", "r1l2", "r2l2", String::new()),
        ("r1l1", "r1l2", "r2l1", "r2l2", String::new()),
        ("r1l1", "r2l2", "r2l2", "r2l2", String::new()),
        // One input on both sides: the newer pin, on whichever side it is.
        ("r1l1", "r1l2", "r1l3", "r1l3", newer("llama-cpp")),
        ("r1l1", "r1l3", "r1l2", "r1l3", newer("llama-cpp")),
        ("r1l1", "r2l2", "r1l3", "r2l3", newer("llama-cpp")),
        // Seals stay where they are for what comes out.
        ("r1l1", "r1l1-sealed", "r1l1", "r1l1-sealed", String::new()),
        ("r1l1", "r1l1-sealed", "r1l2", "r1l2", seal.clone()),
        ("r1l1", "r2l1-sealed", "r2l1", "r2l1-sealed", String::new()),
        ("r1l1", "r2l1-sealed", "r2l1-other", "r2l1", seal),
    ];
    for (base, ours, theirs, expected, said) in clean {
        let ran = locks.merge(base, ours, theirs).code(0);
        let case = format!("{base} {ours} {theirs}: {}", ran.all());
        assert_eq!(locks.project.read("merged"), locks.project.read(expected), "{case}");
        assert!(ran.stderr.starts_with(&said) && (ran.stderr.is_empty() == said.is_empty()), "{case}");
    }
    // Fields of one recipe merge too, to a lock that is read like any other.
    let ran = locks.merge("r1l1", "r1l1-on", "r1l1-lto").code(0);
    assert_eq!(ran.stderr, both);
    let merged: Value = serde_json::from_str(&locks.project.read("merged")).unwrap();
    let cmake = &merged["outputs"]["llama"]["recipe"]["cmake"];
    assert_eq!((&cmake["GGML_CCACHE"], &cmake["GGML_LTO"]), (&"ON".into(), &"ON".into()), "{cmake}");
    locks.project.run(&["--lock", "merged", "lock", "show"]).code(0);
    // A file that one side alone has, from a branch without the lock.
    locks.project.write("empty", "");
    locks.merge("empty", "r1l1", "r1l1").code(0);

    // What nobody can decide keeps our side, and says so.
    for (base, ours, theirs, expected, what) in [
        ("r1l1", "r1l1-on", "r1l1-off", "r1l1-on", "output llama: both sides changed the same field of its recipe"),
        ("r2l3", "r2l3f2", "r2l3f3", "r2l3f2", "input note: both sides moved it, and neither pin is known to be newer"),
    ] {
        let ran = locks.merge(base, ours, theirs).code(3);
        assert_eq!(locks.project.read("merged"), locks.project.read(expected), "{}", ran.all());
        assert!(
            ran.stderr.starts_with(
                "error: lock/strix.lock: the two sides of the merge contradict each other; ours is kept\n"
            ) && ran.stderr.contains(&format!("  conflict  {what}\n"))
                && ran
                    .stderr
                    .contains("hint: resolve the manifest, then `strixlock update` and `git add` both files\n"),
            "{}",
            ran.all()
        );
    }

    // Nothing is written where a side is not a lock.
    locks.project.write("broken", "{}");
    for (base, ours, theirs, code) in [
        ("broken", "r1l1", "r2l1", 3),
        ("r1l1", "r1l1", "broken", 3),
        ("r1l1", "empty", "r1l1", 3),
        ("none", "r1l1", "r1l1", 9),
    ] {
        locks.merge(base, ours, theirs).code(code);
        assert_eq!(locks.project.read("merged"), locks.project.read(ours));
    }
}

/// Runs git in the project, with nobody's configuration and this program on PATH.
fn git(project: &Project, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(arguments).current_dir(project.path(""));
    command.env("HOME", project.directory.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("PATH", project.search_path());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn git_merges_branches_that_updated_the_same_input_by_the_driver() {
    let project = Project::new();
    std::fs::create_dir_all(project.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_strixlock"), project.path("bin/strixlock")).unwrap();
    let git = |arguments: &[&str]| git(&project, arguments);
    let done = |arguments: &[&str]| {
        let (worked, said) = git(arguments);
        assert!(worked, "{arguments:?}: {said}");
        said
    };
    done(&["init", "-q", "-b", "main"]);
    let index = project.index();
    let ran = project.run(&["init", "--packages", "none", "--source", &index]).code(0);
    assert!(ran.stdout.contains("\nwrote .gitattributes\n"), "{}", ran.all());
    let (_, command) = ran.stderr.split_once("run once in each clone: `").unwrap();
    let command = command.split_once('`').unwrap().0;
    assert_eq!(project.read(".gitattributes"), "/lock/*.lock merge=strixlock\n");
    project.write(".gitignore", "bin\n");

    let commit = |message: &str| {
        done(&["add", "."]);
        done(&["commit", "-q", "-m", message]);
    };
    let update = |version: &str| {
        project.full_manifest(version);
        project.run(&["update"]).code(0);
        let text = project.read("manifests/strix.toml").replace(version, "latest");
        project.write("manifests/strix.toml", &text);
        let mut lock: Value = serde_json::from_str(&project.lock()).unwrap();
        lock["inputs"]["rocm"]["requested"]["version"] = "latest".into();
        crate::lock::seal(&mut lock["inputs"]["rocm"]);
        project.write("lock/strix.lock", &format!("{}\n", serde_json::to_string_pretty(&lock).unwrap()));
    };
    update(FIRST);
    commit("the first lock");
    // Two branches that both move ROCm, and one of them llama.cpp.
    done(&["switch", "-q", "-c", "theirs"]);
    update(THIRD);
    commit("newer");
    done(&["switch", "-q", "main"]);
    project.upstream().add_llama_commit().unwrap();
    update(SECOND);
    commit("new");
    // Text alone is a conflict, whose markers are named.
    let (clean, said) = git(&["merge", "theirs"]);
    assert!(!clean && said.contains("CONFLICT"), "{said}");
    let ran = project.run(&["status"]).code(3);
    assert!(ran.stderr.contains("is a conflict marker: unfinished merge"), "{}", ran.all());
    done(&["merge", "--abort"]);
    // The command that `init` printed is all that is missing.
    let words: Vec<&str> = command.split('\'').collect();
    assert_eq!(words[0], "git config merge.strixlock.driver ");
    done(&["config", "merge.strixlock.driver", words[1]]);
    let said = done(&["merge", "-m", "both", "theirs"]);
    let kept = format!("input rocm: both sides moved it: kept {THIRD}, which is newer than {SECOND}\n");
    assert!(said.contains(&kept), "{said}");
    let versions = project.run(&["lock", "show"]).code(0).stdout;
    assert!(versions.contains(THIRD) && versions.contains("b9 "), "{versions}");
    project.run(&["status", "--check"]).code(0);
    // It is not told again, and `init` adds no second line.
    let doctor = project.run(&["doctor", "--offline"]);
    assert!(doctor.stdout.contains("locks of two branches are merged by `strixlock lock merge`"), "{}", doctor.all());
    project.run(&["init", "--force", "--packages", "none", "--source", &index]).code(0);
    assert_eq!(project.read(".gitattributes"), "/lock/*.lock merge=strixlock\n");
}
