//! Registries that lie, and documents that nobody should believe.

use std::fmt::Write as _;

use serde_json::{Value, json};
use strixlock_demo::deb_maker::compress;
use strixlock_demo::http::{Fault, Incoming, Resource, Response};
use strixlock_formats::tree::Compression;
use strixlock_ground::digest::Sha256Digest;

use super::registry::name_remote;
use crate::golden::small_build;
use crate::lock::seal;
use crate::support::Project;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The documents that a remote has of a tree with one file.
struct Made {
    listing: Vec<u8>,
    index: String,
    pack: Vec<u8>,
    /// The file's contents.
    plain: Vec<u8>,
    change: fn(&mut Value),
}

impl Made {
    fn new() -> Self {
        let plain = b"#!/bin/sh\necho it works\n".repeat(1000);
        let pack = compress(&plain, Compression::Zstd);
        let listing =
            format!("strix-tree-1\nd - - bin\nx {} {} bin/run\n", plain.len(), Sha256Digest::of(&plain).hex());
        let index = format!("strixlock-index 1\n0 0 {}\n", pack.len());
        Self { listing: listing.into_bytes(), index, pack, plain, change: |_| {} }
    }

    fn tree(&self) -> Sha256Digest {
        Sha256Digest::of(&self.listing)
    }

    /// Serves it, and locks its tree.
    fn serve(&self, project: &Project) {
        let server = project.upstream().server();
        let blob = |kind: &str, bytes: &[u8]| {
            let digest = Sha256Digest::of(bytes);
            server.put(&format!("/v2/team/strix/blobs/{digest}"), Resource::bytes(bytes));
            json!({ "mediaType": format!("application/vnd.strixlock.{kind}"), "digest": digest, "size": bytes.len() })
        };
        let packed = |text: &[u8]| compress(text, Compression::Zstd);
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.strixlock.tree.v1",
            "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": Sha256Digest::of(b"{}"), "size": 2 },
            "layers": [
                blob("listing.v1+zstd", &packed(&self.listing)),
                blob("index.v1+zstd", &packed(self.index.as_bytes())),
                blob("pack.v1", &self.pack),
            ],
        });
        (self.change)(&mut manifest);
        self.serve_manifest(project, manifest.to_string().as_bytes());
        let mut lock: Value = serde_json::from_str(&project.lock()).unwrap();
        let block = &mut lock["outputs"]["llama"];
        block["sealed"]["tree"] = self.tree().to_string().into();
        seal(block);
        project.write("lock/strix.lock", &format!("{}\n", serde_json::to_string_pretty(&lock).unwrap()));
    }

    fn serve_manifest(&self, project: &Project, text: &[u8]) {
        let path = format!("/v2/team/strix/manifests/tree-{}", self.tree().hex());
        project.upstream().server().put(&path, Resource::bytes(text).content_type(MANIFEST));
    }

    fn pack_path(&self) -> String {
        format!("/v2/team/strix/blobs/{}", Sha256Digest::of(&self.pack))
    }
}

/// A project whose build is sealed, and the upstream's server as its remote.
fn project() -> Project {
    let project = Project::empty();
    small_build(&project);
    project.run(&["update"]).code(0);
    project.run(&["realize", "--seal"]).code(0);
    name_remote(&project, &project.upstream().server().address().to_string());
    project
}

/// Pulls into an empty store. Fails unless that fails with this code and message, and leaves nothing in the store.
#[track_caller]
fn refused(project: &Project, code: i32, wanted: &str) {
    let ran = project.run_in_store("other", &["pull", "llama"]).code(code);
    assert!(ran.stderr.contains(wanted), "{wanted}: {}", ran.all());
    let found = project.published("other");
    assert!(!found.iter().any(|name| name.starts_with("trees") || name.starts_with("outputs")), "{found:?}");
}

#[test]
fn what_is_right_is_received() {
    let project = project();
    Made::new().serve(&project);
    project.run_in_store("other", &["pull", "llama"]).code(0);
    project.run_in_store("other", &["verify"]).code(0);
}

/// Returns a pack and an index for a file with these contents in three pieces, of which the last stands first in the pack,
/// and those pieces.
fn in_three(plain: &[u8]) -> (Vec<u8>, String, [Vec<u8>; 3]) {
    let third = plain.len() / 3;
    let pieces = [&plain[..third], &plain[third..2 * third], &plain[2 * third..]];
    let packed = pieces.map(|piece| compress(piece, Compression::Zstd));
    let offsets = [packed[2].len() + packed[1].len(), packed[2].len(), 0];
    let line = |at: usize| {
        let (offset, length) = (offsets[at], packed[at].len());
        format!("0 {offset} {length} {} {}\n", pieces[at].len(), Sha256Digest::of(pieces[at]).hex())
    };
    let index = format!("strixlock-index 1\n{}{}{}", line(0), line(1), line(2));
    ([&*packed[2], &packed[1], &packed[0]].concat(), index, pieces.map(<[u8]>::to_vec))
}

#[test]
fn pieces_in_any_order_make_the_file() {
    let project = project();
    let (pack, index, _) = in_three(&Made::new().plain);
    Made { index, pack, ..Made::new() }.serve(&project);
    project.run_in_store("other", &["pull", "llama"]).code(0);
    project.run_in_store("other", &["verify"]).code(0);
}

#[test]
fn a_piece_of_a_file_that_has_other_bytes_is_named() {
    let project = project();
    let made = Made::new();
    let (good, index, [_, second, _]) = in_three(&made.plain);
    // A piece of the same length, whose bytes come out as other ones.
    let mut other = second.clone();
    other[100] ^= 1;
    let packed = [&second, &other].map(|piece| compress(piece, Compression::Zstd));
    let at = good.windows(packed[0].len()).position(|window| window == packed[0]).unwrap();
    let pack = [&good[..at], &packed[1], &good[at + packed[0].len()..]].concat();
    let moved = |offset: usize| offset + packed[1].len() - packed[0].len();
    let index = index
        .replace(&format!("0 {at} {} ", packed[0].len()), &format!("0 {at} {} ", packed[1].len()))
        .replace(&format!("0 {} ", at + packed[0].len()), &format!("0 {} ", moved(at + packed[0].len())));
    Made { index, pack, ..made }.serve(&project);
    refused(&project, 5, "the remote's copy of a file is damaged");
    let ran = project.run_in_store("other", &["pull", "llama"]).code(5);
    let place = format!("bytes {at}+{}", packed[1].len());
    assert!(ran.stderr.contains(&place) && ran.stderr.contains("bin/run"), "{place}: {}", ran.all());
}

#[test]
fn documents_that_lead_elsewhere_are_refused() {
    let project = project();
    let hostile = |names: &str| {
        let listing = String::from_utf8(Made::new().listing).unwrap();
        let lines = listing.replace("d - - bin\n", "").replace("bin/run", names);
        Made { listing: lines.into_bytes(), ..Made::new() }
    };
    for name in ["../run", "/run", "bin/../run", "bin//run", "./run", ""] {
        hostile(name).serve(&project);
        refused(&project, 5, "the remote has an invalid listing of a tree");
    }
    let wrong = "the remote's index of a tree does not fit its listing and packs";
    for index in ["", "strixlock-index 1\n", "strixlock-index 1\n1 0 9\n", "strixlock-index 1\n0 0 99999999\n"] {
        Made { index: index.to_owned(), ..Made::new() }.serve(&project);
        refused(&project, 5, wrong);
    }
    let other = compress(b"something else", Compression::Zstd);
    let index = format!("strixlock-index 1\n0 0 {}\n", other.len());
    Made { pack: other, index, ..Made::new() }.serve(&project);
    refused(&project, 5, "the remote's copy of a file is damaged");
    // Pieces that are what the index says, and do not make the file.
    let plain = Made::new().plain;
    let (half, pack) = (Sha256Digest::of(&plain[..9]).hex(), compress(&plain[..9], Compression::Zstd));
    let pieces = format!("0 0 {} 9 {half}\n", pack.len());
    let count = plain.len() / 9;
    assert_eq!(count * 9, plain.len() / 9 * 9);
    let rest = plain.len() - count * 9;
    let last = compress(&plain[..rest.max(1)], Compression::Zstd);
    let end = format!("0 {} {} {} {}\n", pack.len(), last.len(), rest, Sha256Digest::of(&plain[..rest]).hex());
    let index = format!("strixlock-index 1\n{}{}", pieces.repeat(count), if rest > 0 { end } else { String::new() });
    Made { pack: [pack, last].concat(), index, ..Made::new() }.serve(&project);
    refused(&project, 5, "the remote's index puts a file together wrongly");
}

/// A change of a manifest.
type Change = fn(&mut Value);

#[test]
fn manifests_of_something_else_are_refused() {
    let project = project();
    let changes: [(Change, &str); 5] = [
        (
            |manifest| {
                let layer = manifest["layers"][2].clone();
                manifest["layers"].as_array_mut().unwrap().extend(std::iter::repeat_n(layer, 10_000));
            },
            "it has too many layers",
        ),
        // An image, whose layer has a whiteout.
        (
            |manifest| {
                manifest["artifactType"] = Value::Null;
                manifest["layers"][2]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip".into();
            },
            "the remote has",
        ),
        (
            |manifest| manifest["layers"][2]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip".into(),
            "a layer has another type",
        ),
        (|manifest| manifest["layers"] = json!([]), "it has no index"),
        (|manifest| manifest["layers"][0]["size"] = json!(1_u64 << 40), "a blob of the remote is too large"),
    ];
    for (change, wanted) in changes {
        Made { change, ..Made::new() }.serve(&project);
        refused(&project, 5, wanted);
    }
    for text in ["", "[]", "{\"schemaVersion\": 2}", "\u{0}"] {
        Made::new().serve(&project);
        Made::new().serve_manifest(&project, text.as_bytes());
        refused(&project, 5, "the remote has an invalid manifest");
    }
}

#[test]
fn a_registry_that_lies_about_bytes_is_refused() {
    let project = project();
    let made = Made::new();
    made.serve(&project);
    let server = project.upstream().server();
    let size = made.pack.len() as u64;
    for (fault, code, wanted) in [
        (Fault::FlipByteAt(size / 2), 5, "the remote's copy of a file is damaged"),
        (Fault::TruncateAfter(10), 8, "the server cannot be reached"),
        (Fault::Wrong206, 5, "the server sent another part of the file than it was asked for"),
        (Fault::Redirect(server.url(&made.pack_path())), 8, "more than 10 redirects"),
        (Fault::Redirect("http://registry.example/blob".to_owned()), 8, "plain http is only used with loopback hosts"),
        (Fault::Redirect("file:///etc/passwd".to_owned()), 8, "302 Found"),
        (Fault::status(503, usize::MAX), 8, "503"),
        (Fault::status(416, usize::MAX), 5, "the server's file is shorter than it should be"),
        (Fault::status(404, usize::MAX), 9, "the registry does not have this part of the image"),
    ] {
        let told = format!("{fault:?}");
        server.fault(&made.pack_path(), fault);
        let mut command = project.command(&["pull", "llama"]);
        command.env("STRIXLOCK_STORE", project.store("other")).env("STRIXLOCK_ROUNDS", "2");
        let ran = project.finish(command.output().unwrap());
        assert!(ran.stderr.contains(wanted), "{told}: {}", ran.all());
        assert_eq!(ran.code, code, "{told}: {}", ran.all());
        server.heal_all();
    }
    // One that is busy is asked again when it says.
    let headers = vec![("Retry-After".to_owned(), "0".to_owned())];
    server.fault(&made.pack_path(), Fault::Status { code: 429, headers, times: 2 });
    server.fault(&made.pack_path(), Fault::DisconnectOnce { after: 5 });
    project.run_in_store("other", &["pull", "llama"]).code(0);
}

#[test]
fn a_token_is_asked_for_what_is_done() {
    let project = project();
    let server = project.upstream().server();
    let challenge = format!("Bearer realm=\"{}\",service=\"demo\",scope=\"x\"", server.url("/token"));
    server.handle("/v2/", move |incoming: &Incoming| {
        if incoming.header("authorization") == Some("Bearer good") {
            return Response::text(404, "{}");
        }
        Response::text(401, "{}").header("WWW-Authenticate", &challenge)
    });
    server.handle("/token", |_: &Incoming| Response::text(200, "{\"token\": \"good\"}"));
    let scopes = |arguments: &[&str]| {
        server.clear_log();
        project.run(arguments);
        let mut asked = server.log().into_iter().map(|request| request.path);
        asked.find_map(|path| Some(path.split_once("scope=")?.1.to_owned())).unwrap_or_default()
    };
    assert_eq!(scopes(&["remote", "ls"]), "repository%3Ateam%2Fstrix%3Apull");
    assert_eq!(scopes(&["push", "llama"]), "repository%3Ateam%2Fstrix%3Apull%2Cpush");
    assert_eq!(scopes(&["remote", "gc", "--keep", "1"]), "repository%3Ateam%2Fstrix%3Apull%2Cpush%2Cdelete");
}

#[test]
fn a_page_in_place_of_a_registry_is_told_as_such() {
    let project = project();
    let page = |_: &Incoming| {
        let page = Response::text(200, "<html><title>Welcome to the Airport</title></html>");
        Response { headers: Vec::new(), ..page }.header("Content-Type", "text/html; charset=utf-8")
    };
    project.upstream().server().handle("/v2/", page);
    for arguments in [["push", "llama"].as_slice(), &["remote", "ls"], &["remote", "verify"]] {
        let ran = project.run(arguments).code(5);
        assert!(ran.stderr.contains("the server does not answer like a registry"), "{}", ran.all());
    }
    refused(&project, 5, "the server does not answer like a registry");
}

/// A file of the attack below, and the pieces that the index gives it: label, plain size as the index has it.
type Attacked<'a> = (&'a [u8], Vec<(&'a str, u64)>);

#[test]
fn a_label_for_two_pieces_does_not_choose_the_bytes_of_a_file() {
    let project = project();
    let wanted = b"#!/bin/sh\necho what the lock has\n".repeat(50);
    let chosen = b"#!/bin/sh\necho what somebody else wants\n".repeat(50);
    let size = wanted.len();
    // Files are received in the order of their digests. The first one gives the label `middle` its size.
    let first = (0_u32..1000)
        .map(|number| [format!("{number}\n").repeat(size).into_bytes(), wanted.clone()].concat())
        .find(|bytes| Sha256Digest::of(bytes) < Sha256Digest::of(&wanted))
        .unwrap();
    let plain: [(&str, &[u8]); 5] = [
        ("begin", &wanted[..1]),
        ("gap", b"?"),
        // Received before the last two, and hashed as all that is left of the file.
        ("middle", &wanted[1..]),
        ("tail", &chosen[3..size]),
        ("rest", &first[size - 1..]),
    ];
    let (mut pack, mut places) = (Vec::new(), std::collections::BTreeMap::new());
    for (label, bytes) in plain {
        let packed = compress(bytes, Compression::Zstd);
        places.insert(label, format!("0 {} {}", pack.len(), packed.len()));
        pack.extend(packed);
    }
    let files: [Attacked; 2] = [
        (&first, vec![("middle", size as u64 - 1), ("rest", (first.len() - size + 1) as u64)]),
        (&wanted, vec![("begin", 1), ("middle", 1), ("gap", 1), ("tail", size as u64 - 3)]),
    ];
    let mut index = "strixlock-index 1\n".to_owned();
    for (label, size) in files.iter().flat_map(|(_, pieces)| pieces) {
        writeln!(index, "{} {size} {}", places[label], Sha256Digest::of(label.as_bytes()).hex()).unwrap();
    }
    let line = |name: &str, bytes: &[u8]| format!("x {} {} {name}\n", bytes.len(), Sha256Digest::of(bytes).hex());
    let listing = format!("strix-tree-1\nd - - bin\n{}{}", line("bin/first", &first), line("bin/run", &wanted));
    Made { listing: listing.into_bytes(), index, pack, ..Made::new() }.serve(&project);
    refused(&project, 5, "the remote's index of a tree does not fit its listing and packs");
    // Nothing of it is taken for the file of an honest remote.
    let packed: Vec<Vec<u8>> = files.iter().map(|(bytes, _)| compress(bytes, Compression::Zstd)).collect();
    let index = format!("strixlock-index 1\n0 0 {}\n0 {} {}\n", packed[0].len(), packed[0].len(), packed[1].len());
    let listing = format!("strix-tree-1\nd - - bin\n{}{}", line("bin/first", &first), line("bin/run", &wanted));
    Made { listing: listing.into_bytes(), index, pack: packed.concat(), ..Made::new() }.serve(&project);
    project.run_in_store("other", &["pull", "llama"]).code(0);
    project.run_in_store("other", &["verify"]).code(0);
}

#[test]
fn tags_without_end_are_given_up() {
    let project = project();
    let page = format!("{{\"tags\":[{}\"x\"]}}", "\"\",".repeat(90_000));
    project.upstream().server().handle("/v2/team/strix/tags/list", move |_: &Incoming| {
        Response::text(200, page.as_str()).header("Link", "</v2/team/strix/tags/list?n=1000>; rel=next")
    });
    let ran = project.run(&["remote", "ls"]).code(5);
    assert!(ran.stderr.contains("it has too many tags"), "{}", ran.all());
}
