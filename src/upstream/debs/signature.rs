//! Signatures of Release files: inline in InRelease, or detached in Release.gpg.
//!
//! Exactly the signed text is parsed later: the frame is read strictly, with nothing before, between or after its
//! parts, and the returned text is the one that was hashed. Everything is bytes: old archives use Latin-1.

use pgp::armor::{BlockType, Dearmor};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion};

use super::keyring::{Judgement, Keyring};
use crate::error::{Error, Kind, Result};

/// First line of a text with an inline signature.
pub const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END: &[u8] = b"-----END PGP SIGNATURE-----";

/// Greatest number of signatures that are read.
const MOST: usize = 16;

/// A text whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The text.
    pub text: Vec<u8>,
    /// The fingerprint of the key that signed it.
    pub by: String,
    /// The time at which the signature expires, in seconds since 1970, if any.
    pub until: Option<i64>,
}

/// Verifies a cleartext signature and returns its text. Fails unless a key of the keyring signed it.
pub fn verify(bytes: &[u8], keyring: &Keyring) -> Result<Signed> {
    let Frame { text, armored } = frame(bytes)?;
    // The final line break is not part of the signed text.
    let hashed = with_crlf(text.strip_suffix(b"\n").unwrap_or(&text));
    let (by, until) = judge(&signatures(armored).map_err(unreadable)?, &hashed, keyring)?;
    Ok(Signed { text, by, until })
}

/// Verifies the detached signature of `text`, one or several armored blocks. Fails unless a key of the keyring signed
/// it.
pub fn verify_detached(text: &[u8], signature: &[u8], keyring: &Keyring) -> Result<Signed> {
    let mut found = Vec::new();
    let mut rest = signature.trim_ascii();
    while !rest.is_empty() && found.len() < MOST {
        let end = rest.starts_with(SIGNATURE).then(|| position(rest, END)).flatten().map(|at| at + END.len());
        let end = end.ok_or_else(|| {
            Error::new(Kind::Mismatch, "invalid Release.gpg file: expected armored signatures")
                .hint("something between the archive and this machine may answer in its place")
        })?;
        found.extend(signatures(&rest[..end]).map_err(unreadable)?);
        rest = rest[end..].trim_ascii_start();
    }
    let (by, until) = judge(&found, text, keyring)?;
    Ok(Signed { text: text.to_owned(), by, until })
}

/// Returns the text of a cleartext signature without verification. Only for archives that need not be signed.
pub fn unverified(bytes: &[u8]) -> Result<Vec<u8>> {
    frame(bytes).map(|frame| frame.text)
}

/// Returns the key of the keyring that signed, and when its signature expires.
fn judge(signatures: &[Signature], hashed: &[u8], keyring: &Keyring) -> Result<(String, Option<i64>)> {
    let (mut told, mut bad, mut good) = (Vec::new(), None, None::<(String, Option<i64>)>);
    for signature in signatures {
        if !is_strong(signature) {
            told.push((issuer(signature), "its algorithm is no longer trusted"));
            continue;
        }
        match keyring.judge(signature, hashed) {
            // One is enough: others may be of kinds newer than this program. The one that lasts longest counts.
            Judgement::Good(by) => {
                let until = ends(signature);
                if good.as_ref().is_none_or(|(_, old)| old.is_some_and(|old| until.is_none_or(|new| new > old))) {
                    good = Some((by, until));
                }
            }
            Judgement::Bad(by) => bad = bad.or(Some(by)),
            Judgement::Unfit(by, why) => told.push((by, why)),
            Judgement::Unknown => told.push((issuer(signature), "the keyring does not contain this key")),
        }
    }
    if let Some(good) = good {
        return Ok(good);
    }
    if let Some(by) = bad {
        return Err(Error::new(Kind::Mismatch, "the signature does not match the Release file")
            .fact("key", by)
            .fact("keyring", keyring.names())
            .hint("it was changed on its way: use another mirror, over https"));
    }
    let mut error = Error::new(Kind::Mismatch, NOBODY);
    for (key, why) in told {
        error = error.fact("signed by", format!("{key}: {why}"));
    }
    error = error.fact("keyring", keyring.names());
    for unread in keyring.unread() {
        error = error.fact("not read", unread);
    }
    Err(error.hint(
        "if you trust one of these keys, put it into a keyring file beside the manifest and set `keyring`; a newer \
         package of the distribution's keyring may have it too",
    ))
}

/// The message of the error for signatures of which none is trusted and none is known to be wrong.
pub const NOBODY: &str = "the Release file is not signed by a trusted key";

/// The two parts of an InRelease file.
struct Frame<'t> {
    text: Vec<u8>,
    armored: &'t [u8],
}

fn frame(bytes: &[u8]) -> Result<Frame<'_>> {
    parts(bytes).ok_or_else(|| {
        Error::new(Kind::Mismatch, "invalid InRelease file: expected a signed text")
            .hint("something between the archive and this machine may answer in its place")
    })
}

fn parts(bytes: &[u8]) -> Option<Frame<'_>> {
    let mut rest = bytes;
    if line(&mut rest)? != BEGIN {
        return None;
    }
    loop {
        match line(&mut rest)? {
            b"" => break,
            header if header.starts_with(b"Hash:") => {}
            _ => return None,
        }
    }
    let mut text = Vec::with_capacity(rest.len());
    let armored = loop {
        let at = rest;
        match line(&mut rest)? {
            SIGNATURE => break at,
            escaped if escaped.starts_with(b"-") => text.extend_from_slice(escaped.strip_prefix(b"- ")?),
            line => text.extend_from_slice(line),
        }
        text.push(b'\n');
    };
    let end = position(armored, END)? + END.len();
    armored[end..].trim_ascii().is_empty().then_some(Frame { text, armored: &armored[..end] })
}

/// Returns the next line, without trailing blanks: they are not signed.
fn line<'t>(rest: &mut &'t [u8]) -> Option<&'t [u8]> {
    let at = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at(at);
    *rest = &after[1..];
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r')).map_or(0, |last| last + 1);
    Some(&line[..end])
}

/// Returns the offset of the line of `text` that begins with `needle`.
fn position(text: &[u8], needle: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(needle) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len() + text.len() / 16);
    for byte in text {
        if *byte == b'\n' {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    lines
}

fn signatures(armored: &[u8]) -> pgp::errors::Result<Vec<Signature>> {
    let mut dearmor = Dearmor::new(std::io::BufReader::new(armored));
    dearmor.read_header()?;
    let mut found = Vec::new();
    if dearmor.typ == Some(BlockType::Signature) {
        for packet in PacketParser::new(std::io::BufReader::new(dearmor)).take(MOST) {
            if let Packet::Signature(signature) = packet? {
                found.push(signature);
            }
        }
    }
    Ok(found)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn unreadable(error: pgp::errors::Error) -> Error {
    Error::new(Kind::Mismatch, "the signature of the Release file cannot be read").because(&error)
}

/// Returns whether a signature is over text, with a hash that is safe against collisions.
fn is_strong(signature: &Signature) -> bool {
    let hash = matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    );
    let kind = matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary));
    hash && kind && matches!(signature.version(), SignatureVersion::V4 | SignatureVersion::V6)
}

/// Returns when a signature expires (RFC 9580, 5.2.3.18); most never do.
fn ends(signature: &Signature) -> Option<i64> {
    let lives = i64::from(signature.signature_expiration_time()?.as_secs());
    (lives > 0).then(|| signature.created().map_or(0, |at| i64::from(at.as_secs())) + lives)
}

fn issuer(signature: &Signature) -> String {
    let long = signature.issuer_fingerprint().first().map(|key| format!("{key:X}"));
    let short = signature.issuer_key_id().first().map(|key| format!("{key}").to_ascii_uppercase());
    long.or(short).unwrap_or_else(|| "a key that it does not name".to_owned())
}
