//! Checks an advertisement of refs before libgit2 gets it: its length, and problems that libgit2 would report badly.

use super::bounds;
use super::packets::{Packet, Packets};
use crate::error::{Error, Kind, Result};

/// The beginning of an answer over HTTP.
const SERVICE: &[u8] = b"# service=";

/// Fails like [`check`], and if an answer over HTTP does not begin like that of a git server.
pub(super) fn check_http(body: &[u8]) -> Result<()> {
    check(body)?;
    match (Packets(body)).next()? {
        Some(Packet::Line(line)) if line.starts_with(SERVICE) => Ok(()),
        _ => Err(no_answer().hint("check the address")),
    }
}

/// Fails if the advertisement is too long, reports an error of the server, or is of an unsupported repository.
pub(super) fn check(body: &[u8]) -> Result<()> {
    if body.len() > bounds::ADVERTISEMENT {
        return Err(too_many(format!("{} bytes", bounds::ADVERTISEMENT)));
    }
    let mut packets = Packets(body);
    let mut refs = 0;
    while let Some(packet) = packets.next()? {
        let Packet::Line(line) = packet else { continue };
        if line.starts_with(SERVICE) {
            continue;
        }
        if let Some(why) = line.strip_prefix(b"ERR ") {
            let why = String::from_utf8_lossy(why).chars().filter(|c| !c.is_control()).take(200).collect::<String>();
            return Err(
                Error::new(Kind::NotFound, "the git server refuses the request the request").fact("answer", why)
            );
        } else if line.starts_with(b"shallow ") {
            return Err(shallow());
        } else if !line.starts_with(b"version ") {
            refs += 1;
            if refs > bounds::REFS {
                return Err(too_many(bounds::REFS));
            }
            check_capabilities(line)?;
        }
    }
    Ok(())
}

/// Returns the error for something other than an advertisement.
pub(super) fn no_answer() -> Error {
    Error::new(Kind::NotFound, "the server did not answer as a git server")
}

/// Fails if the capabilities behind the first ref name an object format that libgit2 does not support.
fn check_capabilities(line: &[u8]) -> Result<()> {
    let Some(zero) = line.iter().position(|byte| *byte == 0) else { return Ok(()) };
    let mut words = line[zero + 1..].split(u8::is_ascii_whitespace);
    match words.find_map(|word| word.strip_prefix(b"object-format=")) {
        None | Some(b"sha1") => Ok(()),
        Some(format) => Err(other_format(&String::from_utf8_lossy(format))),
    }
}

/// Returns the error for a repository whose object ids are not SHA-1.
pub(super) fn other_format(format: &str) -> Error {
    Error::new(Kind::NotFound, "the repository's object format is not supported")
        .fact("object format", format)
        .hint("only sha1 repositories are supported; name a mirror in that format")
}

/// Returns the error for a repository without its full history.
pub(super) fn shallow() -> Error {
    Error::new(Kind::NotFound, "the repository is shallow: its history is cut off").hint(
        "builds are numbered by their whole history; name a repository that has it, or run `git fetch --unshallow` in \
         this one",
    )
}

pub(super) fn too_many(limit: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, "the git server lists too many branches and tags").fact("limit", limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"001e# service=git-upload-pack\n0000".to_vec();
        for line in lines {
            bytes.extend(format!("{:04x}", line.len() + 4).into_bytes());
            bytes.extend_from_slice(line);
        }
        bytes.extend_from_slice(b"0000");
        bytes
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let id = "0".repeat(40);
        let plain = format!("{id} refs/heads/a\0side-band-64k object-format=sha1 agent=x\n").into_bytes();
        check(&answer(&[&plain])).unwrap();
        check(&answer(&[])).unwrap();
        let long = format!("{} HEAD\0 object-format=sha256\n", "0".repeat(64)).into_bytes();
        for (lines, message) in [
            (&[long.as_slice()] as &[_], "object format  sha256"),
            (&[&plain, format!("shallow {id}").as_bytes()], "the repository is shallow"),
            (&[b"ERR \x1baccess denied"], "answer  access denied"),
        ] {
            let error = check(&answer(lines)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
        assert!(
            check_http(b"0009hello").unwrap_err().to_string().contains("the server did not answer as a git server")
        );
    }

    #[test]
    fn refs_have_a_bound_in_number_and_length() {
        let many = answer(&vec![b"1 r".as_slice(); bounds::REFS + 1]);
        assert_eq!(check(&many).unwrap_err().kind(), Kind::Invalid);
        assert!(check(&vec![b'0'; bounds::ADVERTISEMENT + 1]).unwrap_err().to_string().contains("25165824 bytes"));
    }
}
