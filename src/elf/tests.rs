use proptest::prelude::*;
use std::sync::LazyLock;

use super::testing::cc;
use super::*;

/// A library with everything in it.
static LIBRARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libone.so");
    let code = r#"
        __attribute__((section(".rocm_kpack_ref"))) const char pack[] = "../.kpack/one_@GFXARCH@.kpack\0../b.kpack";
        const char *const opened[] = {"libhiprtc.so.7", "/opt/rocm/lib/libtwo.so", "not libthree.so", "libfour.so."};
        char written[] = "libfive.so";
    "#;
    cc(
        &path,
        code,
        &["-shared", "-nostdlib", "-lc", "-Wl,-soname,libone.so.1", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib:/x"],
    );
    fs_err::read(&path).unwrap()
});

fn native(bytes: &[u8]) -> ElfFile {
    match Elf::read(&Source::memory(bytes)).unwrap().unwrap() {
        Elf::Native(file) => file,
        other @ Elf::Foreign { .. } => panic!("{other:?}"),
    }
}

/// As after `strip --strip-section-headers`.
fn without_sections(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[40..48].fill(0);
    bytes[60..64].fill(0);
    bytes
}

fn text(names: &[Vec<u8>]) -> Vec<&str> {
    names.iter().map(|name| std::str::from_utf8(name).unwrap()).collect()
}

#[test]
fn a_library_is_read() {
    let file = native(&LIBRARY);
    assert_eq!(file.kind, ElfKind::Shared);
    assert_eq!(file.machine.to_string(), "x86-64");
    assert_eq!(file.soname.as_deref(), Some(b"libone.so.1".as_slice()));
    assert_eq!(text(&file.needed), ["libc.so.6"]);
    assert_eq!(text(&file.runpath), ["$ORIGIN/../lib", "/x"]);
    assert_eq!(file.rpath, Vec::<Vec<u8>>::new());
    assert_eq!(file.interpreter, None);
    assert_eq!(file.kpack_refs, ["../.kpack/one_@GFXARCH@.kpack", "../b.kpack"]);
}

#[test]
fn stripped_section_headers_hide_nothing_from_the_loader() {
    let bytes = without_sections(&LIBRARY);
    let (stripped, whole) = (native(&bytes), native(&LIBRARY));
    assert_eq!((stripped.needed, stripped.runpath), (whole.needed, whole.runpath));
    assert_eq!(stripped.soname, whole.soname);
}

#[test]
fn names_in_constants_are_found_with_and_without_sections() {
    let bytes = without_sections(&LIBRARY);
    for bytes in [LIBRARY.as_slice(), &bytes] {
        let names = native(bytes).soname_constants(&Source::memory(bytes)).unwrap();
        for name in ["libhiprtc.so.7", "/opt/rocm/lib/libtwo.so", "libfour.so.", "libfive.so"] {
            assert!(names.contains(name.as_bytes()), "{name} in {names:?}");
        }
        assert!(names.iter().all(|name| !name.ends_with(b"libthree.so")));
    }
}

#[test]
fn a_name_across_two_pieces_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libbig.so");
    // Long fill that is no name by itself, so that the piece ends within the run of names that follows it.
    let code = r#"
        __asm__(".section .rodata\n .fill 262000, 1, 0x41\n .byte 0\n .rept 60\n .asciz \"libpiece.so.12\"\n .endr\n");
    "#;
    cc(&path, code, &["-shared", "-nostdlib"]);
    let source = Source::open(&path).unwrap();
    let Some(Elf::Native(file)) = Elf::read(&source).unwrap() else { panic!() };
    let names = file.soname_constants(&source).unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [b"libpiece.so.12".to_vec()]);
}

#[test]
fn a_program_is_told_from_a_library() {
    let dir = tempfile::tempdir().unwrap();
    for (name, arguments) in [("pie", ["-pie", "-Wl,-e,main"]), ("fixed", ["-no-pie", "-Wl,-e,main"])] {
        let path = dir.path().join(name);
        cc(&path, "int main(void) { return 0; }", &arguments);
        let Some(Elf::Native(file)) = Elf::open(&path).unwrap() else { panic!("{name}") };
        assert_eq!(file.kind, ElfKind::Executable, "{name}");
        assert!(file.interpreter.unwrap().ends_with(b"ld-linux-x86-64.so.2"), "{name}");
    }
}

#[test]
fn other_files_are_recognised() {
    for bytes in [b"".as_slice(), b"\x7fEL", b"#!/bin/sh\n", b"INPUT(libx.so.1)\n"] {
        assert_eq!(Elf::read(&Source::memory(bytes)).unwrap(), None);
    }
    let mut gpu = LIBRARY[..64].to_vec();
    gpu[18..20].copy_from_slice(&224u16.to_le_bytes());
    let elf = Elf::read(&Source::memory(&gpu)).unwrap().unwrap();
    assert_eq!(elf, Elf::Foreign { bits: 64, big_endian: false, machine: Machine(224) });
}

#[test]
fn damage_is_named_with_its_place() {
    let error = Elf::read(&Source::memory(&LIBRARY[..4096])).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("beyond the end") && error.to_string().contains("offset"), "{error}");
}

#[test]
fn every_prefix_is_read_or_refused() {
    for len in 0..LIBRARY.len() {
        let source = Source::memory(&LIBRARY[..len]);
        match Elf::read(&source) {
            Ok(None) => assert!(len < 4),
            // The whole section table stands at the end, so nothing shorter is complete.
            Ok(Some(elf)) => panic!("{len}: {elf:?}"),
            Err(error) => assert_eq!(error.kind(), Kind::Invalid),
        }
    }
}

proptest! {
    #[test]
    fn any_mutation_is_read_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16)) {
        let mut bytes = LIBRARY.clone();
        for (at, byte) in &changes {
            // Half of the changes go to the headers and the dynamic table's neighbourhood, where they hurt most.
            let range = if byte % 2 == 0 { 1024.min(bytes.len()) } else { bytes.len() };
            let at = at.index(range);
            bytes[at] = *byte;
        }
        let source = Source::memory(&bytes);
        if let Ok(Some(Elf::Native(file))) = Elf::read(&source) {
            let _ = file.soname_constants(&source);
        }
    }

    #[test]
    fn any_numbers_in_the_tables_are_read_or_refused(at in 0usize..600, value in prop::sample::select(vec![0, 1, u64::MAX, u64::MAX - 7, 1 << 40, i64::MAX as u64])) {
        let mut bytes = LIBRARY.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let source = Source::memory(&bytes);
        if let Ok(Some(Elf::Native(file))) = Elf::read(&source) {
            let _ = file.soname_constants(&source);
        }
    }
}
