//! Archives that programs read differently, byte for byte: each is refused for its reason. Archives that all programs
//! read alike become that tree, which is compared with GNU tar's.

use super::super::unpack::{Unpacked, unpack};
use super::super::{Limits, scan::scan, testing::Surroundings};
use super::*;

/// One entry: a header with its contents, padded.
#[derive(Clone)]
struct Raw {
    block: [u8; BLOCK],
    body: Vec<u8>,
}

impl Raw {
    fn new(kind: u8, name: &[u8], body: &[u8]) -> Self {
        let mut raw = Self { block: [0; BLOCK], body: body.to_vec() };
        raw.put(0, name).put(100, b"0000644\0").put(257, b"ustar\x0000");
        raw.put(124, format!("{:011o}\0", body.len()).as_bytes()).block[156] = kind;
        raw
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        self.block[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Returns the entry with other bytes at this offset of its header.
    fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.put(at, bytes);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut block = self.block;
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut bytes = [block.as_slice(), &self.body].concat();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }
}

fn file(name: &[u8], body: &[u8]) -> Raw {
    Raw::new(b'0', name, body)
}

fn directory(name: &[u8]) -> Raw {
    Raw::new(b'5', name, b"").with(100, b"0000755\0")
}

fn link(kind: u8, name: &[u8], target: &[u8]) -> Raw {
    Raw::new(kind, name, b"").with(157, target)
}

fn long(kind: u8, text: &[u8]) -> Raw {
    Raw::new(kind, b"././@LongLink", &[text, b"\0"].concat()).with(257, b"ustar  \0")
}

fn pax(kind: u8, records: &[(&str, &str)]) -> Raw {
    let record = |(key, value): &(&str, &str)| {
        let rest = format!(" {key}={value}\n");
        let length =
            (rest.len()..rest.len() + 9).find(|length| length.to_string().len() + rest.len() == *length).unwrap();
        format!("{length}{rest}")
    };
    Raw::new(kind, b"PaxHeaders/x", records.iter().map(record).collect::<String>().as_bytes())
}

fn pax_raw(body: &[u8]) -> Raw {
    Raw::new(b'x', b"PaxHeaders/x", body)
}

/// Returns the entry with this size field.
fn sized(raw: Raw, field: &[u8]) -> Raw {
    raw.with(124, field)
}

fn sparse(real: u64, slots: &[(u64, u64)], body: &[u8]) -> Raw {
    let mut raw =
        Raw::new(b'S', b"sparse", body).with(257, b"ustar  \0").with(483, format!("{real:011o}\0").as_bytes());
    for (at, (offset, length)) in slots.iter().enumerate() {
        raw.put(386 + at * 24, format!("{offset:011o}\0{length:011o}\0").as_bytes());
    }
    raw
}

fn archive(entries: &[Raw]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(Raw::bytes).collect();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

fn try_unpack(bytes: &[u8]) -> Result<Unpacked> {
    let surroundings = Surroundings::new();
    let result = unpack(bytes, &surroundings.place(), Limits { bytes: 2 << 30, ..Limits::default() });
    surroundings.check(0);
    result
}

fn names(unpacked: &Unpacked) -> Vec<String> {
    unpacked.listing.entries().iter().map(crate::tree::Entry::display).collect()
}

#[test]
fn what_programs_read_differently_is_refused() {
    let a = || file(b"a", b"x");
    // A careless reader would skip this as contents.
    let inner = file(b"hidden", b"x").bytes();
    let body = |raw: Raw| Raw { body: inner.clone(), ..sized(raw, b"00000002000\0") };
    let cases: Vec<(&str, Vec<Raw>)> = vec![
        ("has a size, but is not a file", vec![a(), body(link(b'1', b"b", b"a"))]),
        ("has a size, but is not a file", vec![body(link(b'2', b"b", b"a"))]),
        ("has a size, but is not a file", vec![body(directory(b"b"))]),
        ("has a size, but is not a file", vec![body(Raw::new(0, b"b/", b""))]),
        ("has a size, but is not a file", vec![body(Raw::new(b'6', b"b", b""))]),
        ("has a size, but is not a file", vec![pax(b'x', &[("size", "512")]), body(link(b'2', b"b", b"a"))]),
        ("global header stands between", vec![pax(b'x', &[("path", "b")]), pax(b'g', &[("comment", "c")]), a()]),
        ("global header stands between", vec![pax(b'x', &[("size", "1")]), pax(b'g', &[]), a()]),
        ("global header stands between", vec![long(b'L', b"b"), pax(b'g', &[("comment", "c")]), a()]),
        (
            "global header stands between",
            vec![long(b'K', b"b"), pax(b'g', &[("comment", "c")]), link(b'2', b"c", b"a")],
        ),
        ("to all entries", vec![pax(b'g', &[("path", "b")]), a()]),
        ("to all entries", vec![pax(b'g', &[("linkpath", "b")]), a(), link(b'2', b"c", b"a")]),
        ("to all entries", vec![pax(b'g', &[("size", "1")]), a()]),
        ("to all entries", vec![pax(b'g', &[("GNU.sparse.major", "1")]), a()]),
        ("duplicate key", vec![pax(b'x', &[("path", "b"), ("path", "c")]), a()]),
        ("duplicate key", vec![pax(b'x', &[("linkpath", "b"), ("linkpath", "c")]), link(b'2', b"d", b"a")]),
        ("duplicate key", vec![pax(b'x', &[("size", "1"), ("size", "2")]), a()]),
        ("headers of one kind", vec![pax(b'x', &[("path", "b")]), pax(b'x', &[("mtime", "1")]), a()]),
        ("headers of one kind", vec![long(b'L', b"b"), long(b'L', b"c"), a()]),
        ("headers of one kind", vec![long(b'K', b"b"), long(b'K', b"c"), link(b'2', b"d", b"a")]),
        ("two names", vec![pax(b'x', &[("path", "b")]), long(b'L', b"c"), a()]),
        ("two names", vec![long(b'L', b"c"), pax(b'x', &[("path", "b")]), a()]),
        ("two names", vec![pax(b'x', &[("linkpath", "b")]), long(b'K', b"c"), link(b'2', b"d", b"a")]),
        ("after an extended header, without its entry", vec![a(), pax(b'x', &[("path", "b")])]),
        ("after an extended header, without its entry", vec![a(), long(b'L', b"b")]),
        ("a name prefix in a form of header", vec![a().with(345, b"p").with(263, b"\0\0")]),
        ("a name prefix in a form of header", vec![a().with(345, b"p").with(263, b"  ")]),
        ("a name prefix in a form of header", vec![a().with(345, b"p").with(263, b"01")]),
        ("a name prefix in a form of header", vec![a().with(345, b"p").with(257, b"ustar00\0")]),
        ("a name prefix in a form of header", vec![a().with(345, b"p").with(257, &[0; 8])]),
        ("a name prefix without a name", vec![Raw::new(0, b"", b"").with(345, b"p")]),
        ("ends like a directory's", vec![file(b"a/", b"")]),
        ("ends like a directory's", vec![Raw::new(b'7', b"a/", b"")]),
        ("ends like a directory's", vec![file(b"a/.", b"")]),
        ("ends like a directory's", vec![link(b'2', b"a/", b"b")]),
        ("ends like a directory's", vec![a(), link(b'1', b"b/", b"a")]),
        ("ends like a directory's", vec![pax(b'x', &[("path", "b/")]), a()]),
        ("ends like a directory's", vec![long(b'L', b"b/"), Raw::new(0, b"b", b"")]),
        ("have different names", vec![long(b'L', b"b"), Raw::new(0, b"b/", b"")]),
        ("have different names", vec![pax(b'x', &[("path", "b")]), Raw::new(0, b"b/", b"")]),
        ("to the name of a directory", vec![a(), link(b'1', b"b", b"a/")]),
    ];
    demand_refused(cases);
}

#[test]
fn what_cannot_be_read_for_sure_is_refused() {
    let a = || file(b"a", b"x");
    let b256 = |bytes: &[u8]| {
        let mut field = [0; 12];
        field[..bytes.len()].copy_from_slice(bytes);
        field[11] = 1;
        sized(a(), &field)
    };
    let cases: Vec<(&str, Vec<Raw>)> = vec![
        ("size is too large", vec![b256(&[0x80, 0, 0, 1])]),
        ("size is too large", vec![b256(&[0x81])]),
        ("size is too large", vec![b256(&[0xc0])]),
        ("size is too large", vec![b256(&[0xff])]),
        ("size is too large", vec![b256(&[0x80, 0, 0, 0, 0x80])]),
        ("invalid size", vec![sized(a(), b"0000000001x\0")]),
        ("invalid size", vec![sized(a(), b"-0000000001\0")]),
        ("invalid size", vec![sized(a(), b"            ")]),
        ("invalid size", vec![sized(a(), b"\x0000000000001"[..12].try_into().unwrap())]),
        ("invalid size", vec![sized(a(), b"0000001 001\0")]),
        ("invalid size", vec![sized(a(), b"00000000008\0")]),
        ("invalid mode", vec![a().with(100, b"rw-r--r-")]),
        ("invalid size in its extended header", vec![pax(b'x', &[("size", "0x1")]), a()]),
        ("invalid size in its extended header", vec![pax(b'x', &[("size", "-1")]), a()]),
        ("invalid size in its extended header", vec![pax(b'x', &[("size", "")]), a()]),
        ("invalid size in its extended header", vec![pax(b'x', &[("size", "1.0")]), a()]),
        ("invalid size in its extended header", vec![pax(b'x', &[("size", " 1")]), a()]),
        ("invalid size in its extended header", vec![pax(b'x', &[("size", "18446744073709551617")]), a()]),
        ("invalid size in its extended header", vec![pax(b'x', &[("size", "9223372036854775808")]), a()]),
        ("empty or contains a zero", vec![pax(b'x', &[("path", "")]), a()]),
        ("empty or contains a zero", vec![pax(b'x', &[("path", "b\0c")]), a()]),
        ("empty or contains a zero", vec![pax(b'x', &[("linkpath", "")]), link(b'2', b"c", b"a")]),
        ("empty or contains a zero", vec![long(b'L', b""), a()]),
        ("empty or contains a zero", vec![long(b'L', b"b\0c"), a()]),
        ("empty or contains a zero", vec![long(b'K', b"b\0c"), link(b'2', b"c", b"a")]),
        ("malformed record in its extended header", vec![pax_raw(b"10 path=b"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b"99 path=b\n"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b"8 path=b\n"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b"9 path=b\nx"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b" 10 path=b\n"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b"+10 path=b\n"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b"99999999999999999999999 path=b\n"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b"10 path=b\n\0\0\0"), a()]),
        ("malformed record in its extended header", vec![pax_raw(b"x"), a()]),
        ("without a key", vec![pax_raw(b"8 pathb\n"), a()]),
        ("without a key", vec![pax_raw(b"6 =bc\n"), a()]),
        ("sparse file in PAX form", vec![pax(b'x', &[("GNU.sparse.name", "b"), ("GNU.sparse.size", "9")]), a()]),
        ("sparse file in PAX form", vec![pax(b'x', &[("SCHILY.realsize", "9")]), a()]),
        ("sparse file in PAX form", vec![pax(b'x', &[("GNU.volume.offset", "9")]), a()]),
        ("sparse file in two forms", vec![pax(b'x', &[("size", "1")]), sparse(9, &[(0, 1)], b"x")]),
        ("ambiguous", vec![sparse(9, &[(4, 1), (0, 1)], b"xy")]),
        ("ambiguous", vec![sparse(9, &[(0, 2), (1, 1)], b"xyz")]),
        ("ambiguous", vec![sparse(9, &[(0, 1)], b"xy")]),
        ("ambiguous", vec![sparse(9, &[(0, 1), (4, 1)], b"xy")]),
        ("ambiguous", vec![sparse(1, &[(0, 2)], b"xy")]),
        ("ambiguous", vec![sparse(9, &[(0, 2)], b"xy")]),
        ("ambiguous", vec![sparse(9, &[(0, 1)], b"x").with(482, b"\x01"), a()]),
        ("ambiguous", vec![sparse(9, &[(0, 1)], b"x").with(386 + 72, b"00000000002\x0000000000000\0")]),
        ("exceed 1 GiB", vec![sparse((1 << 30) + 2, &[(0, 1), ((1 << 30) + 2, 0)], b"x")]),
        ("not a directory, file, or link", vec![Raw::new(b'X', b"a", b"10 path=b\n"), a()]),
        ("not a directory, file, or link", vec![Raw::new(b'V', b"label", b""), a()]),
        ("not a directory, file, or link", vec![Raw::new(b'D', b"a", b""), a()]),
        ("link without a target", vec![link(b'2', b"a", b"")]),
    ];
    demand_refused(cases);
}

fn demand_refused(cases: Vec<(&str, Vec<Raw>)>) {
    for (why, entries) in cases {
        let shown: Vec<String> = entries.iter().map(|raw| raw.block[..16].escape_ascii().to_string()).collect();
        let error = try_unpack(&archive(&entries)).err().unwrap_or_else(|| panic!("{why}: accepted: {shown:?}"));
        assert!(error.to_string().contains(why), "{why}: {error}");
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
}

/// Each case has the names that it holds; GNU tar makes the same tree.
#[test]
fn what_all_read_alike_is_taken() {
    let a = || file(b"a", b"x");
    let old = |mut raw: Raw| {
        raw.put(257, &[0; 8]);
        if raw.block[156] == b'0' {
            raw.block[156] = 0;
        }
        raw
    };
    let many: Vec<(u64, u64)> = (0..4).map(|at| (at * 2000, 512)).collect();
    let cases: Vec<(&[&str], Vec<Raw>)> = vec![
        // In Unix Version 7 a directory is a name that ends in a slash.
        (&["d", "d/a"], vec![old(Raw::new(0, b"d/", b"")), old(file(b"d/a", b"x"))]),
        (&["a", "d"], vec![Raw::new(0, b"d/", b""), Raw::new(b'7', b"a", b"x")]),
        (&["p", "p/a"], vec![a().with(345, b"p")]),
        // GNU's form has times there.
        (&["a"], vec![a().with(257, b"ustar  \0").with(345, b"14735702460")]),
        (&["a"], vec![a().with(263, b"\0\0")]),
        (
            &["a", "b"],
            vec![
                pax(b'g', &[("comment", "a commit"), ("comment", "twice")]),
                pax(b'x', &[("path", "b")]),
                file(b"x", b""),
                a(),
            ],
        ),
        (
            &["b"],
            vec![
                pax(b'x', &[("size", "3"), ("path", "b"), ("mtime", "1.5")]),
                sized(file(b"x", b"abc"), b"00000000000\0"),
            ],
        ),
        (&["b"], vec![pax(b'x', &[("mtime", "1")]), long(b'L', b"b"), a()]),
        (&["a", "c"], vec![a(), long(b'K', b"a"), long(b'L', b"c"), link(b'2', b"x", b"y")]),
        (&["a", "c"], vec![a(), long(b'L', b"c"), long(b'K', b"a"), link(b'1', b"x", b"y")]),
        (&["a"], vec![sized(a(), &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]),
        (&["a"], vec![sized(a(), b"          1 ")]),
        (&["a"], vec![sized(a(), b"1\0garbage00!")]),
        (&["a"], vec![a().with(100, b"0100644\0")]),
        (&["a"], vec![directory(b"./"), a()]),
        (&["a"], vec![directory(b"/"), a()]),
        (&["d", "d/a"], vec![directory(b"d/."), file(b"./d//a", b"x")]),
        (&["sparse"], vec![sparse(700_000, &[(100, 512), (4096, 3), (700_000, 0)], &[b'x'; 515])]),
        (&["sparse"], vec![sparse(6512, &many, &[b'x'; 2048])]),
    ];
    for (expected, entries) in cases {
        let bytes = archive(&entries);
        let unpacked = try_unpack(&bytes).unwrap_or_else(|error| panic!("{expected:?}: {error}"));
        assert_eq!(names(&unpacked), expected);
        let place = tempfile::tempdir().unwrap();
        let archive = place.path().join("archive.tar");
        fs_err::write(&archive, &bytes).unwrap();
        fs_err::create_dir(place.path().join("tree")).unwrap();
        let mut tar = std::process::Command::new("tar");
        let output = tar.arg("-xf").arg(&archive).arg("-C").arg(place.path().join("tree")).output().unwrap();
        assert!(output.status.success(), "{expected:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(scan(&place.path().join("tree")).unwrap(), unpacked.listing, "{expected:?}");
    }
}

#[test]
fn absolute_names_stand_below_the_root_and_are_told() {
    let entries = [
        file(b"/usr/a", b"x"),
        link(b'1', b"//usr/b", b"/usr/a"),
        link(b'1', b"usr/c", b"/usr/a"),
        link(b'2', b"usr/d", b"/etc/passwd"),
    ];
    let unpacked = try_unpack(&archive(&entries)).unwrap();
    assert_eq!(names(&unpacked), ["usr", "usr/a", "usr/b", "usr/c", "usr/d"]);
    assert_eq!(unpacked.remarks.absolute.lines().collect::<Vec<_>>(), ["/usr/a", "//usr/b", "usr/c"]);
    assert_eq!(unpacked.absolute_links().lines().collect::<Vec<_>>(), ["usr/d -> /etc/passwd"]);
    for upwards in [&b"/../canary/file"[..], b"/a/../../canary/file"] {
        let error = try_unpack(&archive(&[file(upwards, b"x")])).err().unwrap();
        assert!(error.to_string().contains("leads upwards"), "{error}");
    }
}

#[test]
fn zeros_behind_the_end_have_an_end() {
    let with = |zeros: u64| {
        let mut read = Entries::new(io::Cursor::new(archive(&[file(b"a", b"x")])).chain(io::repeat(0).take(zeros)));
        while read.next().unwrap().is_some() {}
        read.finish()
    };
    with(10 << 10).unwrap();
    let error = with(u64::MAX).unwrap_err();
    assert!(error.to_string().contains("64 MiB of zeros after"), "{error}");
}

#[test]
fn what_is_cut_off_is_damaged_wherever_that_is() {
    let whole = archive(&[long(b'L', b"b"), file(b"a", &[7; 700]), sparse(1600, &[(1000, 600)], &[8; 600])]);
    for length in 1..whole.len() - 2 * BLOCK {
        // At a header's boundary nobody can tell; the entry that the long name is for is missing there.
        let boundary = matches!(length, 1024 | 2560);
        let error = try_unpack(&whole[..length]).err();
        if length == 2560 {
            assert!(error.is_none());
        } else {
            assert_eq!(error.unwrap().kind(), if boundary { Kind::Invalid } else { Kind::Mismatch }, "{length}");
        }
    }
}

#[test]
fn things_told_are_few_however_many_there_are() {
    let mut told = crate::tree::Notes::default();
    (0..1_000_000).for_each(|number| told.push(|| number.to_string()));
    assert_eq!((told.count(), told.lines().count()), (1_000_000, 101));
    assert_eq!(told.lines().last().unwrap(), "999900 more");
}
