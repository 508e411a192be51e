//! Layers as tools write them, and as nobody should.

use tar::EntryType;

use super::*;
use crate::demo::deb_maker::compress;
use crate::digest::Sha256Digest;
use crate::progress::Silent;
use crate::tree::Compression;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";

/// A file `path=contents`, a directory `path/`, a link `path -> target`.
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
        } else if let Some((path, contents)) = entry.split_once('=') {
            (path, EntryType::Regular, "", contents)
        } else {
            (*entry, EntryType::Directory, "", "")
        };
        header.set_entry_type(kind);
        header.set_size(contents.len() as u64);
        // Hostile names cannot be set in a better way.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        archive.append(&header, contents.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn applied_bytes(layers: &[(Vec<u8>, &str, Sha256Digest)]) -> Result<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, (bytes, ..)) in layers.iter().enumerate() {
        let path = directory.path().join(format!("{number}.tar"));
        fs_err::write(&path, bytes).unwrap();
        paths.push(path);
    }
    let files: Vec<LayerFile> = layers
        .iter()
        .zip(&paths)
        .map(|((_, media_type, diff_id), path)| LayerFile { path, media_type, diff_id: *diff_id })
        .collect();
    let place = directory.path().join("place");
    fs_err::create_dir(&place).unwrap();
    let applied = apply(&files, &place, &Silent)?;
    // The listing is the tree that is there.
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
        // Whiteouts, of a file, of a directory, of what is not there, in an order of the archive's own.
        (&[&["a=1", "d/x=1", "d/e/f=1", "k=1"], &[".wh.a=", "d/.wh.e=", ".wh.never="]], "d/ d/x=1 k=1"),
        (&[&["d/x=1"], &["d/x=2", "d/.wh.x="]], "d/ d/x=2"),
        // An opaque directory shows what its own layer has.
        (&[&["d/x=1", "d/e/f=1"], &["d/y=2", "d/.wh..wh..opq="]], "d/ d/y=2"),
        (&[&["a=1", "d/x=1"], &[".wh..wh..opq=", "b=2"]], "b=2"),
        // A directory over a file, a file over a directory, and names that begin alike.
        (&[&["a=1", "d/x=1", "d-e=1", "d0=1"], &["a/", "a/x=2", "d=2"]], "a/ a/x=2 d=2 d-e=1 d0=1"),
        (&[&["lib -> usr/lib", "usr/lib/"], &["lib/", "lib/x=1"]], "lib/ lib/x=1 usr/ usr/lib/"),
        // A directory in place of a link hides nothing behind the link.
        (&[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/", "lib/.wh.x="]], "lib/ usr/ usr/lib/ usr/lib/x=1"),
        (
            &[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/", "lib/.wh..wh..opq=", "lib/y=1"]],
            "lib/ lib/y=1 usr/ usr/lib/ usr/lib/x=1",
        ),
        (&[&["lib -> usr/lib", "usr/lib/x=1"], &[".wh.lib="]], "usr/ usr/lib/ usr/lib/x=1"),
        // A whiteout reaches lower layers only, and what comes later is there.
        (&[&["a=1"], &[".wh.a="], &["a=3"]], "a=3"),
        (&[&["a=1", "b == a"], &[".wh.a="]], "b=1"),
        (&[&["a=1", ".wh..wh.aufs=", ".wh..wh.plnk/"]], "a=1"),
    ] {
        assert_eq!(applied(layers).unwrap(), seen, "{layers:?}");
    }
}

#[test]
fn what_nobody_should_write_is_refused() {
    for (layers, why) in [
        (&[&["../x=1"][..]][..], "leads upwards"),
        (&[&["/x=1"]], "absolute"),
        (&[&["../.wh.x="]], "hides no name"),
        (&[&["/etc/.wh.x="]], "hides no name"),
        (&[&["d/.wh..="]], "hides no name"),
        (&[&["d/.wh...="]], "hides no name"),
        (&[&["d/.wh.="]], "hides no name"),
        (&[&["a -> /etc", "a/x=1"]], "behind a symbolic link"),
        (&[&["a -> /etc"], &["a/x=1"]], "symbolic link of a lower layer"),
        (&[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/.wh.x="]], "whiteouts behind `lib`"),
        (&[&["lib -> usr/lib", "usr/lib/x=1"], &["lib/.wh..wh..opq="]], "whiteouts behind `lib`"),
        (&[&["lib -> usr/lib", "usr/lib/a/x=1"], &["lib/a/.wh.x="]], "whiteouts behind `lib`"),
        (&[&["a/b/x=1", "c -> a"], &["c/b/.wh..wh..opq="]], "whiteouts behind `c`"),
        (&[&["a/x=1"], &["a -> b", "a/.wh.x="]], "whiteouts behind `a`"),
        (&[&["a=1"], &["b == a"]], "not an earlier entry"),
        (&[&["a=1", "a=2"]], "twice"),
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
        (packed.clone(), GZIP, Sha256Digest::of(b"other"), "does not hold the archive"),
        (packed.clone(), GZIP, Sha256Digest::of(&packed), "does not hold the archive"),
        (packed.clone(), PLAIN, diff_id, "not compressed as its media type says"),
        (archive, GZIP, diff_id, "not compressed as its media type says"),
        (packed[..packed.len() - 9].to_vec(), GZIP, diff_id, "damaged"),
        (Vec::new(), GZIP, diff_id, "empty"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), &bytes).unwrap();
        // The same where nothing is unpacked.
        let checked = LayerFile { path: file.path(), media_type, diff_id }.check().unwrap_err();
        for error in [checked, applied_bytes(&[(bytes, media_type, diff_id)]).unwrap_err()] {
            assert!(error.to_string().contains(why), "{why}: {error}");
        }
    }
}

#[test]
fn hundreds_of_layers_need_no_more_than_their_files() {
    let names: Vec<String> = (0..300).map(|number| format!("f{number:03}=x")).collect();
    let entries: Vec<[&str; 2]> = names.iter().map(|name| [name.as_str(), ".wh.f000="]).collect();
    let layers: Vec<&[&str]> = entries.iter().map(<[&str; 2]>::as_slice).collect();
    let seen = applied(&layers).unwrap();
    assert_eq!(seen.split(' ').count(), 299);
}
