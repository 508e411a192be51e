use proptest::prelude::*;
use std::sync::LazyLock;

use super::testing::cc;
use super::*;
use crate::tree::show;

/// A library that uses every feature that is read.
static LIBRARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libone.so");
    let code = r#"
        __attribute__((section(".rocm_kpack_ref"))) const char pack[] = "../.kpack/one_@GFXARCH@.kpack\0../b.kpack";
        const char *const opened[] = {"libhiprtc.so.7", "/opt/rocm/lib/libtwo.so", "not libthree.so", "libfour.so."};
        char written[] = "libfive.so";
        int puts(const char *);
        int said(void) { return puts(written); }
    "#;
    cc(
        &path,
        code,
        &[
            "-shared",
            "-nostdlib",
            "-lc",
            "-Wl,-soname,libone.so.1,--default-symver",
            "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib:/x",
        ],
    );
    fs_err::read(&path).unwrap()
});

fn native(bytes: &[u8]) -> ElfFile {
    match Elf::read(&FileBytes::memory(bytes)).unwrap().unwrap() {
        Elf::Native(file) => *file,
        other @ Elf::Foreign { .. } => panic!("{other:?}"),
    }
}

/// Returns a copy as after `strip --strip-section-headers`.
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
    let version = NeededVersion { name: b"GLIBC_2.2.5".to_vec(), weak: false };
    assert_eq!(file.version_needs, [VersionNeed { library: b"libc.so.6".to_vec(), versions: vec![version] }]);
    assert_eq!(text(file.versions.as_deref().unwrap()), ["libone.so.1", "libone.so.1"]);
}

#[test]
fn stripped_section_headers_hide_nothing_from_the_loader() {
    let bytes = without_sections(&LIBRARY);
    let (stripped, whole) = (native(&bytes), native(&LIBRARY));
    assert_eq!((stripped.needed, stripped.runpath), (whole.needed, whole.runpath));
    assert_eq!(stripped.soname, whole.soname);
    assert_eq!((stripped.version_needs, stripped.versions), (whole.version_needs, whole.versions));
}

#[test]
fn names_in_constants_are_found_with_and_without_sections() {
    let bytes = without_sections(&LIBRARY);
    for bytes in [LIBRARY.as_slice(), &bytes] {
        let names = native(bytes).soname_constants(&FileBytes::memory(bytes)).unwrap();
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
    // The long filler is not a name, so that the piece ends within the run of names after it.
    let code = r#"
        __asm__(".section .rodata\n .fill 262000, 1, 0x41\n .byte 0\n .rept 60\n .asciz \"libpiece.so.12\"\n .endr\n");
    "#;
    cc(&path, code, &["-shared", "-nostdlib"]);
    let source = FileBytes::open(&path).unwrap();
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
        assert_eq!(Elf::read(&FileBytes::memory(bytes)).unwrap(), None);
    }
    let mut gpu = LIBRARY[..64].to_vec();
    gpu[18..20].copy_from_slice(&224u16.to_le_bytes());
    let elf = Elf::read(&FileBytes::memory(&gpu)).unwrap().unwrap();
    assert_eq!(elf, Elf::Foreign { bits: 64, big_endian: false, machine: Machine(224) });
}

#[test]
fn damage_is_named_with_its_place() {
    let error = Elf::read(&FileBytes::memory(&LIBRARY[..4096])).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("beyond the end") && error.to_string().contains("offset"), "{error}");
}

#[test]
fn every_prefix_is_read_or_refused() {
    for len in 0..LIBRARY.len() {
        let source = FileBytes::memory(&LIBRARY[..len]);
        match Elf::read(&source) {
            Ok(None) => assert!(len < 4),
            // The section table stands at the end, so nothing shorter is complete.
            Ok(Some(elf)) => panic!("{len}: {elf:?}"),
            Err(error) => assert_eq!(error.kind(), Kind::Invalid),
        }
    }
}

/// Returns a copy of the library with these bytes at an offset.
fn with_bytes(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut library = LIBRARY.clone();
    library[at..at + bytes.len()].copy_from_slice(bytes);
    library
}

/// Returns the file offset of the first program header of a type.
fn program_header(kind: u32) -> usize {
    let count = u16::from_le_bytes(LIBRARY[56..58].try_into().unwrap()) as usize;
    (0..count).map(|index| 64 + index * 56).find(|at| LIBRARY[*at..*at + 4] == kind.to_le_bytes()).unwrap()
}

fn number(at: usize) -> u64 {
    u64::from_le_bytes(LIBRARY[at..at + 8].try_into().unwrap())
}

/// Returns the file offset of the value of a tag in the dynamic table.
fn dynamic_value(tag: u64) -> usize {
    let table = number(program_header(2) + 8) as usize;
    (0..64).map(|index| table + index * 16).find(|at| number(*at) == tag).unwrap() + 8
}

#[test]
fn lies_in_the_headers_are_refused_with_their_place() {
    let first_section = number(40) as usize;
    let (dynamic, load) = (program_header(2), program_header(1));
    let beyond = (LIBRARY.len() as u64).to_le_bytes();
    let (needs, definitions) = (dynamic_value(0x6fff_fffe), dynamic_value(0x6fff_fffc));
    // The last byte of a segment is the last one that is the same in memory as in the file.
    let (start, size) = (number(load + 16), number(load + 32));
    let end = (start + size - 1).to_le_bytes();
    for (what, bytes, said) in [
        ("class", with_bytes(4, &[3]), "class 3"),
        ("byte order", with_bytes(5, &[7]), "byte order 7"),
        ("program headers beyond the end", with_bytes(32, &beyond), "the program headers: beyond the end"),
        ("program headers at the end of numbers", with_bytes(32, &[0xff; 8]), "beyond the end"),
        ("the most program headers", with_bytes(56, &[0xff; 2]), "beyond the end"),
        ("program headers of no size", with_bytes(54, &[0; 2]), "program headers of an unknown size"),
        ("a segment beyond the end", with_bytes(load + 32, &[0xff; 8]), "extends beyond the end"),
        ("a dynamic table beyond the end", with_bytes(dynamic + 8, &beyond), "the dynamic table: beyond the end"),
        ("a dynamic table of absurd size", with_bytes(dynamic + 32, &[0xff; 8]), "the limit is 65536"),
        ("version needs in no segment", with_bytes(needs, &[0xff; 8]), "symbol versions is not in a segment"),
        ("versions in no segment", with_bytes(definitions, &[0xff; 8]), "symbol versions is not in a segment"),
        ("version needs at the end of a segment", with_bytes(needs, &end), "symbol versions is not terminated"),
        ("versions at the end of a segment", with_bytes(definitions, &end), "symbol versions is not terminated"),
        ("section headers beyond the end", with_bytes(40, &beyond), "the section headers: beyond the end"),
        ("section headers of no size", with_bytes(58, &[0; 2]), "section headers of an unknown size"),
        ("no section with the names", with_bytes(62, &[0xfe, 0xfe]), "the section names are missing"),
        (
            "an absurd count of sections in the first of them",
            {
                let mut bytes = with_bytes(60, &[0; 2]);
                bytes[first_section + 32..first_section + 40].fill(0xff);
                bytes
            },
            "the limit is 8388608",
        ),
    ] {
        let error = read_all(&FileBytes::memory(&bytes)).expect_err(what);
        assert_eq!(error.kind(), Kind::Invalid, "{what}");
        let text = error.to_string();
        assert!(text.contains(said) && text.contains("\n  offset  "), "{what}: {text}");
    }
}

/// Returns a file of `count` sections that share one name of `len` bytes.
fn sections_of_one_name(count: u16, len: usize) -> Vec<u8> {
    let table = 64 + len + 1;
    let mut bytes = LIBRARY[..64].to_vec();
    bytes[16..18].copy_from_slice(&3u16.to_le_bytes());
    bytes[40..48].copy_from_slice(&(table as u64).to_le_bytes());
    bytes[56..58].fill(0);
    bytes[60..62].copy_from_slice(&count.to_le_bytes());
    bytes[62..64].copy_from_slice(&0u16.to_le_bytes());
    bytes.extend(vec![b'a'; len]);
    bytes.push(0);
    for _ in 0..count {
        let mut section = [0; 64];
        section[4] = 1;
        section[24..32].copy_from_slice(&64u64.to_le_bytes());
        section[32..40].copy_from_slice(&(len as u64 + 1).to_le_bytes());
        bytes.extend(section);
    }
    bytes
}

#[test]
fn names_of_sections_cost_no_more_than_the_file_has() {
    // An object file has a section for each function, and most of them have the same name.
    let common = sections_of_one_name(30_000, 60);
    assert_eq!(sections(&FileBytes::memory(&common)).unwrap().unwrap().len(), 29_999);
    assert!(matches!(Elf::read(&FileBytes::memory(&common)), Ok(Some(Elf::Native(_)))));
    // 30 GB of names to read and to keep, out of 2.5 MB.
    let hostile = sections_of_one_name(30_000, 1 << 20);
    for error in
        [sections(&FileBytes::memory(&hostile)).unwrap_err(), Elf::read(&FileBytes::memory(&hostile)).unwrap_err()]
    {
        assert!(error.to_string().contains("too many bytes of section names"), "{error}");
    }
}

#[test]
fn libraries_that_answer_for_another_are_read_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libfilter.so");
    cc(&path, "", &["-shared", "-nostdlib", "-Wl,-f,libfast.so.1", "-Wl,-F,libreal.so.1", "-Wl,-f,$ORIGIN/x/liby.so"]);
    let filters = native(&fs_err::read(&path).unwrap()).filters;
    let mut filters: Vec<_> = filters.iter().map(|one| (show(&one.library), one.optional)).collect();
    filters.sort();
    let expected = [("$ORIGIN/x/liby.so", true), ("libfast.so.1", true), ("libreal.so.1", false)];
    assert_eq!(filters, expected.map(|(name, optional)| (name.to_owned(), optional)));
}

#[test]
fn program_headers_out_of_all_segments_are_a_flaw_and_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    cc(&path, "int main(void) { return 0; }", &["-pie", "-Wl,-e,main"]);
    let mut bytes = fs_err::read(&path).unwrap();
    assert_eq!(native(&bytes).flaw, None);
    let count = u16::from_le_bytes(bytes[56..58].try_into().unwrap()) as usize;
    let own = (0..count).map(|index| 64 + index * 56).find(|at| bytes[*at] == 6).unwrap();
    bytes[own + 16..own + 24].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(native(&bytes).flaw.is_some_and(|flaw| flaw.contains("patchelf")));
}

#[test]
fn gpu_code_that_was_taken_out_may_be_larger_than_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libblas.so");
    cc(&path, "__asm__(\".section .hip_fatbin,\\\"a\\\",@nobits\\n.zero 268435456\\n\");", &["-shared", "-nostdlib"]);
    let bytes = fs_err::read(&path).unwrap();
    assert!(bytes.len() < 1 << 20);
    assert_eq!(native(&bytes).flaw, None);
    read_all(&FileBytes::memory(&bytes)).unwrap();
    let all = sections(&FileBytes::memory(&bytes)).unwrap().unwrap();
    let fatbin = all.iter().find(|section| section.name == b".hip_fatbin").unwrap();
    assert_eq!((fatbin.size, fatbin.in_file), (1 << 28, false));
}

#[test]
fn files_for_other_machines_are_told_and_their_tables_are_not_believed() {
    for (at, byte, bits, big_endian) in [(4, 1, 32, false), (5, 2, 64, true)] {
        // No number after the first twenty bytes has a meaning now.
        let mut bytes = with_bytes(at, &[byte]);
        bytes[20..64].fill(0xff);
        let machine = if big_endian { 62 << 8 } else { 62 };
        let found = Elf::read(&FileBytes::memory(&bytes)).unwrap().unwrap();
        assert_eq!(found, Elf::Foreign { bits, big_endian, machine: Machine(machine) });
        read_all(&FileBytes::memory(&bytes)).unwrap();
        // A truncated header is damage as well.
        let error = Elf::read(&FileBytes::memory(&bytes[..19])).unwrap_err();
        assert!(error.to_string().contains("the file header: beyond the end"), "{error}");
    }
}

#[test]
fn damage_on_disk_is_told_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libx.so");
    fs_err::write(&path, &LIBRARY[..100]).unwrap();
    let text = Elf::open(&path).unwrap_err().to_string();
    assert!(
        text.starts_with(&format!("{}: the ELF file is damaged", path.display())) && text.contains("offset"),
        "{text}"
    );
}

proptest! {
    #[test]
    fn any_mutation_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
    ) {
        let mut bytes = LIBRARY.clone();
        for (at, byte) in &changes {
            // Half of the changes go to the headers and the neighbourhood of the dynamic table, where they do most
            // harm.
            let range = if byte % 2 == 0 { 1024.min(bytes.len()) } else { bytes.len() };
            let at = at.index(range);
            bytes[at] = *byte;
        }
        let _ = read_all(&FileBytes::memory(&bytes));
    }

    #[test]
    fn any_numbers_in_the_tables_are_read_or_refused(
        at in 0usize..600,
        value in prop::sample::select(vec![0, 1, u64::MAX, u64::MAX - 7, 1 << 40, i64::MAX as u64]),
    ) {
        let mut bytes = LIBRARY.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let _ = read_all(&FileBytes::memory(&bytes));
    }

    #[test]
    fn any_numbers_in_the_dynamic_table_and_its_lists_are_read_or_refused(
        list in prop::sample::select(vec![0x6fff_fffe, 0x6fff_fffc, 5, 10]),
        at in 0usize..64,
        value in any::<u32>(),
        moved in any::<Option<u16>>(),
    ) {
        let mut bytes = LIBRARY.clone();
        let place = dynamic_value(list);
        // In this library the first segment, which has the lists, begins at address 0 and offset 0.
        let table = number(place) as usize;
        if table + at + 4 <= bytes.len() {
            bytes[table + at..table + at + 4].copy_from_slice(&value.to_le_bytes());
        }
        if let Some(moved) = moved {
            bytes[place..place + 8].copy_from_slice(&u64::from(moved).to_le_bytes());
        }
        let _ = read_all(&FileBytes::memory(&bytes));
    }

    #[test]
    fn any_bytes_behind_the_magic_number_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let header = [&LIBRARY[..20], bytes.as_slice()].concat();
        let _ = read_all(&FileBytes::memory(&header));
        let _ = read_all(&FileBytes::memory(&bytes));
    }
}
