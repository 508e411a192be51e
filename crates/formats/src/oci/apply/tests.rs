//! Layers as tools write them, and hostile ones.

use std::io::Read as _;

use tar::EntryType;

use super::receiver::unpack;
use super::*;
use crate::digest::Sha256Digest;
use crate::error::Kind;
use crate::progress::Silent;
use crate::tree::show;
use crate::tree::testing::Surroundings;
use strixlock_demo::deb_maker::{Compression, compress};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

/// Returns an archive of a file `path=contents`, a directory `path/`, a link `path -> target`, a hard link `path ==
/// earlier`, a device `path %c`, `path %b` or a named pipe `path %p`.
fn archive(entries: &[&str]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_mtime(1);
        let (name, kind, target, contents) = if let Some((path, target)) = entry.split_once(" -> ") {
            (path, EntryType::Symlink, target, "")
        } else if let Some((path, target)) = entry.split_once(" == ") {
            (path, EntryType::Link, target, "")
        } else if let Some((path, kind)) = entry.split_once(" %") {
            let kind = match kind {
                "c" => EntryType::Char,
                "b" => EntryType::Block,
                _ => EntryType::Fifo,
            };
            (path, kind, "", "")
        } else if let Some((path, contents)) = entry.split_once('=') {
            (path, EntryType::Regular, "", contents)
        } else {
            (*entry, EntryType::Directory, "", "")
        };
        header.set_entry_type(kind);
        header.set_size(contents.len() as u64);
        // The library's setter refuses hostile names.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        archive.append(&header, contents.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn applied_bytes(layers: &[(Vec<u8>, &str, Sha256Digest)]) -> Result<String> {
    let directory = tempfile::tempdir().unwrap();
    // Nothing around the tree is touched, whatever the result.
    let surroundings = Surroundings::new();
    let applied = applied_in(layers, directory.path(), &surroundings.place());
    surroundings.check(0);
    applied
}

fn applied_in(layers: &[(Vec<u8>, &str, Sha256Digest)], directory: &Path, place: &Path) -> Result<String> {
    let mut paths = Vec::new();
    for (number, (bytes, ..)) in layers.iter().enumerate() {
        let path = directory.join(format!("{number}.tar"));
        fs_err::write(&path, bytes).unwrap();
        paths.push(path);
    }
    let files: Vec<LayerFile> = layers
        .iter()
        .zip(&paths)
        .map(|((_, media_type, diff_id), path)| LayerFile { path, media_type, diff_id: *diff_id })
        .collect();
    let applied = apply(&files, place, &Silent)?;
    // The listing agrees with the tree on disk.
    assert_eq!(crate::tree::scan::scan(&place.join("tree")).unwrap(), applied.listing);
    let mut seen = Vec::new();
    for entry in applied.listing.entries() {
        let path = entry.display();
        seen.push(match &entry.node {
            Node::Directory => format!("{path}/"),
            Node::Link { target } => format!("{path} -> {}", show(target)),
            Node::File { .. } => format!("{path}={}", fs_err::read_to_string(place.join("tree").join(&path)).unwrap()),
        });
    }
    seen.extend(applied.left_out.lines().map(|line| format!("[{}]", line.replace(", `", ": ").replace('`', ""))));
    Ok(seen.join(" "))
}

fn applied(layers: &[&[&str]]) -> Result<String> {
    let layers: Vec<_> = layers
        .iter()
        .map(|entries| {
            let archive = archive(entries);
            let diff_id = Sha256Digest::of(&archive);
            (compress(&archive, Compression::Gzip), GZIP, diff_id)
        })
        .collect();
    applied_bytes(&layers)
}

#[test]
fn layers_are_laid_over_each_other() {
    for (layers, seen) in [
        (&[&["a=1", "d/", "d/x=1"][..], &["a=2", "d/y=2"]][..], "a=2 d/ d/x=1 d/y=2"),
        // Whiteouts of a file, of a directory, and of a missing entry, in an unusual order.
        (&[&["a=1", "d/x=1", "d/e/f=1", "k=1"], &[".wh.a=", "d/.wh.e=", ".wh.never="]], "d/ d/x=1 k=1"),
        (&[&["d/x=1"], &["d/x=2", "d/.wh.x="]], "d/ d/x=2"),
        // An opaque directory shows its own layer's entries.
        (&[&["d/x=1", "d/e/f=1"], &["d/y=2", "d/.wh..wh..opq="]], "d/ d/y=2"),
        (&[&["a=1", "d/x=1"], &[".wh..wh..opq=", "b=2"]], "b=2"),
        // A directory over a file, a file over a directory, and names with the same beginning.
        (&[&["a=1", "d/x=1", "d-e=1", "d0=1"], &["a/", "a/x=2", "d=2"]], "a/ a/x=2 d=2 d-e=1 d0=1"),
        (&[&["lib -> usr/lib", "usr/lib/"], &["lib/", "lib/x=1"]], "lib/ lib/x=1 usr/ usr/lib/"),
        // A directory in place of a link hides nothing behind the link.
        (&[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/", "lib/.wh.x="]], "lib/ usr/ usr/lib/ usr/lib/x=1"),
        (
            &[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/", "lib/.wh..wh..opq=", "lib/y=1"]],
            "lib/ lib/y=1 usr/ usr/lib/ usr/lib/x=1",
        ),
        (&[&["lib -> usr/lib", "usr/lib/x=1"], &[".wh.lib="]], "usr/ usr/lib/ usr/lib/x=1"),
        // A whiteout affects lower layers only; later ones can add the name again.
        (&[&["a=1"], &[".wh.a="], &["a=3"]], "a=3"),
        (&[&["a=1", "b == a"], &[".wh.a="]], "b=1"),
        (&[&["a=1", ".wh..wh.aufs=", ".wh..wh.plnk/"]], "a=1"),
        // Whiteouts are recognised by their names, whatever their type.
        (&[&["a=1", "b=1", "c=1"], &[".wh.a -> /etc/passwd", ".wh.b/", ".wh.c %c"]], ""),
        (&[&["d/x=1"], &["d/.wh..wh..opq -> x"]], "d/"),
    ] {
        assert_eq!(applied(layers).unwrap(), seen, "{layers:?}");
    }
}

#[test]
fn names_are_taken_below_the_root() {
    for (layers, seen) in [
        (&[&["/", "./", "a=1"][..]][..], "a=1"),
        (&[&["/etc/", "/etc/x=1", "//etc/./y=2", "/bin/sh == /etc/x"]], "bin/ bin/sh=1 etc/ etc/x=1 etc/y=2"),
        (&[&["etc/x=1", "etc/y=1"], &["/etc/.wh.x="]], "etc/ etc/y=1"),
    ] {
        assert_eq!(applied(layers).unwrap(), seen, "{layers:?}");
    }
}

#[test]
fn devices_and_pipes_are_left_out_and_told() {
    for (layers, seen) in [
        (&[&["dev/", "dev/null %c", "a=1"][..]][..], "a=1 dev/ [a character device: dev/null]"),
        (&[&["dev/sda %b", "dev/initctl %p"]], "dev/ [a named pipe: dev/initctl] [a block device: dev/sda]"),
        // A device hides lower entries of its name, and a hard link to a device is one.
        (&[&["x=1", "y/z=1"], &["x %c", "y %p"]], "[a character device: x] [a named pipe: y]"),
        (&[&["x %c", "y == x"]], "[a character device: x] [a character device: y]"),
        (&[&["x %c"], &["x=2"]], "x=2 [a character device: x]"),
        (
            &[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/x %c"]],
            "lib -> usr/lib usr/ usr/lib/ [a character device: lib/x]",
        ),
    ] {
        assert_eq!(applied(layers).unwrap(), seen, "{layers:?}");
    }
}

#[test]
fn entries_behind_a_lower_layer_s_link_are_where_it_leads() {
    let lower: &[&str] = &["lib -> usr/lib", "usr/lib/x=1", "usr/lib/d/e=1"];
    let base = "lib -> usr/lib usr/ usr/lib/";
    for (upper, seen) in [
        (&["lib/y=2"][..], "usr/lib/d/ usr/lib/d/e=1 usr/lib/x=1 usr/lib/y=2"),
        (&["lib/x=2", "lib/d/f=2"], "usr/lib/d/ usr/lib/d/e=1 usr/lib/d/f=2 usr/lib/x=2"),
        (&["lib/new/deep/", "lib/d=2"], "usr/lib/d=2 usr/lib/new/ usr/lib/new/deep/ usr/lib/x=1"),
        (
            &["lib/y=2", "lib/z == lib/y", "lib/l -> ../d"],
            "usr/lib/d/ usr/lib/d/e=1 usr/lib/l -> ../d usr/lib/x=1 usr/lib/y=2 usr/lib/z=2",
        ),
        (&["usr/lib/y=2", "lib/z=2"], "usr/lib/d/ usr/lib/d/e=1 usr/lib/x=1 usr/lib/y=2 usr/lib/z=2"),
        // Whiteouts follow links as well.
        (&["lib/.wh.x=", "lib/d/.wh..wh..opq="], "usr/lib/d/"),
        (&["lib/.wh.d="], "usr/lib/x=1"),
        (&["lib/d/.wh.e=", "lib/d/e/f=2"], "usr/lib/d/ usr/lib/d/e/ usr/lib/d/e/f=2 usr/lib/x=1"),
        (&["lib/never/.wh.e="], "usr/lib/d/ usr/lib/d/e=1 usr/lib/x=1"),
    ] {
        assert_eq!(applied(&[lower, upper]).unwrap(), format!("{base} {seen}"), "{upper:?}");
    }
    for (layers, seen) in [
        // Absolute targets, and those that climb too far, stay below the root.
        (&[&["a -> /b", "b/"][..], &["a/x=1"]][..], "a -> /b b/ b/x=1"),
        (&[&["var/run -> /../../run", "run/"], &["var/run/x=1"]], "run/ run/x=1 var/ var/run -> /../../run"),
        (
            &[&["a -> b", "b -> c/../d", "c/", "d/"], &["a/x=1"], &["a/.wh.x=", "b/y=1"]],
            "a -> b b -> c/../d c/ d/ d/y=1",
        ),
        (&[&["a/b -> ..", "c/"], &["a/b/c/x=1", "a/b/y=1"]], "a/ a/b -> .. c/ c/x=1 y=1"),
        // A whiteout behind a dangling link hides nothing.
        (&[&["a -> b"], &["a/.wh.x="]], "a -> b"),
    ] {
        assert_eq!(applied(layers).unwrap(), seen, "{layers:?}");
    }
}

#[test]
fn hard_links_may_lead_into_lower_layers() {
    for (layers, seen) in [
        (&[&["a=1"][..], &["b == a", "d/c == b"]][..], "a=1 b=1 d/ d/c=1"),
        (&[&["z=1"], &["a == z", ".wh.z="]], "a=1"),
        (&[&["z=1"], &["a == z"], &["z=2"], &["b == a", "c == z"]], "a=1 b=1 c=2 z=2"),
        (
            &[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/y == lib/x"]],
            "lib -> usr/lib usr/ usr/lib/ usr/lib/x=1 usr/lib/y=1",
        ),
        (&[&["l -> x"], &["m == l"]], "l -> x m -> x"),
        (&[&["a=1", "d/e=1"], &["d == a"]], "a=1 d=1"),
    ] {
        assert_eq!(applied(layers).unwrap(), seen, "{layers:?}");
    }
}

#[test]
fn whiteouts_are_counted_before_they_are_kept() {
    let whiteout = |name: &str| format!("{name}=");
    let long = whiteout(&format!(".wh.{}", "x".repeat(90)));
    let deep = whiteout(&format!("{}.wh.x", "d/".repeat(40)));
    let taken = |entries: &[&str], limits: Limits, names: u64| {
        let bytes = archive(entries);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), &bytes).unwrap();
        let place = tempfile::tempdir().unwrap();
        let layer = LayerFile { path: file.path(), media_type: PLAIN, diff_id: Sha256Digest::of(&bytes) };
        let mut left = Budget { tree: limits, names };
        unpack(&layer, place.path(), &mut left).map(|_| (left.tree.entries, left.names))
    };
    let few = Limits { entries: 3, ..LIMITS };
    assert_eq!(taken(&["a=1", ".wh.b=", ".wh..wh..opq="], few, 1000).unwrap(), (0, 1000 - 1 - 5 - 12 - 3 * 128));
    for (entries, names, why) in [
        (&["a=1", ".wh.b=", "c=1", ".wh.d="][..], 1000, "too many entries"),
        (&[".wh.a=", ".wh.a=", ".wh.a=", ".wh.a="], 1000, "too many entries"),
        (&["a %c", "b %c", "c %c", "d %c"], 1000, "too many entries"),
        (&[".wh..wh..opq=", ".wh..wh..opq=", "a=1", "b=1"], 1000, "too many entries"),
        (&[&long], 128 + 90, "40 MiB"),
        (&[&long.replace('=', " -> t")], 128 + 90, "40 MiB"),
        (&["abcdef %c"], 128 + 5, "40 MiB"),
        (&["abcdef/"], 128 + 5, "40 MiB"),
        (&["a -> bcdef"], 128 + 5, "40 MiB"),
        (&[&deep], 1000, ""),
    ] {
        let answer = taken(entries, few, names);
        match why {
            "" => drop(answer.unwrap()),
            why => assert!(answer.as_ref().unwrap_err().to_string().contains(why), "{entries:?}: {why}"),
        }
    }
    // Names that no tree can hold hide nothing either.
    let mut builder = tar::Builder::new(Vec::new());
    for (name, why) in
        [(format!("{}.wh.x", "d/".repeat(70)), "nested"), (format!(".wh.{}", "x".repeat(300)), "255 bytes")]
    {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(0);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &b""[..]).unwrap();
        let bytes = std::mem::replace(&mut builder, tar::Builder::new(Vec::new())).into_inner().unwrap();
        let error = applied_bytes(&[(bytes.clone(), PLAIN, Sha256Digest::of(&bytes))]).unwrap_err();
        assert!(error.kind() == Kind::Invalid && error.to_string().contains(why), "{error}");
        assert!(error.to_string().len() < 400, "a name fills the terminal: {error}");
    }
}

#[test]
fn what_nobody_should_write_is_refused() {
    for (layers, why) in [
        (&[&["../x=1"][..]][..], "leads upwards"),
        (&[&["/../x=1"]], "leads upwards"),
        (&[&["../.wh.x="]], "a whiteout without a name"),
        (&[&["/../.wh.x="]], "a whiteout without a name"),
        (&[&["d/.wh..="]], "a whiteout without a name"),
        (&[&["d/.wh...="]], "a whiteout without a name"),
        (&[&["d/.wh.="]], "a whiteout without a name"),
        (&[&["a -> /etc", "a/x=1"]], "behind a symbolic link"),
        (&[&["a -> /etc"], &["a/x=1"]], "symbolic link of a lower layer that does not lead to a directory"),
        (&[&["a -> b", "b -> a"], &["a/x=1"]], "does not lead to a directory"),
        (&[&["a -> b", "b=1"], &["a/x=1"]], "does not lead to a directory"),
        // Engines disagree about these.
        (&[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/.wh..wh..opq="]], "whiteouts behind `lib`"),
        (&[&["a/b/x=1", "c -> a"], &["c -> a", "c/b/.wh..wh..opq="]], "whiteouts behind `c`"),
        (&[&["lib -> usr/lib", "usr/lib/"], &["lib/x=1", "usr/lib/x=2"]], "duplicate name"),
        (&[&["lib -> usr/lib", "usr/lib/"], &["lib/x=1", "usr/lib/x/y=2"]], "duplicate name"),
        (&[&["lib -> usr/lib", "usr/lib/"], &["lib/x=1", "usr/lib=2"]], "duplicate name"),
        (&[&["lib -> usr/lib", "usr/lib/"], &["a/", "lib/x=1", "usr/lib -> ../a"]], "duplicate name"),
        (&[&["a -> b", "b/", "c/"], &["a/l -> ../c", "b/l/x=1"]], "of the same layer"),
        (&[&["z -> b", "b/", "c/"], &["b/l -> ../c", "z/l/x=1"]], "of the same layer"),
        (&[&["a -> b/m", "b/m/", "c/"], &["b/m -> ../c", "a/x=1"]], "duplicate name"),
        (&[&["z -> b/m", "b/m/", "c/"], &["b/m -> ../c", "z/x=1"]], "of the same layer"),
        // A link that was placed elsewhere leads elsewhere.
        (&[&["a/b/c -> ../..", "d/"], &["a/b/c/up -> ../../x"]], "out of the tree"),
        (&[&["x=1"], &["x %c", "x=2"]], "duplicate name"),
        (&[&["x %c", "x %p"]], "duplicate name"),
        (&[&["x %c", "x/y=2"]], "duplicate name"),
        (&[&["a/x=1"], &["a -> b", "a/.wh.x="]], "whiteouts behind `a`"),
        (&[&["a=1"], &["b == c"]], "neither an earlier entry"),
        (&[&["a/"], &["b == a"]], "neither an earlier entry"),
        (&[&["a=1"], &["b == ../a"]], "leads upwards"),
        (&[&["a=1"], &["b == a", "b=2"]], "duplicate name"),
        (&[&["a=1"], &["b=2", "b == a"]], "duplicate name"),
        (&[&["a=1"], &["b == a", "b == a"]], "duplicate name"),
        (&[&["d/l -> ../x"], &["l == d/l"]], "out of the tree"),
        (&[&["a=1", "a=2"]], "duplicate name"),
        (&[&["a -> ../../x"]], "out of the tree"),
    ] {
        let error = applied(layers).unwrap_err();
        assert!(error.to_string().contains(why), "{layers:?}: {error}");
    }
}

#[test]
fn a_layer_must_be_what_its_image_says() {
    let archive = archive(&["a=1"]);
    let (packed, diff_id) = (compress(&archive, Compression::Gzip), Sha256Digest::of(&archive));
    assert_eq!(applied_bytes(&[(packed.clone(), GZIP, diff_id)]).unwrap(), "a=1");
    assert_eq!(applied_bytes(&[(archive.clone(), PLAIN, diff_id)]).unwrap(), "a=1");
    for (bytes, media_type, diff_id, why) in [
        (packed.clone(), GZIP, Sha256Digest::of(b"other"), "does not match its diff id"),
        (packed.clone(), GZIP, Sha256Digest::of(&packed), "does not match its diff id"),
        (packed.clone(), PLAIN, diff_id, "compression differs from its media type"),
        (archive, GZIP, diff_id, "compression differs from its media type"),
        (packed[..packed.len() - 9].to_vec(), GZIP, diff_id, "damaged"),
        (Vec::new(), GZIP, diff_id, "empty"),
        (b"\x04\x22\x4d\x18\x64\x40\xa7".to_vec(), GZIP, diff_id, "unsupported compression: LZ4"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), &bytes).unwrap();
        // A check without unpacking gives the same error.
        let checked = LayerFile { path: file.path(), media_type, diff_id }.check().unwrap_err();
        for error in [checked, applied_bytes(&[(bytes, media_type, diff_id)]).unwrap_err()] {
            assert!(error.to_string().contains(why), "{why}: {error}");
        }
    }
}

/// pzstd writes skippable frames, zstd:chunked appends a table, and tapes leave zeros.
#[test]
fn layers_are_read_as_other_tools_pack_them() {
    let archive = archive(&["a=1", "d/b=2"]);
    let diff_id = Sha256Digest::of(&archive);
    let skip = [&[0x5d, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"for"].concat();
    let [first, second] = [&archive[..700], &archive[700..]].map(|part| zstd::encode_all(part, 3).unwrap());
    let pieces = |pieces: &[&Vec<u8>]| pieces.iter().flat_map(|piece| piece.iter().copied()).collect::<Vec<u8>>();
    let gzip = [compress(&archive[..700], Compression::Gzip), compress(&archive[700..], Compression::Gzip)].concat();
    for (bytes, media_type) in [
        (pieces(&[&skip, &first, &skip, &second, &skip]), ZSTD),
        (pieces(&[&first, &second, &skip, &skip]), ZSTD),
        (gzip.clone(), GZIP),
        (pieces(&[&gzip, &vec![0; 70_000]]), GZIP),
    ] {
        assert_eq!(applied_bytes(&[(bytes.clone(), media_type, diff_id)]).unwrap(), "a=1 d/ d/b=2");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), &bytes).unwrap();
        LayerFile { path: file.path(), media_type, diff_id }.check().unwrap();
    }
    // Some programs read trailing bytes that are not zeros, others do not.
    for (bytes, media_type) in [(pieces(&[&gzip, &b"x".to_vec()]), GZIP), (pieces(&[&first, &b"x".to_vec()]), ZSTD)] {
        let error = applied_bytes(&[(bytes, media_type, diff_id)]).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch, "{error}");
    }
}

#[test]
fn a_layer_that_unpacks_to_far_more_than_itself_is_no_layer() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    std::io::copy(&mut std::io::repeat(0).take((1 << 30) + (8 << 20)), &mut encoder).unwrap();
    let bytes = encoder.finish().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), bytes).unwrap();
    let layer = LayerFile { path: file.path(), media_type: ZSTD, diff_id: Sha256Digest::of(b"") };
    let error = layer.check().unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("200 times its own size"), "{error}");
}

#[test]
fn hundreds_of_layers_need_no_more_than_their_files() {
    let names: Vec<String> = (0..300).map(|number| format!("f{number:03}=x")).collect();
    let entries: Vec<[&str; 2]> = names.iter().map(|name| [name.as_str(), ".wh.f000="]).collect();
    let layers: Vec<&[&str]> = entries.iter().map(<[&str; 2]>::as_slice).collect();
    let seen = applied(&layers).unwrap();
    assert_eq!(seen.split(' ').count(), 299);
}
