//! `strixlock bisect`: the version that brought a fault, found in a season of nightlies.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use strixlock_demo::forge::ForgeRelease;
use strixlock_demo::raw_tar::{RawEntry, raw_tar};
use strixlock_demo::{Calendar, Generation, Upstream};

use crate::support::{FIRST, Project, REQUIRES, SECOND, files};

/// The command that fails with a broken build.
const PROBE: [&str; 3] = ["run", "hipconfig", "--check"];
/// The good end of the season.
const OLDEST: &str = "10.0.0a20260723";

/// A project whose lock pins the newest build of a season, with ROCm as its only output.
fn season(calendar: &Calendar) -> Project {
    let project = Project::with(|directory| Upstream::start_season(directory, calendar));
    let sources = [Generation::MultiArch, Generation::Streams].map(|one| project.upstream().index_url(one));
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.rocm]\ntype = \"rocm\"\ntarget = \"gfx1151\"\nsources = [\"{}\", \"{}\"]\n\n\
             [outputs.rocm]\ntype = \"rocm\"\n",
            sources[1], sources[0]
        ),
    );
    project.run(&["update"]).code(0);
    project
}

/// The profile with the generations of the bisect.
fn profile(project: &Project) -> PathBuf {
    let profiles =
        std::fs::read_dir(project.store("main").join("profiles")).unwrap().map(|entry| entry.unwrap().path());
    { profiles }.find(|path| path.to_str().unwrap().ends_with("-bisect")).expect("there is no profile of a bisect")
}

fn generations(project: &Project) -> usize {
    std::fs::read_dir(profile(project).join("generations")).unwrap().count()
}

/// The versions at a place of the season and at the one before.
fn ends(calendar: &Calendar, first: usize) -> (String, String) {
    let version = |at: usize| calendar.builds()[at].1.version.clone();
    (version(first - 1), version(first))
}

#[test]
fn the_first_broken_nightly_is_found_also_when_its_neighbours_are_gone_upstream() {
    let calendar = Calendar::season();
    let project = season(&calendar);
    let first = calendar.builds().iter().position(|(_, nightly)| nightly.broken).unwrap();
    let (good, bad) = ends(&calendar, first);
    // The first bad one is in the store alone, and the last good one at a mirror alone.
    let (base, index) = (project.base(), project.index());
    let other = project.directory.path().join("other/manifests/strix.toml");
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    let manifest = project.read("manifests/strix.toml");
    std::fs::write(other, manifest.replace("sources", &format!("version = \"{bad}\"\nsources"))).unwrap();
    project.run_beside("other", &["update"]).code(0);
    let names = [first - 1, first].map(|at| calendar.builds()[at].1.file_name());
    for name in &names {
        project.upstream().withdraw(Generation::Streams, name);
    }
    let directory = index.strip_suffix('/').unwrap();
    project.write("strixlock.toml", &format!("mirrors = [{{ of = \"{directory}\", at = \"{base}mirror\" }}]\n"));
    let lock = project.lock();

    let ran = project.run(&[&["bisect", "rocm", "--good", OLDEST], &PROBE[..]].concat()).code(0);
    assert!(
        ran.stdout.contains(&format!("found rocm: {bad} is the first bad version\nrocm: {good} is good\n")),
        "{}",
        ran.all()
    );
    assert!(ran.stdout.contains("  TheRock "), "{}", ran.all());
    assert!(
        ran.stdout.contains(&format!("to stay with it: version = \"{good}\" below [inputs.rocm]")),
        "{}",
        ran.all()
    );
    assert!(ran.stderr.contains("bisecting: 38 nightlies left, about 6 steps\n"), "{}", ran.all());
    assert!(generations(&project) <= 6, "{}", ran.all());
    assert_eq!(project.lock(), lock, "the lock of the project stays as it is");
    let profiles = std::fs::read_dir(project.store("main").join("profiles")).unwrap();
    assert_eq!(profiles.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count(), 1, "no other generation");
    let report = project.read("bisect/report.md");
    assert!(report.starts_with(&format!("# rocm: fails since {bad}\n")), "{report}");
    for part in ["- command: `hipconfig --check`", &names[0], &names[1], "## All answers", "TheRock "] {
        assert!(report.contains(part), "{part}: {report}");
    }
    let draft = project.read("bisect/advisory.toml");
    let day = &calendar.builds()[first].1.date().to_string();
    let day = format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]);
    assert!(
        draft.contains(&format!("from = \"{day}\"  # the first bad version: the one before it is good")),
        "{draft}"
    );
    let filled = format!("format = 1\n\n{}", draft.replace("source = \"\"", "source = \"https://host/1\""));
    assert!(toml::from_str::<toml::Table>(&filled).is_ok(), "{filled}");

    // The same command shows the result again; `reset` removes what it took.
    let again = project.run(&[&["bisect", "rocm", "--good", OLDEST], &PROBE[..]].concat()).code(0);
    assert_eq!(again.stdout, ran.stdout);
    project.run(&["bisect", "reset"]).code(0);
    assert!(!project.path("bisect/log").exists() && project.path("bisect/report.md").exists());
    let left = std::fs::read_dir(project.store("main").join("profiles")).unwrap();
    assert_eq!(left.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count(), 0);
    assert!(project.run(&["bisect"]).code(9).stderr.starts_with("error: no bisect is under way\n"));
}

#[test]
fn nightlies_that_only_an_archive_has_are_bisected_with_it() {
    let calendar = Calendar::season();
    let project = season(&calendar);
    let first = calendar.builds().iter().position(|(_, nightly)| nightly.broken).unwrap();
    let (good, bad) = ends(&calendar, first);
    let manifest = project.read("manifests/strix.toml");
    let other = project.directory.path().join("other/manifests/strix.toml");
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    for version in [&good, &bad] {
        std::fs::write(&other, manifest.replace("sources", &format!("version = \"{version}\"\nsources"))).unwrap();
        project.run_beside("other", &["update"]).code(0);
        project.run_beside("other", &["archive", "--to", "../kept"]).code(0);
    }
    for (_, nightly) in &calendar.builds()[first - 2..=first + 1] {
        project.upstream().withdraw(Generation::Streams, &nightly.file_name());
    }
    let bisect = |options: &[&str]| {
        project.run_in_store("fresh", &[&["bisect", "rocm", "--good", OLDEST], options, &PROBE].concat()).code(0)
    };
    let ran = bisect(&["--from", "../kept"]);
    assert!(
        ran.stdout.contains(&format!("found rocm: {bad} is the first bad version\nrocm: {good} is good\n")),
        "{}",
        ran.all()
    );
    assert!(ran.stderr.contains("bisecting: 36 nightlies left, "), "{}", ran.all());
    assert!(project.read("bisect/log").lines().any(|line| line.starts_with("archive ")));

    // Without it, only the range that is left can be told.
    project.run_in_store("fresh", &["bisect", "reset"]).code(0);
    std::fs::remove_dir_all(project.store("fresh")).unwrap();
    let ran = bisect(&[]);
    assert!(!ran.stdout.contains(&format!("{bad} is the first bad version")), "{}", ran.all());
    assert!(ran.stderr.contains("bisecting: 34 nightlies left, "), "{}", ran.all());
}

/// Starts a bisect and kills it: as soon as the log has grown by an answer, or while the command runs, which does it then.
fn killed(project: &Project, arguments: &[&str], by_command: bool) {
    let log = project.path("bisect/log");
    let length = || std::fs::metadata(&log).map_or(0, |log| log.len());
    let before = length();
    let mut child = project.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // With its number, so that a command of an earlier run that is still there kills nobody.
    let mark = format!("kill-{}", child.id());
    if by_command {
        project.write(&mark, "");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it neither ended nor went on");
        if !by_command && before > 0 && length() > before {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("error:"), "{said}");
}

#[test]
fn a_bisect_that_is_killed_goes_on() {
    let calendar = Calendar::season().broken_from(12);
    let project = season(&calendar);
    project.program("test.sh", "#!/bin/sh\nif [ -e kill-$PPID ]; then kill -9 $PPID; exit; fi\nhipconfig --check\n");
    let begin = ["bisect", "rocm", "--good", OLDEST, "run", "./test.sh"];
    for round in 0..10 {
        // What was appended only in part counts as not written.
        if round == 6 {
            let log = project.read("bisect/log");
            project.write("bisect/log", &format!("{log}good rocm=10."));
        }
        killed(&project, if round == 0 { &begin } else { &begin[..1] }, round % 2 == 0);
    }
    let (good, bad) = ends(&calendar, 12);
    let ran = project.run(&begin).code(0);
    assert!(
        ran.stdout.contains(&format!("found rocm: {bad} is the first bad version\nrocm: {good} is good\n")),
        "{}",
        ran.all()
    );
    assert!(generations(&project) <= 6, "{}", ran.all());
    let answers = project.read("bisect/log");
    let answers: Vec<&str> = answers.lines().filter(|line| line.contains(" rocm=")).collect();
    let versions: std::collections::BTreeSet<&str> =
        answers.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(versions.len(), answers.len(), "no version is answered twice: {answers:#?}");
}

/// Adds llama.cpp at a commit, laid over ROCm, so that a test sees both and nothing is built.
fn with_llama(project: &Project, commit: &str) {
    let manifest = project.read("manifests/strix.toml");
    let (rocm, _) = manifest.split_once("[inputs.llama-cpp]").unwrap_or((&manifest, ""));
    let git = project.upstream().git_url();
    project.write(
        "manifests/strix.toml",
        &format!(
            "{rocm}[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{git}\"\ncommit = \"{commit}\"\n\n[outputs.both]\n\
             type = \"overlay\"\nbase = \"rocm\"\nlayers = [{{ input = \"llama-cpp\", at = \"share/llama\" }}]\n"
        ),
    );
}

#[test]
fn when_both_inputs_moved_it_finds_which_and_where() {
    let project = Project::realized(&[FIRST]);
    let commits = project.upstream().llama().unwrap().commits;
    with_llama(&project, &commits[0]);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let manifest = project.read("manifests/strix.toml").replace(FIRST, "10.2.0a20261120");
    project.write("manifests/strix.toml", &manifest);
    with_llama(&project, &commits[7]);
    project.run(&["update"]).code(0);
    // Revision 5 brought the fault, with whichever ROCm.
    let test = "test $(grep -c revision $ROCM_PATH/share/llama/docs/changes.md) -lt 5";
    let arguments = ["bisect", "--good", "2", "--confirm", "run", "sh", "-c", test];
    let ran = project.run(&arguments).code(0);
    let (bad, good) = (&commits[4][..12], &commits[3][..12]);
    assert!(
        ran.stdout.contains(&format!(
            "found llama-cpp: b5 ({bad}) is the first bad version\nllama-cpp: b4 ({good}) is good\n"
        )),
        "{}",
        ran.all()
    );
    assert!(ran.stdout.contains("  demo : revision 5\n") || ran.stdout.contains("demo : revision 5"), "{}", ran.all());
    assert!(ran.stderr.contains("bisecting: is it llama-cpp alone? "), "{}", ran.all());
    assert!(ran.stderr.contains(" again (exit code "), "confirmed: {}", ran.all());
    assert!(generations(&project) <= 6, "{}", ran.all());
    let json = project.run(&["bisect", "--json"]).code(0).json();
    assert_eq!(json["found"][0]["bad"], serde_json::json!([commits[4]]));
    assert_eq!((&json["state"], &json["next"]), (&"done".into(), &serde_json::Value::Null));
}

#[test]
fn releases_that_others_built_are_bisected_too() {
    let project = Project::realized(&[FIRST]);
    for (number, code) in [(2, 0), (4, 0), (8, 1)] {
        let script = format!("#!/bin/sh\nexit {code}\n");
        let archive = raw_tar(&[RawEntry::new(tar::EntryType::Regular, "state", "", script.as_bytes(), 0o755)]);
        project.upstream().forge().publish(ForgeRelease::new(&format!("b{number}"), "state.tar", archive));
    }
    let manifest = project.read("manifests/strix.toml");
    let git = project.upstream().git_url();
    let manifest = format!(
        "{manifest}[inputs.built]\ntype = \"release\"\nurl = \"{git}\"\nasset = \"state.tar\"\ntag = \"b8\"\n\n\
         [outputs.both]\ntype = \"overlay\"\nbase = \"rocm\"\nlayers = [{{ input = \"built\", at = \"share/built\" }}]\n"
    );
    project.write("manifests/strix.toml", &manifest);
    project.run(&["update"]).code(0);
    let ran = project.run(&["bisect", "built", "--good", "b2", "run", "sh", "-c", "$ROCM_PATH/share/built/state"]);
    // The release of b6 has no such file.
    let ran = ran.code(10);
    assert!(ran.stderr.contains("b6: skipped ("), "{}", ran.all());
    let found = "found built: one of b6, b8 is the first bad version\nbuilt: b4 is good\n";
    assert!(ran.stdout.contains(found), "{}", ran.all());
    assert!(ran.stdout.contains("to stay with it: tag = \"b4\" below [inputs.built]"), "{}", ran.all());
}

#[test]
fn versions_are_tried_by_hand_and_a_log_is_replayed() {
    let project = Project::realized(&[FIRST]);
    project.rocm_manifest("10.2.0a20261120").run(&["update"]).code(0);
    // Between them is one nightly.
    let ran = project.run(&["bisect", "rocm", "interactive"]).code(0);
    assert!(ran.stdout.starts_with(&format!("{SECOND} is generation 1 of ")), "{}", ran.all());
    let profile = profile(&project).file_name().unwrap().to_str().unwrap().to_owned();
    let shown = format!(
        "try it: strixlock --profile {profile} run -g 1 PROGRAM\nthen say: strixlock bisect good, bad or skip\n"
    );
    assert!(ran.stdout.ends_with(&shown), "{}", ran.all());
    project.run(&["--profile", &profile, "run", "-g", "1", "hipconfig", "--version"]).code(0);
    let ran = project.run(&["bisect", "bad"]).code(0);
    assert!(ran.stdout.starts_with(&format!("found rocm: {SECOND} is the first bad version\n")), "{}", ran.all());
    let ran = project.run(&["bisect", "good", SECOND]).code(2);
    assert!(ran.stderr.contains("this version was answered differently before\n"), "{}", ran.all());

    let log = project.run(&["bisect", "log"]).code(0).stdout;
    project.write("answers.log", &log.replace("\nbad rocm=", "\nskip rocm="));
    let ran = project.run(&["bisect", "replay", "answers.log"]).code(2);
    assert!(ran.stderr.contains("a bisect is under way\nhint: `strixlock bisect reset` ends it\n"), "{}", ran.all());
    project.run(&["bisect", "reset"]).code(0);
    let ran = project.run(&["bisect", "replay", "answers.log"]).code(0);
    assert!(ran.stdout.contains("rocm: one of "), "{}", ran.all());
    let ran = project.run(&["bisect"]).code(10);
    assert!(
        ran.stdout.contains(&format!("found rocm: one of {SECOND}, 10.2.0a20261120 is the first bad version\n")),
        "{}",
        ran.all()
    );

    // A log of another lock is refused.
    project.run(&["bisect", "reset"]).code(0);
    let digest = log.lines().find_map(|line| line.strip_prefix("lock sha256:")).unwrap();
    project.write("answers.log", &log.replace(digest, &"0".repeat(64)));
    let ran = project.run(&["bisect", "replay", "answers.log"]).code(9);
    assert!(ran.stderr.contains("the lock that the bisect was begun with is not here"), "{}", ran.all());
    project.write("answers.log", &log.replace("\nbegin\n", "\nbegun\n"));
    let ran = project.run(&["bisect", "replay", "answers.log"]).code(3);
    assert!(ran.stderr.contains("answers.log: invalid log of a bisect: unknown word `begun`\n"), "{}", ran.all());
}

#[test]
fn a_test_that_says_nothing_or_lies_is_told() {
    let project = Project::realized(&[FIRST]);
    project.rocm_manifest("10.2.0a20261120").run(&["update"]).code(0);
    let run = |options: &[&str], script: &str| {
        let _ = project.run(&["bisect", "reset"]).code(0);
        let begin = ["bisect", "rocm", "--good", FIRST];
        project.run(&[&begin[..], options, &["run", "sh", "-c", script]].concat())
    };
    for (options, script, code, said) in [
        ([].as_slice(), "exit 1", 10, "error: the good end is bad, so that there is nothing to find\n"),
        (&[], "exit 0", 10, "error: the bad end is good, so that there is nothing to find\n"),
        (
            &[],
            "exit 200",
            1,
            "error: the command ended the bisect: it gave no answer\n  ended     exit code 200 after ",
        ),
        (&[], "kill -SEGV $$", 1, "  ended     ended by signal 11 after "),
        (
            &["--timeout", "1"],
            "case $ROCM_PATH in *) sleep 60 ;; esac",
            10,
            "(stopped after 1 s, which counts as bad after 1.",
        ),
        (
            &["--repeat", "2"],
            "if [ -e odd ]; then rm odd; else touch odd; exit 1; fi",
            10,
            "error: a version is answered differently each time",
        ),
        (
            &["--confirm"],
            "n=$(cat count); echo $((n + 1)) > count; case $n in 1) exit 0 ;; esac; exit 1",
            10,
            "error: a version is answered differently each time",
        ),
    ] {
        project.write("count", "0\n");
        let _ = std::fs::remove_file(project.path("odd"));
        let ran = run(options, script).code(code);
        assert!(ran.stderr.contains(said), "{script}: {}", ran.all());
    }
    // Exit code 125 skips; so nothing between the ends can be told.
    let ran = run(&[], "exit 125").code(10);
    assert!(
        ran.stdout.contains(&format!("found rocm: one of {SECOND}, 10.2.0a20261120 is the first bad version\n")),
        "{}",
        ran.all()
    );
}

#[test]
fn what_cannot_be_bisected_is_told() {
    let project = Project::realized(&[FIRST]);
    let commits = project.upstream().llama().unwrap().commits;
    with_llama(&project, &commits[5]);
    let manifest = project.read("manifests/strix.toml").replace(FIRST, SECOND);
    project.write("manifests/strix.toml", &manifest);
    project.run(&["update"]).code(0);
    for (words, code, said) in [
        (["bisect", "rcom", "run", "x"].as_slice(), 9, "the lock has no input `rcom`\nhint: did you mean `rocm`?"),
        (&["bisect", "rocm"], 2, "inputs, ends and outputs are named where a bisect begins"),
        (&["bisect", "rocm", "run"], 2, "required arguments were not provided"),
        (&["bisect", "rocm", "--good", SECOND, "run", "x"], 2, "the good version and the bad one are the same"),
        (&["bisect", "rocm", "--good", "10.2.0a20261120", "run", "x"], 2, "the good version is newer than the bad one"),
        (&["bisect", "rocm", "--good", "last-week", "run", "x"], 2, "unknown version `last-week`"),
        (&["bisect", "rocm", "--good", "2020-01-01", "run", "x"], 9, "there is no build of 2020-01-01 or before"),
        (&["bisect", "rocm", "--good", "7", "run", "x"], 9, "there is no generation 7"),
        (&["bisect", "llama-cpp", "run", "x"], 2, "the good end is not known"),
        (&["bisect", "llama-cpp", "--good", "b77", "run", "x"], 9, "the repository has no tag b77"),
        (&["bisect", "--good", "2026-09-01", "run", "x"], 2, "--good 2026-09-01 does not say which input it is of"),
        (&["bisect", "llama-cpp", "--good", &commits[7], "run", "x"], 2, "the good version is newer than the bad one"),
        (&["bisect", "rocm", "--output", "rcom", "run", "x"], 9, "the lock has no output `rcom`"),
        (&["bisect", "rocm", "validate", "--history"], 2, "--history and --against run no validation"),
        (&["bisect", "rocm", "validate", "--quik"], 2, "unexpected argument '--quik' found"),
        (&["bisect", "good"], 9, "no bisect is under way"),
        (&["bisect", "rocm", "run", "no-such-program"], 9, "the command cannot be started"),
        (&["bisect", "rocm", "run", "other"], 2, "another bisect is under way"),
    ] {
        let ran = project.run(words).code(code);
        assert!(ran.stderr.contains(said), "{words:?}: {}", ran.all());
    }
    assert!(files(Path::new(&project.path("bisect"))).iter().all(|path| !path.ends_with("report.md")));
}
