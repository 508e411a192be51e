//! Pages of facts that no real project has: many files, hostile names, nothing at all.

use std::collections::BTreeMap;

use super::runtime::testing::{Wanted, runtime};
use super::testing::fault;
use super::*;
use crate::digest::Sha256Digest;
use crate::validate::{Device, History, Measured, Row};

/// A name that does something wherever it is taken as it is.
const HOSTILE: &str =
    "'\"></td></script><script>alert(1)</script><img src=x onerror=alert(1)>&lt;\u{202e}\u{1b}[31m`$(id)`";

fn empty() -> Facts<'static> {
    Facts {
        project: "strix".to_owned(),
        today: jiff::civil::date(2026, 11, 30),
        locked: Err("There is no lock yet.".to_owned()),
        generations: Ok(Vec::new()),
        unreadable: Vec::new(),
        history: Ok(History::default()),
        runtimes: Err("There is no lock yet.".to_owned()),
    }
}

fn generation(number: u64, name: &str) -> GenerationFacts {
    let failed = FailedCheck { name: name.to_owned(), found: name.to_owned() };
    let failed = if number.is_multiple_of(3) { vec![failed] } else { Vec::new() };
    GenerationFacts {
        number,
        made: 1_790_000_000 + number as i64 * 86_400,
        current: number == 5,
        size: 1 << 32,
        versions: name.to_owned(),
        changes: vec![name.to_owned(); 20],
        verdict: Some(Verdict { device: Device::Cpu, failed, passed: 3, not_run: 1 }),
    }
}

fn row(number: u64, name: &str) -> Row {
    Row {
        generation: Some(number),
        lock: Sha256Digest::of(b"x"),
        device: Device::Gpu,
        model: name.to_owned(),
        processor: Some(name.to_owned()),
        versions: BTreeMap::from([
            ("rocm".to_owned(), format!("10.1.0a202609{number:02}")),
            (name.to_owned(), name.to_owned()),
        ]),
        time: 1_790_000_000,
        count: 1,
        failed: if number == 2 { vec![name.to_owned()] } else { Vec::new() },
        speeds: BTreeMap::from([
            ("tg32".to_owned(), Measured { speed: 20.0 + number as f64, noise: 0.5 }),
            (name.to_owned(), Measured { speed: f64::NAN, noise: 0.5 }),
        ]),
    }
}

/// Returns facts in which every text from outside is `name`.
fn full(name: &str, wanted: Wanted) -> Facts<'static> {
    Facts {
        project: name.to_owned(),
        generations: Ok((1..=8).map(|number| generation(number, name)).collect()),
        unreadable: vec![name.to_owned()],
        history: Ok(History {
            rows: (1..=8).map(|number| row(number, name)).collect(),
            unreadable: vec![name.to_owned()],
        }),
        runtimes: Ok(vec![
            (name.to_owned(), Ok(runtime(name, wanted))),
            ("other".to_owned(), Ok(runtime(name, Wanted { kept: 3, left_out: 3 }))),
            ("none".to_owned(), Err(name.to_owned())),
        ]),
        ..empty()
    }
}

#[test]
fn nothing_at_all_is_a_page_that_says_what_is_missing() {
    let page = page(&empty());
    assert_eq!(fault(&page.html), None);
    assert!(is_page(&page.html));
    let missing: Vec<_> = page.sections.iter().filter(|section| section.missing.is_some()).map(|one| one.id).collect();
    assert_eq!(missing, ["pins", "generations", "speed", "runtime", "graph", "evidence", "unverified"]);
    assert!(page.html.contains("strixlock realize makes the first generation."), "{}", page.html);
}

#[test]
fn hostile_names_stay_text() {
    let facts = full(HOSTILE, Wanted { kept: 30, left_out: 30 });
    let page = page(&facts);
    assert_eq!(fault(&page.html), None);
    for part in ["<img", "alert(1)</script>", "\u{202e}", "\u{1b}", "onerror=alert(1)>"] {
        assert!(!page.html.contains(part), "{part}");
    }
    let text = "&#39;&quot;&gt;&lt;/td&gt;&lt;/script&gt;&lt;script&gt;alert(1)";
    assert!(page.html.matches(text).count() > 40, "the name is there, as text");
}

#[test]
fn a_large_runtime_makes_a_small_page_and_the_rest_is_told() {
    let path = "x/".repeat(60);
    let facts = full(&path, Wanted { kept: 20_000, left_out: 50_000 });
    let first = page(&facts);
    assert_eq!(fault(&first.html), None);
    assert!(first.html.len() < 500_000, "{}", first.html.len());
    let runtime = first.sections.iter().find(|section| section.id == "runtime").unwrap();
    assert_eq!(runtime.missing, None);
    assert!(runtime.passed_over[0].ends_with(" together"), "{:?}", runtime.passed_over);
    assert!(first.html.contains(&format!("Not shown: {}.", runtime.passed_over[0])));
    assert_eq!(page(&facts).html, first.html, "twice the same bytes");
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() {
    let page = page(&full("x", Wanted { kept: 5, left_out: 5 })).html;
    let between = |begin: &str, end: &str| page.split_once(begin).unwrap().1.split_once(end).unwrap().0;
    let policy = between("Content-Security-Policy\" content=\"", "\"").replace("&#39;", "'");
    let digest = |text: &str| Sha256Digest::of(text.as_bytes()).sri();
    let expected = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        digest(between("<style>", "</style>")),
        digest(between("<script>", "</script>"))
    );
    assert_eq!(policy, expected);
    assert!(page.find("Content-Security-Policy").unwrap() < page.find("<style>").unwrap());
}

#[test]
fn faults_of_a_page_are_found() {
    let good = page(&empty()).html;
    for (from, to) in [
        ("</h1>", "</h2>"),
        ("<p ", "<p onclick=\"x\" "),
        ("id=\"pins\"", "id=\"graph\""),
        ("href=\"#pins\"", "href=\"#nowhere\""),
        ("href=\"#pins\"", "href=\"javascript:x\""),
        ("<h1>", "<h1><script>"),
        ("<h1>", "<h1 a=1 a=2>"),
        ("<h1>", "<h1><!-- x -->"),
        ("</footer>", ""),
    ] {
        assert_ne!(fault(&good.replacen(from, to, 1)), None, "{from} {to}");
    }
}
