//! Ctrl-C, and outputs that nobody reads.

use std::process::Stdio;

use strixlock_demo::{Fault, Nightly};

use super::{TARBALL, Terminal, command, logged};
use crate::support::{FIRST, Project};

const SIGINT: i32 = 2;

#[test]
fn an_interrupted_download_says_what_is_kept_and_goes_on_there() {
    let project = Project::empty();
    project.upstream().publish(strixlock_demo::Generation::Streams, &Nightly::new(FIRST).payload(3_000_000));
    project.rocm_manifest(FIRST);
    let server = project.upstream().server();
    server.fault(TARBALL, Fault::Throttle { bytes_per_second: 500_000 });
    let mut terminal = Terminal::run(&command(&project, &["update"]), 80);
    terminal.until("kB of 3.");
    terminal.type_in(b"\x03");
    let ended = terminal.end().signal(SIGINT);
    let screen = ended.screen();
    let last = screen.last().unwrap();
    assert!(last.starts_with("interrupted; run the command again to continue (kept: "), "{screen:#?}");
    assert!(last.ends_with("B of rocm)"), "{screen:#?}");
    assert!(screen.iter().all(|line| !line.contains("fetching")), "{screen:#?}");
    server.heal_all();
    let ran = logged(&project, &["update"]).code(0);
    assert!(ran.stderr.contains(" of it now, "), "{}", ran.all());
}

#[test]
fn an_interrupted_build_ends_with_its_children() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    let mut terminal = Terminal::run(&command(&project, &["realize", "llama"]), 80);
    terminal.until("  compile ");
    terminal.type_in(b"\x03");
    let ended = terminal.end().signal(SIGINT);
    let screen = ended.screen();
    assert_eq!(screen.last().unwrap(), "interrupted; run the command again to continue", "{screen:#?}");
    assert!(!ended.text().contains("error:"), "{screen:#?}");
    project.run(&["realize", "llama"]).code(0);
}

#[test]
fn an_interrupted_validation_leaves_no_bar_and_says_what_to_do() {
    let project = Project::new();
    project.full_manifest(FIRST);
    crate::validate::add_model(&project, "model", strixlock_demo::gguf_maker::Shape::default());
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    for columns in [60, 80, 200] {
        let mut terminal = Terminal::run(&command(&project, &["validate", "--device", "cpu"]), columns);
        terminal.until("validating the outputs");
        terminal.type_in(b"\x03");
        let screen = terminal.end().signal(SIGINT).screen();
        assert_eq!(screen.last().unwrap(), "interrupted; run the command again to continue", "{screen:#?}");
        assert!(screen.iter().all(|line| !line.contains("validating")), "{screen:#?}");
    }
    project.run(&["validate", "--device", "cpu"]).code(0);
}

#[test]
fn a_signal_that_the_caller_ignores_stays_ignored() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    let update = command(&project, &["update"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' INT; \"$0\" update & kill -INT $!; wait $!"]).arg(update.get_program());
    shell.env_clear().envs(update.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = project.finish(shell.current_dir(project.path("")).output().unwrap()).code(0);
    assert!(!ran.stderr.contains("interrupted"), "{}", ran.all());
}

#[test]
fn outputs_that_are_closed_are_no_panic() {
    let project = Project::new();
    project.rocm_manifest(FIRST);
    for (redirected, code) in [("2>&-", 0), ("2>&- >&-", 0), ("2>/dev/full", 0), (">/dev/full", 1)] {
        let update = command(&project, &[]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("\"$0\" update {redirected}")]).arg(update.get_program());
        shell.env_clear().envs(update.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = project.finish(shell.current_dir(project.path("")).output().unwrap());
        assert_eq!(ran.code, code, "{redirected}: {}", ran.all());
        assert!(!ran.stderr.contains("panicked"), "{redirected}: {}", ran.all());
    }
    // A reader that goes away.
    for arguments in [&["update"] as &[&str], &["frobnicate"], &["--help"]] {
        let mut child = command(&project, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let status = child.wait().unwrap();
        assert!(matches!(status.code(), Some(0 | 2)), "{arguments:?}: {status}");
    }
}
