//! Archives of every kind: ordinary ones become the right tree, hostile ones are refused by name and leave the
//! surroundings as they were.

use strixlock_demo::deb_maker::{Compression, compress};
use strixlock_demo::raw_tar::{RawEntry, raw_tar};
use tar::{EntryType, Header};

use super::super::{Node, scan::scan, testing::Surroundings};
use super::*;
use crate::digest::Sha256Digest;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    compress(bytes, Compression::Gzip)
}

fn try_unpack(bytes: &[u8]) -> Result<Unpacked> {
    let surroundings = Surroundings::new();
    let place = surroundings.place();
    let limits = Limits { entries: 1000, bytes: 1 << 20, colliding_names: false };
    let result = unpack(bytes, &place, limits);
    surroundings.check(0);
    if let Ok(unpacked) = &result {
        assert_eq!(scan(&place).unwrap(), unpacked.listing, "the listing is not what is on disk");
    }
    result
}

#[test]
fn an_ordinary_tarball_becomes_its_tree() {
    let big = vec![7; 600_000];
    let bytes = raw_tar(&[
        RawEntry::directory(b"./"),
        RawEntry::file(b"./lib/deep/a", b"a"),
        RawEntry::directory(b"./lib/"),
        RawEntry::new(EntryType::Regular, b"./bin/run", b"", &big, 0o755),
        RawEntry::link(b"./lib/b", b"deep/../deep/a"),
        RawEntry::link(b"./absolute", b"/etc/passwd"),
        RawEntry::new(EntryType::Link, b"./lib/hard", b"./lib/deep/a", b"", 0o644),
        RawEntry::file(b"new\nline", b""),
        RawEntry::file(b"\xff\xfe", b"not UTF-8"),
        RawEntry::directory(b"empty"),
    ]);
    let plain = try_unpack(&bytes).unwrap();
    let names: Vec<String> = plain.listing.entries().iter().map(super::super::Entry::display).collect();
    let expected = [
        "absolute",
        "bin",
        "bin/run",
        "empty",
        "lib",
        "lib/b",
        "lib/deep",
        "lib/deep/a",
        "lib/hard",
        "\"new\\nline\"",
        "\"\\xff\\xfe\"",
    ];
    assert_eq!(names, expected);
    assert_eq!(plain.absolute_links().lines().collect::<Vec<_>>(), ["absolute -> /etc/passwd"]);
    let run = &plain.listing.get(b"bin/run").unwrap().node;
    assert_eq!(*run, Node::File { executable: true, size: 600_000, digest: Sha256Digest::of(&big) });
    let digest = plain.listing.digest();
    assert_eq!(try_unpack(&gzip(&bytes)).unwrap().listing.digest(), digest);
    assert_eq!(try_unpack(&zstd::encode_all(&*bytes, 3).unwrap()).unwrap().listing.digest(), digest);
    let members = [gzip(&bytes[..1000]), gzip(&bytes[1000..])].concat();
    assert_eq!(try_unpack(&members).unwrap().listing.digest(), digest, "gzip of several members");
    let filled = [members, vec![0; 70_000]].concat();
    assert_eq!(try_unpack(&filled).unwrap().listing.digest(), digest, "zeros behind gzip");
    // pzstd and zstd:chunked write skippable frames before, between and after the others.
    let skip = [&[0x5d, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"for"].concat();
    let [first, second] = [&bytes[..1000], &bytes[1000..]].map(|part| zstd::encode_all(part, 3).unwrap());
    let frames = [&skip, &first, &skip, &second, &skip].map(Vec::as_slice).concat();
    assert_eq!(try_unpack(&frames).unwrap().listing.digest(), digest, "zstd with skippable frames");
}

#[test]
fn hostile_entries_are_refused_by_name() {
    let cases: Vec<(&str, Vec<RawEntry>)> = vec![
        ("leads upwards", vec![RawEntry::file(b"../canary/file", b"x")]),
        ("leads upwards", vec![RawEntry::file(b"a/../../canary/file", b"x")]),
        ("behind a symbolic link", vec![RawEntry::link(b"way", b"deep"), RawEntry::file(b"way/file", b"x")]),
        ("leads out of the tree", vec![RawEntry::link(b"way", b"../canary"), RawEntry::file(b"way/file", b"x")]),
        (
            "leads out of the tree",
            vec![
                RawEntry::link(b"a/b/way", b"../../x"),
                RawEntry::new(EntryType::Link, b"way", b"a/b/way", b"", 0o777),
            ],
        ),
        ("below a file", vec![RawEntry::file(b"a", b"x"), RawEntry::file(b"a/b", b"x")]),
        ("duplicate name", vec![RawEntry::file(b"a", b"x"), RawEntry::file(b"./a", b"y")]),
        ("duplicate name", vec![RawEntry::link(b"a", b"b"), RawEntry::file(b"a", b"y")]),
        ("duplicate name", vec![RawEntry::directory(b"a"), RawEntry::file(b"a", b"y")]),
        ("not an earlier entry", vec![RawEntry::new(EntryType::Link, b"a", b"../canary/file", b"", 0o644)]),
        ("not an earlier entry", vec![RawEntry::new(EntryType::Link, b"a", b"/etc/passwd", b"", 0o644)]),
        (
            "hard link to a directory",
            vec![RawEntry::directory(b"d"), RawEntry::new(EntryType::Link, b"a", b"d", b"", 0o644)],
        ),
        ("only in case", vec![RawEntry::file(b"lib/A.h", b"x"), RawEntry::file(b"lib/a.h", b"y")]),
        ("only in case", vec![RawEntry::file(b"lib/a.h", b"x"), RawEntry::file(b"lib/A.h", b"y")]),
        ("only in case", vec![RawEntry::file(b"LIB/a.h", b"x"), RawEntry::file(b"lIb/a.h", b"y")]),
        (
            "normal form",
            vec![RawEntry::file("caf\u{e9}".as_bytes(), b"x"), RawEntry::file("cafe\u{301}".as_bytes(), b"y")],
        ),
        ("character device", vec![RawEntry::new(EntryType::Char, b"null", b"", b"", 0o666)]),
        ("block device", vec![RawEntry::new(EntryType::Block, b"disk", b"", b"", 0o666)]),
        ("named pipe", vec![RawEntry::new(EntryType::Fifo, b"pipe", b"", b"", 0o666)]),
        ("setuid", vec![RawEntry::new(EntryType::Regular, b"su", b"", b"x", 0o4755)]),
    ];
    for (why, entries) in cases {
        let error = try_unpack(&raw_tar(&entries)).err().unwrap_or_else(|| panic!("{why}: accepted"));
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
}

#[test]
fn names_too_deep_or_too_long_are_refused() {
    let long = "x".repeat(200);
    for (name, why) in [
        (["d"; 65].join("/"), "64 deep"),
        ("x".repeat(256), "255 bytes"),
        ([long.as_str(); 16].join("/"), "3072 bytes"),
    ] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(0);
        header.set_mode(0o644);
        builder.append_data(&mut header, &name, std::io::empty()).unwrap();
        let error = try_unpack(&builder.into_inner().unwrap()).err().unwrap();
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.to_string().len() < 400, "{error}");
    }
}

#[test]
fn what_is_compressed_otherwise_or_no_archive_is_named() {
    let bytes = raw_tar(&[RawEntry::file(b"a", b"x")]);
    let mut bzip2 = Vec::new();
    bzip2::read::BzEncoder::new(&bytes[..], bzip2::Compression::fast()).read_to_end(&mut bzip2).unwrap();
    let mut lzma = Vec::new();
    let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
    let encoder = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
    liblzma::read::XzEncoder::new_stream(&bytes[..], encoder).read_to_end(&mut lzma).unwrap();
    for (bytes, name) in [
        (bzip2, "bzip2"),
        (lzma, "LZMA (.lzma)"),
        (b"\x04\x22\x4d\x18\x64\x40\xa7".to_vec(), "LZ4"),
        (b"\x1f\x9d\x90a\x02".to_vec(), "compress (.Z)"),
    ] {
        let error = try_unpack(&bytes).err().unwrap();
        assert_eq!(error.message(), format!("unsupported compression: {name}"));
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.to_string().contains("gzip, xz, zstd") && error.to_string().contains("hint: "), "{error}");
    }
    for (bytes, what) in [
        (&b"\xed\xab\xee\xdb\x03\0\0\0"[..], "an rpm package"),
        (b"!<arch>\ndebian-binary", "an `ar` archive, as Debian packages are"),
        (b"PK\x03\x04\x14\0", "a zip archive"),
        (b"<!doctype HTML><title>404</title>", "an HTML page"),
    ] {
        let error = try_unpack(bytes).err().unwrap();
        assert_eq!(error.message(), format!("expected a tar archive, found {what}"));
        assert_eq!(error.kind(), Kind::Mismatch);
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    let bytes = raw_tar(&[RawEntry::file(b"zeros", &vec![0; 2 << 20])]);
    for packed in [gzip(&bytes), zstd::encode_all(&*bytes, 3).unwrap()] {
        let error = try_unpack(&packed).err().unwrap();
        assert!(error.to_string().contains("`zeros`: the archive unpacks to more than the limit"), "{error}");
    }
    let many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    let entries: Vec<RawEntry> = many.iter().map(|name| RawEntry::file(name.as_bytes(), b"")).collect();
    let error = try_unpack(&raw_tar(&entries)).err().unwrap();
    assert!(error.to_string().contains("too many entries"), "{error}");
}

#[test]
fn names_and_targets_are_counted_before_they_are_kept() {
    let target = [b'x'; 90];
    let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let of = |make: &dyn Fn(&'static [u8]) -> RawEntry| {
        names.iter().map(|name| make(name.clone().into_bytes().leak())).collect::<Vec<_>>()
    };
    let links = of(&|name| RawEntry::new(EntryType::Symlink, name, target.to_vec().leak(), b"", 0o777));
    let mut hard = vec![RawEntry::file(b"first", b"x")];
    hard.extend(of(&|name| RawEntry::new(EntryType::Link, name, b"first", b"", 0o644)));
    for (entries, most) in [(of(&|name| RawEntry::file(name, b"")), 26_000), (links, 43_000), (hard, 27_500)] {
        for (most, enough) in [(most, false), (most + 2_000, true)] {
            let surroundings = Surroundings::new();
            let mut writer = TreeWriter::new(&surroundings.place(), Limits::default()).unwrap().with_names(most);
            let taken = untar(&raw_tar(&entries)[..], &mut writer, SpecialBits::Refuse);
            assert_eq!(taken.is_ok(), enough, "{most}: {}", writer.names_taken());
            if let Err(error) = taken {
                assert!(error.kind() == Kind::Invalid && error.to_string().contains("too much memory"), "{error}");
            }
        }
    }
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let bytes = raw_tar(&[RawEntry::file(b"a", &[1; 5000])]);
    let packed = gzip(&bytes);
    for cut in [1, 5, packed.len() / 2, packed.len() - 1] {
        assert!(try_unpack(&packed[..cut]).is_err(), "cut at {cut}");
    }
    let mut flipped = packed.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    assert_eq!(try_unpack(&flipped).err().unwrap().kind(), Kind::Mismatch, "the checksum of the compression");
    assert!(try_unpack(&[packed.clone(), b"garbage".to_vec()].concat()).is_err(), "garbage behind the compression");
    let behind_zeros = [packed.clone(), vec![0; 600], packed].concat();
    assert!(try_unpack(&behind_zeros).is_err(), "another member behind zeros");
    assert!(try_unpack(&[bytes, vec![1; 512]].concat()).is_err(), "garbage behind the archive");
    assert!(try_unpack(b"").is_err());
    assert!(try_unpack(b"<html>not found</html>").is_err());
}

/// Archives of GNU tar in each of its formats, with names and files that need the formats' extensions.
#[test]
fn what_gnu_tar_writes_is_read() {
    let source = tempfile::tempdir().unwrap();
    let long = ["directory-with-a-long-name"; 12].join("/");
    fs_err::create_dir_all(source.path().join(&long)).unwrap();
    let name = "a-file-with-a-name-that-alone-is-longer-than-one-hundred-bytes-which-is-all-that-old-headers-\
                have-room-for";
    fs_err::write(source.path().join(&long).join(name), "x").unwrap();
    std::os::unix::fs::symlink(format!("{long}/x"), source.path().join("long-link")).unwrap();
    fs_err::write(source.path().join("first"), "same").unwrap();
    fs_err::hard_link(source.path().join("first"), source.path().join("second")).unwrap();
    let sparse = fs_err::File::create(source.path().join("sparse")).unwrap();
    sparse.set_len(700_000).unwrap();
    std::os::unix::fs::FileExt::write_all_at(sparse.file(), b"middle", 300_000).unwrap();
    let expected = scan(source.path()).unwrap();
    for format in ["gnu", "pax", "oldgnu"] {
        for sparse in [&["--sparse"][..], &[]] {
            let tar = std::process::Command::new("tar")
                .arg("-cf-")
                .arg(format!("--format={format}"))
                .args(sparse)
                .arg(".")
                .current_dir(source.path())
                .output()
                .unwrap();
            assert!(tar.status.success());
            if format == "pax" && !sparse.is_empty() {
                let error = try_unpack(&tar.stdout).err().unwrap();
                assert!(error.to_string().contains("sparse file in PAX form"), "{error}");
                continue;
            }
            let unpacked = try_unpack(&tar.stdout).unwrap_or_else(|error| panic!("{format} {sparse:?}: {error}"));
            assert_eq!(unpacked.listing, expected, "{format} {sparse:?}");
        }
    }
}

#[test]
fn a_header_that_claims_to_be_huge_is_not_believed() {
    let name = vec![b'x'; 2 << 20];
    let error = try_unpack(&raw_tar(&[
        RawEntry::new(EntryType::GNULongName, b"././@LongLink", b"", &name, 0o644),
        RawEntry::file(b"a", b"x"),
    ]));
    let error = error.err().unwrap();
    assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
}
