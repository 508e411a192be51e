//! InRelease: a Release file inside an OpenPGP cleartext signature.
//!
//! What is parsed later is exactly what was signed: the frame is read strictly, with nothing before, between and after, and
//! the text that is handed on is the one that was hashed.

use pgp::armor::{BlockType, Dearmor};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Packet, PacketParser, Signature, SignatureType, SignatureVersion};

use super::keyring::{Judgement, Keyring};
use crate::error::{Error, Kind, Result};

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// More signatures than an archive has reason to make.
const MOST: usize = 16;

/// A text whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The text.
    pub text: String,
    /// The fingerprint of the key that signed it.
    pub by: String,
    /// When the signature ends, in seconds since 1970, if it says so.
    pub until: Option<i64>,
}

/// Takes the text out of a cleartext signature that a key of the keyring made.
pub fn verify(bytes: &[u8], keyring: &Keyring) -> Result<Signed> {
    let Frame { text, armored } = Frame::parse(bytes).ok_or_else(|| {
        Error::new(Kind::Mismatch, "this is no InRelease file: it is not framed as a signed text")
            .hint("something between the archive and this machine may answer in its place")
    })?;
    let signatures = signatures(armored).map_err(|error| {
        Error::new(Kind::Mismatch, "the signature of the Release file cannot be read").because(&error)
    })?;
    // The last line break belongs to the frame.
    let hashed = text.strip_suffix('\n').unwrap_or(&text).replace('\n', "\r\n");
    let (mut told, mut bad, mut good) = (Vec::new(), None, None::<(String, Option<i64>)>);
    for signature in &signatures {
        if !is_strong(signature) {
            told.push((issuer(signature), "it is not of a kind that is still trusted"));
            continue;
        }
        match keyring.judge(signature, hashed.as_bytes()) {
            // One is enough: the others may be of kinds that come after this program. The one that lasts counts.
            Judgement::Good(by) => {
                let until = ends(signature);
                if good.as_ref().is_none_or(|(_, old)| old.is_some_and(|old| until.is_none_or(|new| new > old))) {
                    good = Some((by, until));
                }
            }
            Judgement::Bad(by) => bad = bad.or(Some(by)),
            Judgement::Unfit(by, why) => told.push((by, why)),
            Judgement::Unknown => told.push((issuer(signature), "the keyring does not hold this key")),
        }
    }
    if let Some((by, until)) = good {
        return Ok(Signed { text, by, until });
    }
    if let Some(by) = bad {
        return Err(Error::new(Kind::Mismatch, "the Release file is not what was signed")
            .fact("key", by)
            .fact("keyring", keyring.names())
            .hint("it was changed on its way: use another mirror, over https"));
    }
    let mut error = Error::new(Kind::Mismatch, "no key that may sign the Release file has signed it");
    for (key, why) in told {
        error = error.fact("signed by", format!("{key}: {why}"));
    }
    Err(error.fact("keyring", keyring.names()).hint(
        "if you trust one of these keys, put it into a keyring beside the manifest and name that with `keyring`; a newer package of the distribution's keyring may have it too",
    ))
}

/// The two parts of the file.
struct Frame<'t> {
    text: String,
    armored: &'t str,
}

impl<'t> Frame<'t> {
    fn parse(bytes: &'t [u8]) -> Option<Self> {
        let mut rest = std::str::from_utf8(bytes).ok()?;
        if line(&mut rest)? != BEGIN {
            return None;
        }
        loop {
            match line(&mut rest)? {
                "" => break,
                header if header.starts_with("Hash:") => {}
                _ => return None,
            }
        }
        let mut text = String::with_capacity(rest.len());
        let armored = loop {
            let at = rest;
            match line(&mut rest)? {
                SIGNATURE => break at,
                escaped if escaped.starts_with('-') => text.push_str(escaped.strip_prefix("- ")?),
                line => text.push_str(line),
            }
            text.push('\n');
        };
        let end = armored.find(END)? + END.len();
        armored[end..].trim().is_empty().then_some(Self { text, armored: &armored[..end] })
    }
}

/// The next line, without blanks at its end: they are not signed.
fn line<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let (line, after) = rest.split_once('\n')?;
    *rest = after;
    Some(line.trim_end_matches([' ', '\t', '\r']))
}

fn signatures(armored: &str) -> pgp::errors::Result<Vec<Signature>> {
    let mut dearmor = Dearmor::new(std::io::BufReader::new(armored.as_bytes()));
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

/// Signatures over text with a hash that nobody can make collide.
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

/// When a signature ends by its own word (RFC 9580, 5.2.3.18); most never do.
fn ends(signature: &Signature) -> Option<i64> {
    let lives = i64::from(signature.signature_expiration_time()?.as_secs());
    (lives > 0).then(|| signature.created().map_or(0, |at| i64::from(at.as_secs())) + lives)
}

fn issuer(signature: &Signature) -> String {
    let long = signature.issuer_fingerprint().first().map(|key| format!("{key:X}"));
    let short = signature.issuer_key_id().first().map(|key| format!("{key}").to_ascii_uppercase());
    long.or(short).unwrap_or_else(|| "a key that it does not name".to_owned())
}
