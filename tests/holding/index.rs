//! Indexes and branches that are not what they were: shrunk, gone back, ahead of the day, far too long.

use std::process::Command;

use strixlock_demo::http::{Body, Incoming, Response};
use strixlock_demo::{Calendar, Generation, Nightly};

use super::{NEWEST, OLDER, THIRD, YESTERDAY, manifest, pin, run, season, version};
use crate::support::{Project, REQUIRES};

fn withdraw(project: &Project, ages: &[i64]) {
    let season = Calendar::season();
    for age in ages {
        let (generation, nightly) = season.of_age(*age).unwrap();
        project.upstream().withdraw(*generation, &nightly.file_name());
    }
}

#[test]
fn an_index_that_goes_back_is_refused_until_somebody_allows_it() {
    let project = season();
    manifest(&project, "latest", "");
    run(&project, &["update"]).code(0);
    let before = project.lock();
    withdraw(&project, &[0, 1]);
    insta::assert_snapshot!(run(&project, &["update"]).all(), @r"
    exit code 5
    --- stderr
    error: rocm: the index has gone back: it lists no build as new as one that was locked
      locked         10.2.0a20261130
      newest listed  10.2.0a20261127
      index          [UPSTREAM]/rocm/core/tarball/
    hint: upstream withdrew a build, or an old copy of the index answered: `strixlock update rocm --allow-downgrade` goes back, `strixlock freeze rocm` stays
    ");
    assert_eq!(project.lock(), before);
    let ran = run(&project, &["outdated"]).code(0);
    assert!(ran.stdout.contains(&format!("{NEWEST} is newer than everything in the index")), "{}", ran.all());
    // Both ways out of the hint.
    run(&project, &["freeze", "rocm"]).code(0);
    run(&project, &["update"]).code(0);
    run(&project, &["thaw", "rocm"]).code(0);
    let ran = run(&project, &["update", "rocm", "--allow-downgrade"]).code(0);
    assert!(ran.stdout.starts_with(&format!("rocm {NEWEST} -> {THIRD} (downgrade)\n")), "{}", ran.all());
    assert_eq!(pin(&project, "newest_seen"), serde_json::Value::Null, "from here on, this is the newest");
    run(&project, &["update"]).code(0);
    assert_eq!(version(&project), THIRD);
}

/// The lock remembers the newest version where somebody went back on purpose, so that a clone has it too.
#[test]
fn the_newest_version_that_was_locked_is_remembered_by_the_lock() {
    let project = season();
    manifest(&project, "latest", "");
    run(&project, &["update"]).code(0);
    run(&project, &["update", "rocm", "--to", OLDER]).code(0);
    withdraw(&project, &[0]);
    let ran = run(&project, &["update"]).code(5);
    for fact in [("locked", OLDER), ("before", NEWEST), ("newest listed", YESTERDAY)] {
        assert!(ran.stderr.contains(&format!("  {:<13}  {}\n", fact.0, fact.1)), "{}", ran.all());
    }
    run(&project, &["update", "--allow-downgrade"]).code(0);
    assert_eq!(version(&project), YESTERDAY);
}

#[test]
fn a_locked_build_that_is_not_listed_any_more_is_told() {
    let project = season();
    manifest(&project, "latest", "");
    run(&project, &["update", "rocm", "--to", OLDER]).code(0);
    withdraw(&project, &[13]);
    let ran = run(&project, &["update", "--dry-run"]).code(0);
    let says = format!("rocm: {OLDER} is locked and not listed any more, though older builds are: upstream may have");
    assert!(ran.stderr.contains(&says) && ran.stdout.contains(NEWEST), "{}", ran.all());
}

#[test]
fn a_build_of_a_day_to_come_is_passed_over() {
    let project = season();
    project.upstream().publish(Generation::Streams, &Nightly::new("10.3.0a20270101"));
    manifest(&project, "latest", "");
    let ran = run(&project, &["update"]).code(0);
    let says = "rocm: passed over 10.3.0a20270101: of a day to come, since today is 2026-11-30\n";
    assert!(ran.stderr.contains(says), "{}", ran.all());
    assert_eq!(version(&project), NEWEST);
}

#[test]
fn an_index_of_a_hundred_megabytes_is_not_read_to_its_end() {
    let project = season();
    let server = project.upstream().server();
    server.handle("/huge/", |_: &Incoming| {
        let page = |out: &mut dyn std::io::Write| {
            out.write_all(b"<script>const files = [")?;
            (0..100).try_for_each(|_| out.write_all(&vec![b' '; 1 << 20]))
        };
        Response { status: 200, headers: Vec::new(), body: Body::Stream(Box::new(page)) }
    });
    let input = crate::support::rocm_input(&server.url("/huge/"), "latest");
    project.write("manifests/strix.toml", &format!("{REQUIRES}{input}"));
    insta::assert_snapshot!(run(&project, &["update"]).all(), @r"
    exit code 5
    --- stderr
    error: rocm: the document is too long
      url    [UPSTREAM]/huge/
      limit  16777216 bytes
    ");
    let huge = server.log().into_iter().filter(|request| request.path == "/huge/");
    let sent: u64 = huge.map(|request| request.bytes_sent).sum();
    assert!(sent < 64 << 20, "{sent}");
}

/// The present index is asked for the newest; a name that a family was given there is told.
#[test]
fn an_index_that_moved_and_a_family_that_was_renamed_hold_nobody_back() {
    let renamed = Project::season(&Calendar::season().renamed_from(38, "gfx115X-all"));
    for (project, newest, told) in [(season(), NEWEST, None), (renamed, THIRD, Some("gfx115X-all-10.2.0a20261130"))] {
        let indexes = [Generation::MultiArch, Generation::Streams].map(|one| project.upstream().index_url(one));
        let input = crate::support::rocm_input(&indexes.join("\", \""), "latest");
        project.write("manifests/strix.toml", &format!("{REQUIRES}{input}"));
        let ran = run(&project, &["update", "--dry-run"]).code(0);
        assert!(ran.stdout.starts_with(&format!("rocm {newest}\n")), "{}", ran.all());
        let says =
            told.map(|name| format!("therock-dist-linux-{name}.tar.gz is 3 days newer, and gfx115X-all may cover"));
        assert_eq!(ran.stderr.is_empty(), says.is_none(), "{}", ran.all());
        assert!(says.is_none_or(|says| ran.stderr.contains(&says)), "{}", ran.all());
    }
    // A neighbour's old name has nothing new.
    let project = season();
    let index = project.upstream().index_url(Generation::Streams);
    let ran = run(&project, &["list", "rocm", "--source", &index, "-t", "gfx110X-dgpu"]).code(0);
    assert!(ran.stderr.contains("may be failing, or its family be renamed"), "{}", ran.all());
}

#[test]
fn a_branch_that_goes_back_is_refused_and_one_that_is_rewritten_is_told() {
    let project = Project::empty();
    let repository = project.upstream().llama_repository();
    let git = |arguments: &[&str]| {
        let ran = Command::new("git").arg("-C").arg(&repository).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    let url = project.upstream().git_url();
    project.write("manifests/strix.toml", &format!("{REQUIRES}[inputs.llama]\ntype = \"git\"\nurl = \"{url}\"\n"));
    project.run(&["update"]).code(0);
    let (before, head) = (project.lock(), git(&["rev-parse", "master"]));
    let back = git(&["rev-parse", "master~2"]);
    git(&["update-ref", "refs/heads/master", &back]);
    for store in ["main", "other"] {
        let ran = project.run_in_store(store, &["update"]).code(5);
        assert!(
            ran.stderr.contains("error: llama: the branch has gone back: it ends before the locked commit\n"),
            "{}",
            ran.all()
        );
        assert!(ran.stderr.contains(&format!("  locked  b8 {head}\n  found   b6 {back}\n")), "{}", ran.all());
        assert_eq!(project.lock(), before);
    }
    let ran = project.run(&["update", "llama", "--allow-downgrade"]).code(0);
    assert!(ran.stdout.starts_with("llama b8 -> b6 (downgrade)\n"), "{}", ran.all());

    // Another history, which is longer than the locked one.
    git(&["update-ref", "refs/heads/master", &head]);
    project.run(&["update"]).code(0);
    let mut tip = git(&["rev-parse", "master~1"]);
    for subject in ["one", "two"] {
        let tree = git(&["rev-parse", &format!("{tip}^{{tree}}")]);
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        tip = git(&[&identity[..], &["commit-tree", "-p", &tip, "-m", subject, &tree]].concat());
    }
    git(&["update-ref", "refs/heads/master", &tip]);
    let ran = project.run(&["update"]).code(0);
    let says = "llama: refs/heads/master was rewritten: it has lost 1 commit of the locked history\n";
    assert!(ran.stderr.contains(says), "{}", ran.all());
}
