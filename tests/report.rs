//! `strixlock report`: one HTML page about a project.

#[path = "../src/html_page/testing.rs"]
mod testing;

use strixlock_demo::gguf_maker::{Shape, model};

use crate::support::{FIRST, Project, SECOND};
use testing::fault;

/// A name that does something wherever it is taken as it is.
const HOSTILE: &str = "<img src=x onerror=alert(1)>&'\u{202e}.gguf";

#[test]
fn a_realized_and_validated_project_is_one_page_that_is_the_same_twice() {
    let project = Project::new();
    project.full_manifest(FIRST);
    project.write(
        "manifests/strix.toml",
        &project.read("manifests/strix.toml").replace("sources", "kept-days = 120\nsources"),
    );
    std::fs::write(project.path(HOSTILE), model(Shape::default())).unwrap();
    let url = url::Url::from_file_path(project.path(HOSTILE)).unwrap();
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}\n[inputs.model]\ntype = \"file\"\nurl = \"{url}\"\n"));
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    project.run(&["validate", "--device", "cpu", "--quick"]).code(0);
    project.write("manifests/strix.toml", &project.read("manifests/strix.toml").replace(FIRST, SECOND));
    project.run(&["update", "rocm"]).code(0);
    project.run(&["realize"]).code(0);

    let on = |day: &str, arguments: &[&str]| {
        let command = [&["report"], arguments].concat();
        project.finish(project.command(&command).env("STRIXLOCK_NOW", day).output().unwrap())
    };
    let report = |arguments: &[&str]| on("2026-12-01", arguments);
    let ran = report(&["--json"]).code(0);
    let value = ran.json();
    assert_eq!((&value["file"], &value["written"]), (&"report.html".into(), &true.into()), "{}", ran.all());
    for section in value["sections"].as_array().unwrap() {
        assert_eq!((&section["missing"], &section["passed_over"]), (&().into(), &serde_json::json!([])), "{section}");
    }
    let page = project.read("report.html");
    assert_eq!(fault(&page), None);
    assert_eq!(value["bytes"], page.len());
    assert!(page.len() < 500_000, "{}", page.len());
    for part in [
        // Versions, ages and links of pins; the names of files stay text.
        "10.1.0a20260902",
        "90 days",
        ">30 days more</span>",
        "leaves 127.0.0.1 on 2026-12-31, by <code>kept-days</code> of the manifest",
        "/rocm/core/tarball/\" rel=\"noopener noreferrer\">127.0.0.1</a>",
        "&lt;img src=x onerror=alert(1)&gt;&amp;&#39;\u{fffd}.gguf",
        // Generations with verdicts and speeds, files with their reasons, the graph, evidence.
        ">passed on the CPU</span>",
        ">not validated</span>",
        "rocm 10.1.0a20260901 → 10.1.0a20260902",
        "Generating 32 tokens (tg32):",
        "/opt/rocm/lib/librocblas.so.5",
        "is for building against ROCm, not for running",
        "data-from=\"",
        "strixlock realize runtime --to check",
        "The digest of <code>&lt;img src=x onerror=alert(1)&gt;",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<img", "\u{202e}", project.store("main").to_str().unwrap()] {
        assert!(!page.contains(part), "{part}");
    }
    let again = report(&[]).code(0);
    assert!(again.stdout.starts_with("up to date: report.html ("), "{}", again.all());
    on("2026-12-02", &[]).code(0);
    assert_ne!(project.read("report.html"), page, "ages are counted from the day");
    report(&["-o", "other.html"]).code(0);
    assert_eq!(project.read("other.html"), page);

    // What somebody else wrote stays.
    project.write("mine.html", "<p>mine");
    let ran = project.run(&["report", "-o", "mine.html"]).code(1);
    assert!(ran.stderr.contains("hint: name another file: `strixlock report -o FILE`"), "{}", ran.all());
    assert_eq!(project.read("mine.html"), "<p>mine");
    project.run(&["report", "-o", "manifests"]).code(1);

    // A damaged record of a validation or a generation is told, and spoils nothing else.
    project.write("validation/2026-01-01-g9.json", "{");
    std::fs::write(project.profile().join("generations/1/generation.json"), "{").unwrap();
    let ran = report(&[]).code(0);
    for note in [
        "not on it: speed: the record 2026-01-01-g9, which cannot be read\n",
        "not on it: generations: generation 1: the record of a generation is damaged\n",
    ] {
        assert!(ran.stderr.contains(note), "{}", ran.all());
    }

    // Without a store, what the lock says is there, and the rest names the command that makes it.
    let ran = project.run_in_store("empty", &["report"]).code(0);
    assert!(ran.stderr.contains("is not realized: strixlock realize makes it\n"), "{}", ran.all());
    let page = project.read("report.html");
    assert_eq!(fault(&page), None);
    assert!(page.contains("Nothing is realized yet: strixlock realize makes the first generation."), "{page}");
    assert!(!project.store("empty").exists(), "looking makes no store");
}

#[test]
fn a_manifest_alone_is_a_page_and_no_project_is_none() {
    let project = Project::new();
    let ran = project.run(&["report"]).code(9);
    assert!(ran.stderr.contains("error: there is no lock"), "{}", ran.all());
    assert!(!project.path("report.html").exists());
    project.full_manifest(FIRST);
    let ran = project.run(&["report"]).code(0);
    assert!(ran.stdout.starts_with("wrote report.html ("), "{}", ran.all());
    assert!(
        ran.stderr.contains("not on it: pins: There is no lock yet: strixlock update writes it\n"),
        "{}",
        ran.all()
    );
    assert_eq!(fault(&project.read("report.html")), None);
}
