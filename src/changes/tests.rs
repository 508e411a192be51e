use super::commits::{Commit, CommitGroup, Commits};
use super::fields::FieldChange;
use super::files::{FileChange, Files};
use super::packages::{Direction, Entry, PackageChange};
use super::*;

fn field(name: &str, from: &str, to: &str) -> FieldChange {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    FieldChange { field: name.to_owned(), from: some(from), to: some(to) }
}

fn input(name: &str, kind: &'static str, from: &str, to: &str) -> InputChange {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    InputChange {
        input: name.to_owned(),
        called: name.to_owned(),
        kind,
        from: some(from),
        to: some(to),
        short: (some(from), some(to)),
        ..InputChange::default()
    }
}

fn rocm() -> InputChange {
    InputChange {
        made_from: Some("2026-09-01".to_owned()),
        made_to: Some("2026-09-05".to_owned()),
        from_size: Some(2_000_000),
        to_size: Some(2_100_000),
        therock: Some(field("TheRock", &"a".repeat(40), &"b".repeat(40))),
        submodules: vec![field("rocm-libraries", &"c".repeat(40), ""), field("llvm", "", &"d".repeat(40))],
        ..input("rocm", "rocm", "10.1.0a20260901", "10.1.0a20260905")
    }
}

fn llama(subject: &str) -> InputChange {
    let commit = Commit { id: "e".repeat(40), subject: subject.to_owned(), day: None };
    let commits = Commits {
        from: "f".repeat(40),
        to: "e".repeat(40),
        added: Some(31),
        dropped: Some(0),
        groups: vec![CommitGroup { name: "ggml-hip".to_owned(), commits: vec![commit] }],
        left_out: 30,
        page: Some("https://github.com/o/r/compare/f...e".to_owned()),
    };
    InputChange {
        commits: Some(commits),
        called: "llama.cpp".to_owned(),
        ..input("llama-cpp", "git", "b11429", "b11460")
    }
}

#[test]
fn a_title_names_what_moved() {
    let of = |inputs: Vec<InputChange>| title(&Changes { inputs, ..Changes::default() });
    assert_eq!(of(vec![llama("x"), rocm()]), "rocm 10.1.0a20260901 -> 10.1.0a20260905, llama.cpp b11429 -> b11460");
    assert_eq!(of(vec![input("model", "file", "", "1")]), "add model 1");
    assert_eq!(of(vec![input("model", "file", "1", "")]), "remove model");
    assert_eq!(of(vec![]), "strix.lock: no change");
    let many = ["a", "b", "c", "d", "e"].map(|name| input(name, "file", "1", "2")).to_vec();
    assert_eq!(of(many), "a 1 -> 2, b 1 -> 2, c 1 -> 2 and 2 others");
    // Two inputs of one repository are told apart by their own names.
    let other = InputChange { input: "next".to_owned(), ..llama("y") };
    assert_eq!(of(vec![llama("x"), other]), "llama-cpp b11429 -> b11460, next b11429 -> b11460");
    let outputs = vec![OutputChange { output: "llama".to_owned(), ..OutputChange::default() }];
    assert_eq!(title(&Changes { outputs, ..Changes::default() }), "strix.lock: other settings of llama");
}

#[test]
fn sections_have_what_people_look_for() {
    let packages = PackageChange {
        name: "libx".to_owned(),
        change: Direction::Up,
        from: Some("1".to_owned()),
        to: Some("2".to_owned()),
        changelog: vec![Entry { version: "2".to_owned(), lines: vec!["* Fix.".to_owned()] }],
        as_of: None,
    };
    let debs = InputChange { packages: vec![packages], ..input("sysroot", "debs", "noble a", "noble b") };
    let file = |path: &str, from: Option<u64>, to: Option<u64>| FileChange { path: path.to_owned(), from, to };
    let output = OutputChange {
        output: "llama".to_owned(),
        from: Some("b1".to_owned()),
        to: Some("b2".to_owned()),
        equal: Some(false),
        settings: vec![field("cmake.GGML_HIP_GRAPHS", "ON", "OFF")],
        through: vec!["llama-cpp".to_owned(), "rocm".to_owned()],
        files: Files {
            from_size: Some(3000),
            to_size: Some(2000),
            changed: vec![file("bin/a", Some(10), Some(11)), file("bin/b", Some(10), Some(2000))],
            ..Files::default()
        },
        ..OutputChange::default()
    };
    let changes = Changes {
        inputs: vec![rocm(), llama("hip : faster\u{1b}[2J (#123)"), debs],
        outputs: vec![output],
        equality: Equality {
            different: vec!["llama".to_owned()],
            equal: vec!["model".to_owned()],
            ..Equality::default()
        },
    };
    let mut lines: Vec<String> = Vec::new();
    for section in sections(&changes) {
        lines.push(format!("{} {} {}", section.what, section.name, section.versions));
        for block in section.blocks {
            lines.extend(block.title.map(|title| format!("  {title}")));
            lines.extend(block.rows.iter().map(|(label, text)| format!("    {label} {text}")));
        }
    }
    let text = lines.join("\n") + "\n";
    assert_eq!(
        text,
        "input rocm 10.1.0a20260901 -> 10.1.0a20260905\n    made 2026-09-01 -> 2026-09-05\n    size 2.00 MB -> 2.10 MB (+100 kB)\n    \
         TheRock aaaaaaaaaaaa -> bbbbbbbbbbbb\n  2 submodules\n    rocm-libraries cccccccccccc -> nothing\n    llvm nothing -> dddddddddddd\n\
         input llama-cpp b11429 -> b11460\n    commit ffffffffffff -> eeeeeeeeeeee\n  31 commits\n  ggml-hip (1)\n    eeeeeeeeeeee hip : faster (#123)\n\
         input sysroot noble a -> noble b\n  packages: 1 up\n    ~ libx 1 -> 2\n     2: * Fix.\n\
         output llama 3.00 kB -> 2.00 kB\n    setting cmake.GGML_HIP_GRAPHS ON -> OFF\n    through llama-cpp, rocm\n    \
         ~ bin/b 10 B -> 2.00 kB (+1.99 kB)\n    ~ bin/a 10 B -> 11 B (+1 B)\n"
    );
    assert_eq!(changes.equality.sentence(), "outputs different: llama; equal: model");
}

#[test]
fn markdown_links_nothing_that_it_was_not_given() {
    let changes = Changes { inputs: vec![llama("fix #12 of @someone | <b> [x](y)")], ..Changes::default() };
    let page = markdown(&changes);
    assert!(page.starts_with("# llama.cpp b11429 -\\> b11460\n\nNo outputs\n\n## Input llama-cpp: "), "{page}");
    assert!(
        page.contains("\n**31 commits** ([compare](https://github.com/o/r/compare/f...e))\n\n- and 30 more\n"),
        "{page}"
    );
    assert!(page.contains("\n- `eeeeeeeeeeee` fix #&#8203;12 of @&#8203;someone \\| \\<b\\> \\[x\\](y)\n"), "{page}");
}

#[test]
fn a_page_stays_below_what_forges_take() {
    let many: Vec<InputChange> =
        (0..2000).map(|number| InputChange { input: format!("i{number}"), ..rocm() }).collect();
    let page = markdown(&Changes { inputs: many, ..Changes::default() });
    assert!(page.len() < 64 << 10 && page.ends_with("`strixlock diff --all` shows everything.\n"), "{}", page.len());
}
