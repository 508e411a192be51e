//! Packages of every kind, made by code: ordinary ones become the right tree in whatever order they come, hostile
//! ones are refused by name and leave the surroundings as they were.

use std::process::Command;

use proptest::prelude::*;
use tar::EntryType;

use super::*;
use crate::progress::Silent;
use crate::tree::testing::Surroundings;
use crate::tree::{Entry, Node, scan::scan, show};
use strixlock_demo::deb_maker::{Compression, Deb as Maker, ar};

const NO_LINKS: &[(&str, &str)] = &[];

fn unpack_bytes(debs: &[(&str, Vec<u8>)], links: &[(&str, &str)], usual: &[(&str, &str)]) -> Result<Unpacked> {
    let surroundings = Surroundings::new();
    let place = surroundings.place();
    let mut all = Vec::new();
    for (number, (name, bytes)) in debs.iter().enumerate() {
        let path = surroundings.path().join(format!("{number}.deb"));
        fs_err::write(&path, bytes).unwrap();
        let (name, version) = name.split_once('=').unwrap_or((name, "1"));
        all.push(wanted(name, version, path));
    }
    let links = links.iter().map(|(path, target)| ((*path).to_owned(), (*target).to_owned())).collect();
    let result = unpack(&all, &Links { wanted: &links, usual }, &place, &Silent);
    surroundings.check(debs.len());
    if let Ok(unpacked) = &result {
        assert_eq!(scan(&place.join("tree")).unwrap(), unpacked.listing, "the listing is not what is on disk");
    }
    result
}

fn wanted(name: &str, version: &str, path: PathBuf) -> Deb {
    Deb { name: name.to_owned(), version: DebVersion::parse(version).unwrap(), path }
}

fn unpack_made(debs: &[(&str, Maker)]) -> Result<Unpacked> {
    let made: Vec<_> = debs.iter().map(|(name, deb)| (*name, deb.make())).collect();
    unpack_bytes(&made, &[], NO_LINKS)
}

fn refused(debs: &[(&str, Maker)], why: &str) -> Error {
    let error = unpack_made(debs).err().unwrap_or_else(|| panic!("{why}: accepted"));
    assert!(error.to_string().contains(why), "{why}: {error}");
    error
}

/// Returns everything but dpkg's database.
fn names(listing: &Listing) -> Vec<String> {
    let shown = |entry: &Entry| match &entry.node {
        Node::Link { target } => format!("{} -> {}", entry.display(), show(target)),
        Node::File { executable: true, .. } => format!("{}*", entry.display()),
        _ => entry.display(),
    };
    let entries = listing.entries().iter().filter(|entry| !entry.path.starts_with(b"var"));
    entries.map(shown).filter(|name| !MERGED.contains(&name.as_str())).collect()
}

const MERGED: [&str; 9] = [
    "bin -> usr/bin",
    "lib -> usr/lib",
    "lib64 -> usr/lib64",
    "sbin -> usr/sbin",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/sbin",
];

#[test]
fn every_compression_gives_the_same_tree() {
    let package = Maker::new("hello", "1.0-1")
        .directory("usr/bin")
        .program("usr/bin/hello", b"#!/bin/sh\n")
        .entry(EntryType::Link, "./usr/bin/hi", "./usr/bin/hello", b"", 0o755)
        .file("usr/share/big", &vec![7; 700_000])
        .link("etc/alternatives/hello", "/usr/bin/hello")
        .info("md5sums", "0123  usr/bin/hello\n");
    let mut digests = Vec::new();
    for compression in [
        Compression::Xz,
        Compression::Plain,
        Compression::Gzip,
        Compression::Zstd,
        Compression::Bzip2,
        Compression::Lzma,
    ] {
        let unpacked = unpack_made(&[("hello=1.0-1", package.clone().compression(compression))]).unwrap();
        assert_eq!(
            names(&unpacked.listing),
            [
                "etc",
                "etc/alternatives",
                "etc/alternatives/hello -> /usr/bin/hello",
                "usr/bin/hello*",
                "usr/bin/hi*",
                "usr/share",
                "usr/share/big"
            ]
        );
        digests.push(unpacked.listing.digest());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[test]
fn the_database_says_what_is_installed() {
    let surroundings = tempfile::tempdir().unwrap();
    let mut debs = Vec::new();
    for (name, deb) in [
        (
            "zlib=1",
            Maker::new("zlib", "1").field("Multi-Arch", "same").field("Architecture", "amd64").file("lib/z", b"z"),
        ),
        (
            "awk=2:1-3",
            Maker::new("awk", "2:1-3")
                .field("Description", "x\n y")
                .program("bin/awk", b"a")
                .info("md5sums", "0  bin/awk\n"),
        ),
    ] {
        let path = surroundings.path().join(format!("{name}.deb"));
        fs_err::write(&path, deb.make()).unwrap();
        let (name, version) = name.split_once('=').unwrap();
        debs.push(wanted(name, version, path));
    }
    let place = surroundings.path().join("place");
    fs_err::create_dir(&place).unwrap();
    unpack(&debs, &Links { wanted: &BTreeMap::new(), usual: NO_LINKS }, &place, &Silent).unwrap();
    let read = |name: &str| fs_err::read_to_string(place.join("tree/var/lib/dpkg").join(name)).unwrap();
    assert_eq!(
        read("status"),
        "Package: awk\nStatus: install ok installed\nVersion: 2:1-3\nArchitecture: all\nDescription: x\n y\n\n\
         Package: zlib\nStatus: install ok installed\nVersion: 1\nMulti-Arch: same\nArchitecture: amd64\n"
    );
    assert_eq!(read("info/awk.list"), "/.\n/bin\n/bin/awk\n");
    assert_eq!(read("info/awk.md5sums"), "0  bin/awk\n");
    assert_eq!(read("info/zlib:amd64.list"), "/.\n/lib\n/lib/z\n");
    // Scanners ask dpkg itself, if there is one.
    let mut query = Command::new("dpkg-query");
    query.arg("--admindir").arg(place.join("tree/var/lib/dpkg"));
    query.args(["-f", "${Package} ${Version} ${db:Status-Status}\n", "-W"]);
    let Ok(output) = query.output() else { return };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "awk 2:1-3 installed\nzlib 1 installed\n");
}

#[test]
fn usr_is_merged_and_links_to_directories_are_followed() {
    let old = Maker::new("old", "1").program("bin/sh", b"s").file("lib/x86_64/libc.so", b"c").file("lib32/l", b"l");
    let base =
        Maker::new("base", "1").link("bin", "usr/bin").link("var/run", "/run").directory("run").link("opt/a", "b/c");
    let daemon =
        Maker::new("daemon", "1").file("var/run/daemon/pid", b"1").file("opt/a/x", b"x").file("lib64/ld.so", b"d");
    let debs = [("old", old), ("base", base), ("daemon", daemon)];
    let first = unpack_made(&debs).unwrap();
    assert_eq!(
        names(&first.listing),
        [
            "lib32 -> usr/lib32",
            "opt",
            "opt/a -> b/c",
            "opt/b",
            "opt/b/c",
            "opt/b/c/x",
            "run",
            "run/daemon",
            "run/daemon/pid",
            "usr/bin/sh*",
            "usr/lib/x86_64",
            "usr/lib/x86_64/libc.so",
            "usr/lib32",
            "usr/lib32/l",
            "usr/lib64/ld.so"
        ]
    );
    for order in [[0, 2, 1], [1, 0, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let turned: Vec<_> = order.iter().map(|at| debs[*at].clone()).collect();
        assert_eq!(unpack_made(&turned).unwrap().listing, first.listing, "{order:?}");
    }
}

#[test]
fn the_same_file_may_come_twice_and_another_only_where_it_replaces() {
    let one = Maker::new("one", "1").file("usr/share/common", b"same").file("etc/conf", b"1");
    let same = Maker::new("two", "1").file("usr/share/common", b"same");
    unpack_made(&[("one", one.clone()), ("two", same)]).unwrap();

    let other = Maker::new("two", "1").file("etc/conf", b"2");
    for debs in [[("one", one.clone()), ("two", other.clone())], [("two", other.clone()), ("one", one.clone())]] {
        let error = refused(&debs, "two packages have different entries at `etc/conf`");
        let text = error.to_string();
        assert!(
            text.contains("one 1 (all): a file, 1 bytes") && text.contains("two 1 (all): a file, 1 bytes"),
            "{text}"
        );
        assert!(text.contains("neither package declares to replace the other"), "{text}");
    }
    let diverting = other.clone().info("preinst", "#!/bin/sh\ndpkg-divert --add /etc/conf\n");
    let error = refused(&[("one", one.clone()), ("two", diverting)], "diverts files with dpkg-divert");
    assert!(error.to_string().contains("two 1 (all) diverts"), "{error}");

    let content = |unpacked: &Unpacked| match unpacked.listing.get(b"etc/conf").unwrap().node {
        Node::File { digest, .. } => digest,
        _ => panic!(),
    };
    let of = |text: &[u8]| crate::digest::Sha256Digest::of(text);
    let replacing = other.clone().field("Replaces", "one (<< 1.5)");
    for debs in [[("one", one.clone()), ("two", replacing.clone())], [("two", replacing.clone()), ("one", one.clone())]]
    {
        let unpacked = unpack_made(&debs).unwrap();
        assert_eq!(content(&unpacked), of(b"2"));
        // The list of a package lacks the file that was replaced.
        let list = unpacked.listing.get(b"var/lib/dpkg/info/one.list").unwrap();
        let left = "/.\n/etc\n/usr\n/usr/share\n/usr/share/common\n".len() as u64;
        assert!(matches!(list.node, Node::File { size, .. } if size == left));
    }
    refused(&[("one", one.clone()), ("two", other.clone().field("Replaces", "one (<< 1)"))], "different entries");
    // Each replaces the other, so the order decides.
    let both = one.field("Replaces", "two");
    assert_eq!(content(&unpack_made(&[("two", replacing), ("one", both)]).unwrap()), of(b"2"));
    let third = Maker::new("six", "1").file("etc/conf", b"3");
    refused(&[("two", other.field("Replaces", "one")), ("six", third)], "different entries");
}

#[test]
fn things_that_cannot_stand_together_are_refused() {
    let a = |deb: fn(Maker) -> Maker| ("a1", deb(Maker::new("a1", "1")));
    let b = |deb: fn(Maker) -> Maker| ("b1", deb(Maker::new("b1", "1").field("Replaces", "a1")));
    refused(&[a(|deb| deb.file("x", b"1")), b(|deb| deb.directory("x"))], "different entries at `x`");
    refused(&[a(|deb| deb.file("x", b"1")), b(|deb| deb.file("x/y", b"1"))], "different entries at `x`");
    refused(&[a(|deb| deb.file("y", b"1").link("x", "y")), b(|deb| deb.file("x/z", b"1"))], "different entries at `y`");
    refused(&[a(|deb| deb.file("bin", b"1"))], "the merged /usr: a link to usr/bin");
    refused(&[a(|deb| deb.link("x", "y").link("y", "x")), b(|deb| deb.file("x/z", b"1"))], "circle");
    refused(&[a(|deb| deb.link("x", "/../etc"))], "leads out of the root");
    refused(&[a(|deb| deb.link("x", "/a/../../etc")), b(|deb| deb.file("x/z", b"1"))], "out of the root");
    refused(&[a(|deb| deb.file("var/lib/dpkg/status", b"1"))], "dpkg's database");
    refused(&[a(|deb| deb), a(|deb| deb)], "duplicate package");
    refused(&[("other", Maker::new("a1", "1"))], "does not match the lock");
}

#[test]
fn hostile_packages_are_refused_by_name() {
    let raw = |kind, name: &'static [u8], target: &str, mode| {
        let contents: &[u8] = if kind == EntryType::Regular { b"x" } else { b"" };
        Maker::new("evil", "1").entry(kind, name, target, contents, mode)
    };
    for (why, deb) in [
        ("leads upwards", raw(EntryType::Regular, b"./../canary/file", "", 0o644)),
        ("leads upwards", raw(EntryType::Regular, b"usr/../../canary/file", "", 0o644)),
        ("leads out of the tree", raw(EntryType::Symlink, b"./way", "../canary", 0o777)),
        ("behind a symbolic link", Maker::new("evil", "1").link("way", "/tmp").file("way/x", b"x")),
        ("character device", raw(EntryType::Char, b"./dev/null", "", 0o666)),
        ("block device", raw(EntryType::Block, b"./dev/sda", "", 0o660)),
        ("named pipe", raw(EntryType::Fifo, b"./run/pipe", "", 0o600)),
        ("not an earlier entry", raw(EntryType::Link, b"./hard", "/etc/passwd", 0o644)),
        ("has a size, but is not a file", Maker::new("evil", "1").entry(EntryType::Symlink, "a", "b", b"x", 0o777)),
        ("duplicate name", Maker::new("evil", "1").file("a", b"1").file("a", b"2")),
        ("more than the limit", Maker::new("evil", "1").file("bomb", &vec![0; 65 << 20])),
        ("invalid control file", Maker::new("evil", "../1")),
        ("more than the limit", Maker::new("evil", "1").info("md5sums", &"0".repeat(65 << 20))),
    ] {
        let error = refused(&[("evil", deb)], why);
        assert!(error.to_string().starts_with("package evil: "), "{error}");
    }
}

#[test]
fn absolute_names_stand_below_the_root() {
    let deb = Maker::new("old", "1").entry(EntryType::Regular, b"/opt/strixlock-test", "", b"x", 0o644);
    let unpacked = unpack_made(&[("old", deb)]).unwrap();
    assert_eq!(names(&unpacked.listing), ["opt", "opt/strixlock-test"]);
    assert_eq!(unpacked.absolute, ["old: /opt/strixlock-test"]);
    assert!(!Path::new("/opt/strixlock-test").exists());
}

#[test]
fn setuid_files_lose_it_and_are_told() {
    let deb = Maker::new("mount", "1").entry(EntryType::Regular, "./bin/mount", "", b"m", 0o4755);
    let unpacked = unpack_made(&[("mount", deb)]).unwrap();
    assert_eq!(unpacked.special, ["mount: bin/mount"]);
    assert_eq!(names(&unpacked.listing), ["usr/bin/mount*"]);
}

#[test]
fn the_outer_form_is_demanded() {
    type Members = Vec<(String, Vec<u8>)>;
    let good: Members = Maker::new("evil", "1").file("a", b"1").members();
    let with = |change: &dyn Fn(&mut Members)| {
        let mut members = good.clone();
        change(&mut members);
        ar(&members)
    };
    let bytes = ar(&good);
    for (why, bytes) in [
        ("too short", Vec::new()),
        ("not an `ar` archive", b"!<arch>_".to_vec()),
        ("expected a `.deb`, found an rpm package", b"\xed\xab\xee\xdb\x03\0\0\0\0\x01".to_vec()),
        ("missing member control.tar", b"!<arch>\n".to_vec()),
        ("missing member data.tar", with(&|members| drop(members.pop()))),
        ("unexpected archive member", with(&|members| drop(members.remove(0)))),
        ("unexpected archive member", with(&|members| members.swap(1, 2))),
        ("unexpected archive member", with(&|members| members.push(members[2].clone()))),
        ("unexpected archive member", with(&|members| members.push(("extra".to_owned(), Vec::new())))),
        ("unknown format version", with(&|members| members[0].1 = b"3.0\n".to_vec())),
        ("unsupported compression", with(&|members| members[2].0 = "data.tar.br".to_owned())),
        ("unsupported compression", with(&|members| members[1].0 = "control.tar.bz2".to_owned())),
        ("one of its archives is empty", with(&|members| members[2] = ("data.tar".to_owned(), Vec::new()))),
        ("too many members", with(&|members| members.extend(vec![("_x".to_owned(), Vec::new()); 20]))),
        ("damaged", with(&|members| members[2].0 = "data.tar.gz".to_owned())),
        ("damaged member header", {
            let mut bytes = bytes.clone();
            bytes[8 + 48] = b'-';
            bytes
        }),
    ] {
        let error = unpack_bytes(&[("evil", bytes)], &[], NO_LINKS).err().unwrap_or_else(|| panic!("{why}: accepted"));
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    // Members for other programs are skipped; the last padding byte may be missing.
    let signed = with(&|members| members.push(("_gpgorigin".to_owned(), b"x".to_vec())));
    unpack_bytes(&[("evil", signed[..signed.len() - 1].to_vec())], &[], NO_LINKS).unwrap();
    for length in 0..bytes.len() - 1 {
        if length % 7 == 0 || length < 200 {
            assert!(unpack_bytes(&[("evil", bytes[..length].to_vec())], &[], NO_LINKS).is_err(), "{length}");
        }
    }
}

#[test]
fn links_are_made_where_they_lead_somewhere() {
    let gcc = Maker::new("gcc", "1").program("usr/bin/gcc", b"g").link("usr/bin/cpp", "gcc");
    let mawk = Maker::new("mawk", "1").program("usr/bin/mawk", b"m").program("usr/bin/c++", b"own");
    let debs = [("gcc", gcc.make()), ("mawk", mawk.make())];
    let usual = [
        ("usr/bin/cc", "clang"),
        ("usr/bin/cc", "gcc"),
        ("usr/bin/awk", "mawk"),
        ("usr/bin/awk", "gawk"),
        ("usr/bin/c++", "g++"),
    ];
    let unpacked = unpack_bytes(&debs, &[("bin/c89", "../bin/gcc"), ("usr/bin/cpp", "mawk")], &usual).unwrap();
    let made: Vec<String> = unpacked.links.iter().map(|(path, target)| format!("{path} -> {target}")).collect();
    assert_eq!(made, ["bin/c89 -> ../bin/gcc", "usr/bin/awk -> mawk", "usr/bin/cc -> gcc", "usr/bin/cpp -> mawk"]);
    assert_eq!(
        names(&unpacked.listing),
        [
            "usr/bin/awk -> mawk",
            "usr/bin/c++*",
            "usr/bin/c89 -> ../bin/gcc",
            "usr/bin/cc -> gcc",
            "usr/bin/cpp -> mawk",
            "usr/bin/gcc*",
            "usr/bin/mawk*"
        ]
    );
    for (link, why) in [
        (("usr/bin/x", "nothing"), "no package has its target"),
        (("usr/bin/gcc", "mawk"), "another entry there"),
        (("../x", "mawk"), "relative to the root"),
        (("usr/x", "../../mawk"), "leads out of the root"),
    ] {
        let error = unpack_bytes(&debs, &[link], &usual).err().unwrap();
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_damage_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = Maker::new("evil", "1").compression(Compression::Plain).file("a/b", b"1").link("c", "a").make();
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        let _ = unpack_bytes(&[("evil", bytes)], &[], NO_LINKS);
    }
}
