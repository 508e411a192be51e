//! Holding back: `freeze` and `thaw`, `update --to`, `min-age`, `deny` and ranges, over a season of nightlies.

mod index;

use strixlock_demo::{Calendar, Generation};

use crate::support::{Project, REQUIRES, Ran, rocm_input};

/// The last day of the season.
const TODAY: &str = "2026-11-30";
/// Its newest builds: of today, of yesterday, three days and thirteen days old.
const NEWEST: &str = "10.2.0a20261130";
const YESTERDAY: &str = "10.2.0a20261129";
const THIRD: &str = "10.2.0a20261127";
const OLDER: &str = "10.2.0a20261117";

fn season() -> Project {
    Project::season(&Calendar::season())
}

/// Writes a manifest with these fields of the input.
fn manifest(project: &Project, version: &str, fields: &str) {
    let input = rocm_input(&project.index(), version).replace("target = ", &format!("{fields}\ntarget = "));
    project.write("manifests/strix.toml", &format!("{REQUIRES}# Ours\n{input}"));
}

fn on(project: &Project, day: &str, arguments: &[&str]) -> Ran {
    let mut command = project.command(arguments);
    project.finish(command.env("STRIXLOCK_NOW", day).output().unwrap())
}

fn run(project: &Project, arguments: &[&str]) -> Ran {
    on(project, TODAY, arguments)
}

/// Returns a field of the pin.
fn pin(project: &Project, field: &str) -> serde_json::Value {
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["rocm"]["locked"][field].clone()
}

fn version(project: &Project) -> String {
    pin(project, "version").as_str().unwrap().to_owned()
}

#[test]
fn a_frozen_input_stays_and_everybody_is_told_until_when_and_why() {
    let project = season();
    manifest(&project, "latest", "");
    run(&project, &["update", "rocm", "--to", OLDER]).code(0);
    let (before, lock) = (project.read("manifests/strix.toml"), project.lock());
    let ran = run(&project, &["freeze", "rocm", "--until", "2026-12-24", "--why", "1124 crashes"]).code(0);
    assert_eq!(ran.stdout, format!("rocm is frozen until 2026-12-24 at {OLDER}\n"));
    let line = "frozen = { until = \"2026-12-24\", why = \"1124 crashes\" }\n";
    let manifest = project.read("manifests/strix.toml");
    assert_eq!(manifest.replace(line, ""), before);
    assert!(manifest.contains(line), "{manifest}");

    insta::assert_snapshot!(run(&project, &["update"]).all(), @r"
    exit code 0
    --- stdout
    rocm stays at 10.2.0a20261117, frozen until 2026-12-24: 1124 crashes
    lock/strix.lock is up to date
    ");
    run(&project, &["update", "--locked"]).code(0);
    let json = run(&project, &["update", "--json"]).code(0).json();
    let frozen = serde_json::json!({
        "input": "rocm", "version": OLDER, "until": "2026-12-24", "why": "1124 crashes",
    });
    assert_eq!(json["frozen"], serde_json::json!([frozen]));
    assert_eq!(project.lock(), lock);
    for arguments in [&["update", "rocm"][..], &["update", "rocm", "--to", NEWEST]] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(run(&project, arguments).all(), @r"
            exit code 2
            --- stderr
            error: rocm: this input is frozen, so `update` does not move it
              manifest  frozen until 2026-12-24: 1124 crashes
            hint: `strixlock thaw rocm` lets it move again
            ");
        }
    }
    let status = run(&project, &["status"]).code(0);
    assert!(status.stdout.contains("rocm is frozen until 2026-12-24: 1124 crashes\n"), "{}", status.all());
    let outdated = run(&project, &["outdated", "--check"]).code(0);
    assert!(outdated.stdout.contains(NEWEST), "{}", outdated.all());
    assert!(outdated.stdout.contains("\n  rocm is frozen until 2026-12-24: 1124 crashes\n"), "{}", outdated.all());

    // Asking for something else is a contradiction, which nobody resolves silently.
    project.write("manifests/strix.toml", &manifest.replace("\"latest\"", "\">=10.2.dev0\""));
    let ran = run(&project, &["update"]).code(3);
    assert!(ran.stderr.contains("this input is frozen, and the manifest asks for something else now"), "{}", ran.all());
    project.write("manifests/strix.toml", &manifest);

    let ended = on(&project, "2026-12-24", &["update", "--dry-run"]).code(0);
    let note = "rocm: its freeze has ended (frozen until 2026-12-24: 1124 crashes): `strixlock thaw rocm` removes it";
    assert!(ended.stderr.contains(note) && ended.stdout.contains(NEWEST), "{}", ended.all());
    let ran = run(&project, &["thaw", "rocm"]).code(0);
    assert_eq!(ran.stdout, "rocm was frozen until 2026-12-24: 1124 crashes\nnext: strixlock update rocm\n");
    assert_eq!(project.read("manifests/strix.toml"), before);
    assert_eq!(run(&project, &["thaw", "rocm"]).code(0).stdout, "rocm is not frozen\n");
    run(&project, &["update"]).code(0);
    assert_eq!(version(&project), NEWEST);
}

#[test]
fn what_cannot_be_frozen_is_refused_and_leaves_the_manifest_alone() {
    let project = season();
    manifest(&project, "latest", "");
    let before = project.read("manifests/strix.toml");
    for (arguments, code, says) in [
        (&["freeze", "rcom"][..], 9, "did you mean `rocm`?"),
        (&["thaw", "rcom"], 9, "the manifest has no input `rcom`"),
        (&["freeze", "rocm", "--until", TODAY], 2, "the day of `--until` is not in the future"),
        (&["freeze", "rocm", "--until", "soon"], 2, "invalid value 'soon'"),
        (&["freeze", "rocm", "--why", "a\nb"], 2, "expected one line"),
        (&["freeze", "rocm", "--why", " "], 2, "expected a reason"),
    ] {
        let ran = run(&project, arguments).code(code);
        assert!(ran.stderr.contains(says), "{}", ran.all());
    }
    assert_eq!(project.read("manifests/strix.toml"), before);
    // Nothing is locked yet: the first update pins the input, and then it stays.
    let ran = run(&project, &["freeze", "rocm"]).code(0);
    let first = "it is not locked yet: the first `strixlock update` pins it, and it stays there";
    assert_eq!(ran.stdout, format!("rocm is frozen\n{first}\n"));
    run(&project, &["update"]).code(0);
    assert_eq!(version(&project), NEWEST);
    assert_eq!(run(&project, &["freeze", "rocm", "--json"]).code(0).json()["changed"], false);
    for (field, says) in [
        ("frozen = true", "`frozen` must be a table"),
        ("frozen = { until = \"tomorrow\" }", "invalid day in `until`"),
        ("frozen = { reason = \"x\" }", "unknown field `reason`"),
    ] {
        manifest(&project, "latest", field);
        let ran = run(&project, &["status"]).code(3);
        assert!(ran.stderr.contains(says), "{}", ran.all());
    }
}

#[test]
fn one_version_is_taken_once_and_the_next_update_goes_on() {
    let project = season();
    manifest(&project, "latest", "");
    run(&project, &["update"]).code(0);
    let ran = run(&project, &["update", "rocm", "--to", OLDER]).code(0);
    assert!(ran.stdout.starts_with(&format!("rocm {NEWEST} -> {OLDER} (downgrade)\n")), "{}", ran.all());
    // The manifest asks for the newest as before, and the lock is up to date with it.
    run(&project, &["status", "--check"]).code(0);
    assert_eq!((version(&project).as_str(), pin(&project, "newest_seen")), (OLDER, NEWEST.into()));
    assert_eq!(run(&project, &["update", "rocm", "--to", OLDER]).code(0).stdout, "lock/strix.lock is up to date\n");
    run(&project, &["update"]).code(0);
    assert_eq!((version(&project).as_str(), pin(&project, "newest_seen")), (NEWEST, serde_json::Value::Null));

    manifest(&project, ">=10.2.0a20261120", "");
    for (arguments, code, says) in [
        (&["update", "rocm", "--to", OLDER][..], 2, "the manifest does not allow this version"),
        (&["update", "rocm", "--to", "10.2.0a20261128"], 9, "no gfx1151 build has version 10.2.0a20261128"),
        (&["update", "rocm", "--to", "newest"], 2, "--to: invalid ROCm version `newest`"),
        (&["update", "--to", OLDER], 2, "required arguments were not provided"),
    ] {
        let ran = run(&project, arguments).code(code);
        assert!(ran.stderr.contains(says), "{}", ran.all());
    }
    assert_eq!(version(&project), NEWEST);
}

#[test]
fn a_build_must_have_its_age_and_nobody_goes_back_for_it() {
    let project = season();
    manifest(&project, "latest", "min-age = \"2d\"");
    let ran = run(&project, &["update"]).code(0);
    let passed = format!("warning: rocm: passed over 2 builds, such as {NEWEST}: younger than 2d (`min-age`)\n");
    assert!(ran.stderr.contains(&passed), "{}", ran.all());
    assert_eq!(version(&project), THIRD);
    assert!(project.lock().contains("\"min_age\": \"2d\""), "{}", project.lock());
    let before = project.lock();
    run(&project, &["update"]).code(0);
    assert_eq!(project.lock(), before);
    on(&project, "2026-12-02", &["update"]).code(0);
    assert_eq!(version(&project), NEWEST);
    // Younger than what is asked for now, and already here.
    manifest(&project, "latest", "min-age = \"1w\"");
    run(&project, &["update"]).code(0);
    assert_eq!(version(&project), NEWEST);
    // Whoever names a version has chosen it.
    manifest(&project, YESTERDAY, "min-age = \"1w\"");
    run(&project, &["update"]).code(0);
    assert_eq!(version(&project), YESTERDAY);
    manifest(&project, ">=10.2.0a20261128", "min-age = \"1w\"");
    let ran = run(&project, &["update"]).code(9);
    assert!(ran.stderr.contains("every build that the manifest allows is passed over"), "{}", ran.all());
    manifest(&project, "latest", "min-age = \"2 days\"");
    assert!(run(&project, &["update"]).code(3).stderr.contains("invalid age `2 days`"));
}

#[test]
fn denied_versions_are_passed_over_for_their_reasons() {
    let project = season();
    manifest(&project, "latest", "");
    run(&project, &["update"]).code(0);
    let range = ">=10.2.0a20261128,<10.2.0a20261130";
    let deny = format!(
        "deny = [{{ version = \"{NEWEST}\", why = \"hangs\" }}, {{ version = \"{range}\", why = \"see 17\" }}]"
    );
    manifest(&project, "latest", &deny);
    let ran = run(&project, &["update"]).code(0);
    assert!(ran.stdout.starts_with(&format!("rocm {NEWEST} -> {THIRD} (downgrade)\n")), "{}", ran.all());
    for (version, why) in [(NEWEST, "hangs"), (YESTERDAY, "see 17")] {
        let line = format!("warning: rocm: passed over {version}: denied by the manifest: {why}\n");
        assert!(ran.stderr.contains(&line), "{}", ran.all());
    }
    // A build that is denied was not lost when upstream withdraws it.
    let newest = Calendar::season().of_age(0).unwrap().1.file_name();
    project.upstream().withdraw(Generation::Streams, &newest);
    run(&project, &["update"]).code(0);
    let ran = run(&project, &["update", "rocm", "--to", YESTERDAY]).code(2);
    assert!(ran.stderr.contains(&format!("{YESTERDAY} is denied by the manifest: see 17")), "{}", ran.all());
    manifest(&project, YESTERDAY, &deny);
    let ran = run(&project, &["update"]).code(3);
    assert!(ran.stderr.contains(&format!("`version` asks for {YESTERDAY}, which is denied")), "{}", ran.all());
    assert_eq!(version(&project), THIRD);
}

#[test]
fn a_range_holds_an_input_between_its_ends() {
    let project = season();
    for (range, expected) in [
        ("==10.1.*", "10.1.0a20260910"),
        (">=10.1.dev0,<10.2.0a20260920", "10.2.0a20260916"),
        ("!=10.2.0a20261130", YESTERDAY),
    ] {
        manifest(&project, range, "");
        run(&project, &["update"]).code(0);
        assert_eq!(version(&project), expected, "{range}");
    }
}
