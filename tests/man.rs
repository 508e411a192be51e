//! Manual pages, as `man` shows them.

use std::fs::File;
use std::process::{Command, Output};

use crate::support::{Project, files};

/// Formats a page. It is read from standard input, since `man` as root reads files as another user.
fn man(page: File) -> Output {
    let mut man = Command::new("man");
    man.args(["--warnings", "--local-file", "-"]).stdin(page).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
    man.output().unwrap()
}

#[test]
fn every_command_has_a_page_that_renders_without_warnings() {
    let project = Project::empty();
    let json = project.run(&["man", "--to", "share/man", "--json"]).code(0).json();
    let pages = files(&project.path("share/man"));
    assert_eq!(json["wrote"].as_array().unwrap().len(), pages.len());
    for name in ["man1/strixlock.1", "man1/strixlock-update.1", "man1/strixlock-list-rocm.1", "man5/strix.lock.5"] {
        assert!(pages.contains(&project.path("share/man").join(name)), "{name}: {pages:?}");
    }
    for path in pages {
        let page = man(File::open(&path).unwrap());
        let (text, warnings) = (String::from_utf8(page.stdout).unwrap(), String::from_utf8(page.stderr).unwrap());
        assert!(page.status.success() && warnings.is_empty(), "{}: {warnings}", path.display());
        let title = path.file_stem().unwrap().to_string_lossy().into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.windows(3).any(|three| three == ["NAME", &title, "-"]), "{text}");
        assert!(text.contains("SEE ALSO"), "{text}");
    }
}

#[test]
fn the_page_of_a_command_shows_its_own_options_and_examples() {
    let project = Project::empty();
    project.run(&["man", "--to", "."]).code(0);
    let run = project.read("man1/strixlock-run.1");
    assert!(run.contains(r"\-\-generation") && run.contains(".SH EXAMPLES"), "{run}");
    assert!(!run.contains(r"\-\-offline"), "{run}");
    assert!(project.read("man1/strixlock.1").contains(r"\-\-offline"));
}
