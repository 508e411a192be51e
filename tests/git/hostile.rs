//! Programs in place of ssh that talk without end, or of too much: stopped within bounds.

use std::process::Command;

use super::repository::wanted;
use crate::support::Project;

const ID: &str = "1111111111111111111111111111111111111111";

/// Runs an update whose repository a script speaks for.
fn refused(script: &str, code: i32, message: &str) {
    let project = Project::empty();
    let refs = format!("{ID} HEAD\0side-band-64k ofs-delta\n");
    let refs = [format!("{:04x}", refs.len() + 4).as_bytes(), refs.as_bytes(), b"0000"].concat();
    std::fs::write(project.path("refs"), refs).unwrap();
    let program = project.program("ssh", &format!("#!/bin/sh\ncd {}\n{script}\n", project.path("").display()));
    wanted(&project, "git@h.example:r", "");
    let mut command: Command = project.command(&["update"]);
    command.env("GIT_SSH", program).env("GIT_SSH_VARIANT", "simple");
    let ran = project.finish(command.output().unwrap()).code(code);
    assert!(ran.stderr.contains(message), "{script} {}", ran.all());
    assert_eq!(project.published("main"), Vec::<String>::new());
}

#[test]
fn an_endless_list_of_refs_is_stopped() {
    refused(&format!("exec yes '003a{ID} refs/heads/a'"), 3, "lists too many branches and tags");
}

#[test]
fn a_pack_of_too_much_is_stopped_by_its_headers() {
    // One packet of the first band: a pack of one object, whose type and size are these bytes.
    let pack = |count: &str, object: &str, length: usize| {
        format!(
            "cat refs; printf '0008NAK\\n{:04x}\\001PACK\\0\\0\\0\\002{count}{object}'; exec sleep 1000",
            length + 17
        )
    };
    let one = "\\0\\0\\0\\001";
    refused(&pack("\\377\\377\\377\\377", "", 0), 3, "the git server sends too many objects");
    // 200 MiB each: the lowest four bits of the size stand in the first byte, seven in each of the others.
    for (first, kind) in [("\\220", "commit"), ("\\240", "tree"), ("\\260", "blob"), ("\\340", "delta")] {
        let object = format!("{first}\\200\\200\\240\\006");
        refused(&pack(one, &object, 5), 3, &format!("the git server sends a {kind} that is too large"));
    }
}

#[test]
fn a_pack_without_end_is_stopped() {
    // No objects, a digest, and then more and more.
    let begin = "0008NAK\\n0021\\001PACK\\0\\0\\0\\002\\0\\0\\0\\000aaaaaaaaaaaaaaaa";
    let more = "\"$(printf '000c\\001aaaaaa')\"";
    refused(&format!("cat refs; printf '{begin}'; exec yes {more}"), 5, "its end: more bytes follow");
}

#[test]
fn talk_without_a_pack_is_stopped() {
    let progress = "cat refs; printf '0008NAK\\n'; exec yes \"$(printf '0007\\002x')\"";
    refused(progress, 3, "the git server sends too much besides the pack");
}
