//! Tables on terminals of several widths.

use std::process::Command;

use crate::support::{FIRST, Project};

/// Runs a command on a terminal with so many columns. Returns the lines, without styles.
fn on_terminal(project: &Project, columns: u16, arguments: &[&str]) -> Vec<String> {
    let inner = project.command(arguments);
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let script = format!("stty cols {columns} rows 24; exec {}", words.join(" "));
    let mut outer = Command::new("script");
    outer.args(["-qec", &script, "/dev/null"]).current_dir(project.path("")).env_clear().env("SHELL", "/bin/sh");
    outer.env("TERM", "xterm").envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = outer.stdin(std::process::Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().map(plain).collect()
}

/// Removes escape sequences such as those of colours.
fn plain(line: &str) -> String {
    let mut parts = line.trim_end_matches('\r').split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn tables_fit_terminals_of_20_60_80_and_200_columns() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    let index = project.index();
    for columns in [20, 60, 80, 200] {
        for arguments in [
            ["generations", "--outputs"].as_slice(),
            &["generations", "--all"],
            &["store"],
            &["lock", "show"],
            &["lock", "show", "rocm"],
            &["list", "rocm", "--source", &index],
            &["realize", "--dry-run"],
            &["runtime", "--explain"],
            &["diff", "1", "1"],
        ] {
            let lines = on_terminal(&project, columns, arguments);
            assert!(!lines.is_empty());
            for line in lines {
                // Sentences beside a table are left to the terminal.
                let sentences = ["downloads ", "generations 1 and 1", "warning: "];
                let is_sentence = sentences.iter().any(|begin| line.starts_with(begin));
                let fits = line.chars().count() <= columns.into();
                assert!(fits || is_sentence, "{columns} columns: {arguments:?}: {line}");
                assert_eq!(line, line.trim_end(), "{arguments:?}");
            }
        }
    }
    // With room, nothing is cut; with less, paths lose their middle and numbers stay.
    let of = |columns| on_terminal(&project, columns, &["list", "rocm", "--source", &index]).join("\n");
    assert!(of(200).contains("/rocm/core/tarball/therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz"), "{}", of(200));
    assert!(of(80).contains('…') && of(80).contains("*  10.1.0a20260901  "), "{}", of(80));
}
