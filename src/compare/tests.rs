use proptest::prelude::*;

use super::cause::Cause;
use super::*;
use crate::demo::deb_maker::ar;
use crate::demo::elf_maker::Elf;
use crate::tree::scan::scan;

fn told(one: &[u8], other: &[u8]) -> Vec<(String, Cause)> {
    let parts = differing_parts(&FileBytes::memory(one), &FileBytes::memory(other)).unwrap();
    parts.into_iter().map(|part| (part.part, part.causes[0])).collect()
}

fn library(text: &str) -> std::sync::Arc<[u8]> {
    let source = format!("const char *text(void) {{ return \"{text}\"; }}\n");
    Elf { soname: Some("libx.so".to_owned()), source, ..Elf::default() }.make().unwrap()
}

#[test]
fn elf_files_are_told_by_section() {
    let one = library("/build/one/file.c");
    assert_eq!(told(&one, &library("/build/two/file.c")), [(".rodata".to_owned(), Cause::BuildPath)]);
    let parts = differing_parts(&FileBytes::memory(&one), &FileBytes::memory(&library("/build/two/file.c"))).unwrap();
    assert_eq!((parts[0].offset, parts[0].bytes), (7, 3));
    assert_eq!(parts[0].first, "\"/build/one/file.c\"");
    // Parts that only moved because another part grew are consequences.
    let grown = told(&one, &library(&format!("/build/{}/file.c", "long".repeat(2000))));
    assert!(grown.contains(&(".rodata".to_owned(), Cause::BuildPath)), "{grown:?}");
    assert!(grown.iter().all(|(_, cause)| matches!(cause, Cause::BuildPath | Cause::Consequence)), "{grown:?}");
    // Differences outside of sections are still differences.
    let mut header = one.to_vec();
    header[9] = 1;
    assert_eq!(told(&one, &header), [(String::new(), Cause::Unknown)]);
}

#[test]
fn archives_are_told_by_member_and_section() {
    let archive = |text: &str, extra: bool| {
        let mut members = vec![("a.o/".to_owned(), library(text).to_vec()), ("same.o/".to_owned(), vec![1; 99])];
        if extra {
            members.push(("more.o/".to_owned(), vec![2]));
        }
        ar(&members)
    };
    let one = archive("at 12:34:56", false);
    assert_eq!(told(&one, &archive("at 12:34:59", false)), [("member a.o: .rodata".to_owned(), Cause::Time)]);
    assert_eq!(told(&one, &archive("at 12:34:56", true)), [("member more.o".to_owned(), Cause::Unknown)]);
    let mut stamped = one.clone();
    stamped[8 + 16..8 + 26].copy_from_slice(b"1764000000");
    stamped[8 + 28] = b'9';
    assert_eq!(
        told(&one, &stamped),
        [("member a.o (time)".to_owned(), Cause::Time), ("member a.o (owner)".to_owned(), Cause::Metadata)]
    );
}

/// Uses real tools, which write debug information with directories, and archives with times and long names.
#[test]
fn what_compilers_and_ar_leave_is_told() {
    let directory = tempfile::tempdir().unwrap();
    // Compilers and linkers order strings by contents, so that offsets to them differ too. Before linking these are
    // relocations, which are reported as consequences. The paths have the same length.
    let fixed = format!("-ffile-prefix-map={}=/somewhere", directory.path().display());
    let [one, other] = ["one", "two"].map(|name| {
        let place = directory.path().join(name);
        let object = place.join("an-object-with-a-long-name.o");
        fs_err::create_dir(&place).unwrap();
        crate::elf::testing::cc_at(&place.join("it.c"), &object, "int x(void) { return 1; }", &["-c", "-g", &fixed]);
        let archive = place.join("it.a");
        let mut ar = std::process::Command::new("ar");
        assert!(ar.arg("rcU").arg(&archive).arg(&object).status().unwrap().success());
        (fs_err::read(object).unwrap(), fs_err::read(archive).unwrap())
    });
    let found = told(&one.0, &other.0);
    let expected = |(part, cause): &(String, Cause)| match cause {
        Cause::Path => part.starts_with(".debug_"),
        Cause::Consequence => part.starts_with(".rela.debug_"),
        _ => false,
    };
    assert!(found.iter().all(expected) && found.iter().any(|(_, cause)| *cause == Cause::Path), "{found:?}");
    let mut later = one.1.clone();
    let at = later.windows(3).position(|name| name == b"/0 ").unwrap();
    later[at + 16..at + 26].copy_from_slice(b"1234567890");
    assert_eq!(told(&one.1, &later), [("member an-object-with-a-long-name.o (time)".to_owned(), Cause::Time)]);
    let inside = told(&one.1, &other.1);
    assert!(
        inside.iter().any(|(part, _)| part.starts_with("member an-object-with-a-long-name.o: .debug_")),
        "{inside:?}"
    );
}

#[test]
fn text_is_told_by_line() {
    assert_eq!(told(b"a\nb\nc\n", b"a\nb\nd\n"), [("line 3".to_owned(), Cause::Unknown)]);
    assert_eq!(told(b"prefix=/a/b\n", b"prefix=/a/c\n"), [("line 1".to_owned(), Cause::Path)]);
    assert_eq!(told(b"", b"new\n"), [("line 1".to_owned(), Cause::Unknown)]);
    assert_eq!(told(b"\0\x01\x02", b"\0\x01\x03"), [(String::new(), Cause::Unknown)]);
}

#[test]
fn trees_are_told_by_path() {
    let directory = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
    for (place, text, target) in [(&one, "x", "a"), (&other, "y", "b")] {
        fs_err::create_dir_all(place.join("same")).unwrap();
        fs_err::write(place.join("contents"), text).unwrap();
        fs_err::write(place.join("mode"), "").unwrap();
        fs_err::write(place.join(format!("only-{text}")), "").unwrap();
        std::os::unix::fs::symlink(target, place.join("link")).unwrap();
    }
    fs_err::create_dir(one.join("kind")).unwrap();
    fs_err::write(other.join("kind"), "").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(other.join("mode"), mode).unwrap();
    let (a, b) = (scan(&one).unwrap(), scan(&other).unwrap());
    let side = |directory, listing| Side { directory, listing };
    assert_eq!(trees(side(&one, &a), side(&one, &a)).unwrap(), []);
    let found = trees(side(&one, &a), side(&other, &b)).unwrap();
    let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
    assert_eq!(paths, ["contents", "kind", "link", "mode", "only-x", "only-y"]);
    assert!(matches!(&found[0].change, Change::Contents { first: 1, second: 1, parts } if parts[0].part == "line 1"));
    assert_eq!(found[1].change, Change::Kind { first: "a directory", second: "a file" });
    assert_eq!(found[2].change, Change::Target { first: "a".into(), second: "b".into() });
    assert_eq!(found[3].change, Change::Mode { first: false, second: true });
    assert_eq!((&found[4].change, &found[5].change), (&Change::Removed, &Change::Added));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_differs_is_told(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        archive in any::<bool>(),
        cut in 0usize..200,
    ) {
        let mut one = library("/build/one/file.c").to_vec();
        if archive {
            one = ar(&[("a.o/".to_owned(), one), ("b.o/".to_owned(), vec![0; 30])]);
        }
        let mut other = one.clone();
        for (at, byte) in &changes {
            let range = if byte % 2 == 0 { 256 } else { other.len() };
            let at = at.index(range);
            other[at] = *byte;
        }
        other.truncate(other.len() - cut);
        for (a, b) in [(&one, &other), (&other, &one)] {
            prop_assert_eq!(told(a, b).is_empty(), a == b);
        }
    }
}
