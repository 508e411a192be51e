//! Output of commands without what differs from run to run, or from compiler to compiler.

use std::process::Command;
use std::sync::LazyLock;

/// Beginning of what `cc --version` prints where the book was written. The demo's programs are compiled on each machine, and
/// with other compilers they have other sizes.
const COMPILER: &str = "cc (Debian 12.2.0-";

static HAS_SIZES: LazyLock<bool> = LazyLock::new(|| {
    let output = Command::new("cc").arg("--version").output();
    output.is_ok_and(|output| output.stdout.starts_with(COMPILER.as_bytes()))
});

/// Returns the lines of a text as they are on every run: signs stand for lengths of time (without the spaces before a
/// column of them), for the time at which a generation was made, and for the digest of a path in the name of a profile. With another compiler than that of the
/// book, signs stand for its version and for sizes, too, and spaces are not compared.
pub fn steady(text: &str) -> Vec<String> {
    text.lines().map(|line| with_signs(line, *HAS_SIZES)).filter(|line| !line.is_empty()).collect()
}

fn with_signs(line: &str, has_sizes: bool) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let before = words.last().map(String::as_str).unwrap_or_default();
        match (shape(before).as_str(), shape(word).as_str()) {
            // What takes `1.7 s` here takes `0:12` on a slow machine.
            ("0.0", "s") => replace_last(&mut words, "TIME"),
            // Times of generations are the clock's, and have no seconds.
            ("0-0-0", "0:0") => replace_last(&mut words, "DAY TIME"),
            (_, "0:0") => words.push("TIME".to_owned()),
            ("0" | "(0" | "(+0" | "(-0" | "0.0" | "(0.0" | "(+0.0" | "(-0.0", unit) if !has_sizes && is_unit(unit) => {
                let sign = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
                let sized = format!("{sign}SIZE{}", unit.trim_start_matches(char::is_alphabetic));
                replace_last(&mut words, &sized);
            }
            ("GNU", "0.0.0") if !has_sizes => words.push("VERSION".to_owned()),
            _ => words.push(without_digest(word)),
        }
    }
    if !has_sizes {
        words.retain(|word| !word.is_empty());
    } else if let Some(last) = words.pop_if(|last| ["TIME", "time"].contains(&last.as_str())) {
        // A column of times is as wide as they are.
        while words.pop_if(|word| word.is_empty()).is_some() {}
        words.push(last);
    }
    words.join(" ")
}

fn replace_last(words: &mut [String], word: &str) {
    if let Some(last) = words.last_mut() {
        word.clone_into(last);
    }
}

/// Returns a word with `0` for each number without a sign or point.
fn shape(word: &str) -> String {
    let mut shape = String::new();
    for c in word.chars() {
        let c = if c.is_ascii_digit() { '0' } else { c };
        if c != '0' || !shape.ends_with('0') {
            shape.push(c);
        }
    }
    shape
}

fn is_unit(word: &str) -> bool {
    ["B", "kB", "MB", "GB"].contains(&word.trim_end_matches(')'))
}

/// Returns a path into a profile without the digest in the profile's name: `.../profiles/strix-DIGEST/current`.
fn without_digest(word: &str) -> String {
    let Some((above, (name, rest))) =
        word.split_once("/profiles/").and_then(|(above, below)| Some((above, below.split_once('/')?)))
    else {
        return word.to_owned();
    };
    match name.rsplit_once('-') {
        Some((project, digest)) if digest.len() == 8 && digest.bytes().all(|c| c.is_ascii_hexdigit()) => {
            format!("{above}/profiles/{project}-DIGEST/{rest}")
        }
        _ => word.to_owned(),
    }
}

#[test]
fn times_and_digests_of_paths_are_not_compared() {
    let here = |line: &str| with_signs(line, true);
    assert_eq!(here("llama    b8   261 kB  built    1.7 s"), here("llama    b8   261 kB  built     0:12"));
    assert_eq!(here("output   size  result    time"), here("output   size  result   time"));
    assert_ne!(here("output   size  result  time"), here("output  size  result  time"));
    assert_eq!(here(" 1  2026-11-30 12:40  1.22 MB"), here(" 1  2026-12-01 01:02  1.22 MB"));
    let profile = "current: ~/store/profiles/strix-7a86227d/current";
    assert_eq!(here(profile), here("current: ~/store/profiles/strix-0a86227e/current"));
    for line in [
        "rocm 10.3.0a20261129 -> 10.1.0a20260901 (3 builds)",
        "  made     2026-11-29 09:17:04 UTC",
        "  tarball  218 kB -> 219 kB",
        "llama-cpp  b8  184 days  23.8 kB  present",
        "current: ~/store/profiles/strix/current",
    ] {
        assert_eq!(here(line), line);
    }
}

#[test]
fn sizes_are_not_compared_with_another_compiler() {
    let other = |line: &str| with_signs(line, false);
    assert_eq!(other("  tarball  219 kB -> 251 kB"), "tarball SIZE -> SIZE");
    assert_eq!(other("size   9.99 kB -> 10.1 kB (+625 B)"), "size SIZE -> SIZE (+SIZE)");
    assert_eq!(other("built with GNU 13.3.0 for Linux x86_64"), other("built with GNU 12.2.0 for Linux x86_64"));
    assert_ne!(other("size 1 kB (+1 B)"), other("size 1 kB (-1 B)"));
    for line in ["rocm 10.3.0a20261129 (1 build, 1 day)", "196 entries", "0.5 built 1.7"] {
        assert_eq!(other(line), line);
    }
}
