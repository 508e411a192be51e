//! Progress: what a user sees while something happens, on terminals and in logs.

mod colour;
mod interrupted;
mod terminal;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strixlock_demo::http::{Incoming, Response};
use strixlock_demo::{Fault, Generation};

use crate::support::{FIRST, Project, REQUIRES, Ran, SECOND};
use terminal::Terminal;

const TARBALL: &str = "/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz";

/// A command that reports progress.
fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.env_remove("STRIXLOCK_NO_PROGRESS");
    command
}

/// Runs a command whose output goes to pipes.
fn logged(project: &Project, arguments: &[&str]) -> Ran {
    project.finish(command(project, arguments).output().unwrap())
}

/// A project with ROCm alone.
fn project() -> Project {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    project
}

/// Index pages that nobody gets before they are let go, at `/hold/NUMBER/`.
struct Held(Arc<AtomicBool>);

impl Held {
    fn new(project: &Project, numbers: &[u32]) -> Self {
        let free = Arc::new(AtomicBool::new(false));
        let held = Arc::clone(&free);
        let server = project.upstream().server();
        let page = server.url(Generation::Streams.path());
        server.handle("/hold/", move |_: &Incoming| {
            while !held.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            Response::text(302, "").header("Location", &page)
        });
        let sources: Vec<String> = numbers.iter().map(|number| server.url(&format!("/hold/{number}/"))).collect();
        project.write(
            "manifests/strix.toml",
            &format!(
                "{REQUIRES}[inputs.rocm]\ntype = \"rocm\"\ntarget = \"gfx1151\"\nversion = \"{FIRST}\"\n\
                 sources = {sources:?}\n\n[outputs.rocm]\ntype = \"rocm\"\n"
            ),
        );
        Self(free)
    }

    fn let_go(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[test]
fn servers_are_named_before_they_answer_and_asked_side_by_side() {
    let project = project();
    let held = Held::new(&project, &[1, 2]);
    let mut terminal = Terminal::run(&command(&project, &["update"]), 80);
    let host = project.upstream().server().address();
    terminal.until(&format!("asking {host} (1 of 2)"));
    terminal.until(&format!("asking {host} (2 of 2)"));
    held.let_go();
    let ended = terminal.end().code(0);
    assert!(ended.text().contains("fetched rocm "), "{}", ended.text());
}

#[test]
fn an_index_that_never_answers_is_asked_twice() {
    let project = project();
    let _held = Held::new(&project, &[1]);
    project.write("strixlock.toml", "window-seconds = 1\n");
    let ran = logged(&project, &["update"]).code(8);
    assert_eq!(project.upstream().server().log().len(), 2);
    assert!(ran.stderr.contains("error: rocm: the server did not answer in time\n"), "{}", ran.all());
    assert!(ran.stderr.contains("  tried  2 times in 0:0"), "{}", ran.all());
    let host = project.upstream().server().address();
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("asking ")).collect();
    assert_eq!(told[0], format!("asking {host}"));
    assert!(told[1].starts_with(&format!("asking {host}: retry 1 of 1 in 1 s: operation timed out")), "{}", ran.all());
}

#[test]
fn finished_lines_stay_and_nothing_else_does() {
    let project = Project::new();
    project.full_manifest(FIRST);
    for columns in [200, 80, 20, 0] {
        let mut update = command(&project, &["update"]);
        update.env("STRIXLOCK_STORE", project.store(&columns.to_string()));
        std::fs::remove_file(project.path("lock/strix.lock")).ok();
        let screen = Terminal::run(&update, columns).end().code(0).screen();
        let begins = |words: &str| screen.iter().filter(|line| line.starts_with(words)).count();
        for words in ["fetched rocm ", "fetched llama-cpp ", "in all "] {
            assert_eq!(begins(words), 1, "{columns}: {screen:#?}");
        }
        let left = |line: &&String| ["asking", "fetching", "unpacking"].iter().any(|verb| line.contains(verb));
        assert_eq!(screen.iter().find(left), None, "{columns}: {screen:#?}");
    }
}

#[test]
fn a_log_has_the_beginning_and_the_end_of_each_step_and_no_escapes() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let ran = logged(&project, &["update", "--json"]).code(0);
    ran.json();
    let host = project.upstream().server().address();
    let lines = ran.stderr.lines().filter(|line| *line == format!("asking {host}")).count();
    assert_eq!(lines, 1, "{}", ran.all());
    for begin in ["fetching rocm\n", "fetched rocm ", "fetching llama-cpp\n", "fetched llama-cpp ", "in all "] {
        assert!(format!("\n{}", ran.stderr).contains(&format!("\n{begin}")), "{begin}: {}", ran.all());
    }
    let fetched = ran.stderr.lines().find(|line| line.starts_with("fetched llama-cpp ")).unwrap();
    assert!(fetched.contains(" objects, ") && fetched.contains(" in "), "{fetched}");
    assert!(!ran.all().contains('\x1b'), "{}", ran.all());
}

#[test]
fn a_build_tells_its_phases_and_remembers_its_time() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let ran = logged(&project, &["realize"]).code(0);
    let said: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("building llama") || line.starts_with("built llama"))
        .collect();
    let begins = ["building llama", "building llama: configure", "building llama: compile", "building llama: install"];
    assert_eq!(said.len(), 5, "{said:#?}");
    for (line, begin) in said.iter().zip(begins) {
        assert!(line.starts_with(begin), "{said:#?}");
    }
    assert!(said[4].starts_with("built llama in "), "{said:#?}");
    assert!(!ran.stderr.contains(" left"), "nothing is known of the first build: {}", ran.all());
    assert!(ran.stderr.contains("\nbuilt runtime in ") && ran.stderr.contains("2 outputs built in "), "{}", ran.all());
    let about = project.run(&["log", "llama", "--about", "--json"]).code(0).json();
    assert!(about["about"]["seconds"].as_u64().unwrap() > 0, "{about}");
    // Another commit by the same recipe takes about as long.
    project.upstream().add_llama_commit().unwrap();
    project.run(&["update"]).code(0);
    let ran = logged(&project, &["realize"]).code(0);
    let configure = ran.stderr.lines().find(|line| line.starts_with("building llama: configure")).unwrap();
    assert!(configure.contains("about 0:") && configure.contains(" left"), "{}", ran.all());
}

#[test]
fn pauses_are_told_with_their_reason() {
    let project = project();
    project.upstream().server().fault(TARBALL, Fault::status(503, 1));
    let ran = logged(&project, &["update"]).code(0);
    assert!(ran.stderr.contains("fetching rocm: retry 1 of 4 in 1 s: the server answered 503"), "{}", ran.all());
}

#[test]
fn log_lines_and_progress_leave_each_other_whole() {
    let project = project();
    project.upstream().server().fault(TARBALL, Fault::Throttle { bytes_per_second: 300_000 });
    let screen = Terminal::run(&command(&project, &["-vv", "update"]), 100).end().code(0).screen();
    assert!(screen.iter().any(|line| line.starts_with("DEBUG fetch: GET ")), "{screen:#?}");
    assert!(screen.iter().any(|line| line.starts_with("fetched rocm ")), "{screen:#?}");
    assert!(screen.iter().all(|line| !line.contains("fetching")), "{screen:#?}");
}

#[test]
fn a_program_that_asks_the_user_has_the_terminal() {
    let project = Project::new();
    let asked = project.path("asked");
    let script = format!(
        "#!/bin/sh\nif [ -e {asked} ]; then word=Again; else word=Password; fi\ntouch {asked}\n\
         printf '%s: ' $word > /dev/tty\nread answer < /dev/tty\nfor last; do :; done\nexec sh -c \"$last\"\n",
        asked = asked.display()
    );
    let ssh = project.program("ssh", &script);
    let repository = project.upstream().llama_repository();
    let url = format!("git@h.example:{}", repository.display());
    project.write("manifests/strix.toml", &format!("{REQUIRES}[inputs.source]\ntype = \"git\"\nurl = \"{url}\"\n"));
    let mut update = command(&project, &["update"]);
    update.env("GIT_SSH", ssh).env("GIT_SSH_VARIANT", "simple");
    let mut terminal = Terminal::run(&update, 80);
    terminal.until("Password: ");
    terminal.type_in(b"one\n");
    terminal.until("Again: ");
    terminal.type_in(b"two\n");
    let screen = terminal.end().code(0).screen();
    for line in ["asking git@h.example with ssh", "Password: one", "Again: two"] {
        assert!(screen.iter().any(|shown| shown == line), "{line}: {screen:#?}");
    }
}

#[test]
fn progress_is_hidden_where_nobody_wants_it() {
    let project = project();
    for arguments in [["update", "--no-progress"], ["update", "--quiet"]] {
        assert_eq!(logged(&project, &arguments).code(0).stderr, "", "{arguments:?}");
    }
    let mut hidden = command(&project, &["update", "--no-progress"]);
    hidden.env("STRIXLOCK_STORE", project.store("other"));
    assert!(!Terminal::run(&hidden, 80).end().code(0).raw.contains("fetch"));
    project.rocm_manifest(SECOND);
    let mut shown = command(&project, &["update"]);
    shown.env("STRIXLOCK_NO_PROGRESS", "0");
    assert!(project.finish(shown.output().unwrap()).code(0).stderr.contains("fetched rocm "));
}
