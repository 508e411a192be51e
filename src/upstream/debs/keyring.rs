//! The keys that may sign an archive's Release files.
//!
//! A key counts as of the moment of the signature: made before, not expired by then, and never revoked. Whether a Release
//! file is still of today is its own `Valid-Until`'s business, so that the snapshot of an old day can still be checked.
//!
//! The policy here and in [`super::signature`] is our own, on the crate `pgp`. Sequoia has one that many use, but in Rust alone it
//! needs its `allow-experimental-crypto` and `allow-variable-time-crypto`, a parser generator to build, and 201 crates where `pgp`
//! needs 149; with Nettle or OpenSSL the binary would link a C library. Refused, as there: signatures over weak hashes; keys that
//! are weak, revoked, expired, not bound or not for signing. Not refused, as apt has it so far: a key that vouches for itself by
//! SHA-1, as keys of old archives do.

use std::path::{Path, PathBuf};

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails, PublicParams, Tag, Timestamp};

use super::key_file;
use crate::error::{Error, Kind, Result};

/// The largest keyring that is read. Those of distributions have some hundred thousand bytes.
const LARGEST: u64 = 8 << 20;

/// Said of keys that are too short.
const WEAK: &str = "the key is of a kind or length that is no longer trusted";

/// The keys of some keyrings.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
    /// What they were read from, for messages.
    names: Vec<String>,
    /// Files of a directory that could not be read, and why.
    unread: Vec<String>,
    /// Fingerprints of which each list must allow a key; see [`Self::only`].
    only: Vec<Vec<String>>,
}

/// What a signature is worth to a keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// The key with this fingerprint, or a signing key of its, made it.
    Good(String),
    /// A key of the keyring is said to have made it, and did not.
    Bad(String),
    /// The key that made it may not sign: the fingerprint, and why.
    Unfit(String, &'static str),
    /// No key of the keyring made it.
    Unknown,
}

impl Keyring {
    /// Adds the keys in a keyring: a binary or an armored one.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.keys.extend(key_file::keys(name, bytes)?);
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Adds the keyring at `path`, called `name` in messages.
    pub fn read(&mut self, path: &Path, name: &str) -> Result<()> {
        let missing = |error: &std::io::Error| {
            Error::new(Kind::NotFound, "there is no keyring that can be read").fact("keyring", name).because(error)
        };
        let size = fs_err::metadata(path).map_err(|error| missing(&error))?.len();
        if size > LARGEST {
            return Err(Error::new(Kind::Invalid, "the keyring is far larger than it can be").fact("keyring", name));
        }
        self.add(name, &fs_err::read(path).map_err(|error| missing(&error))?)
    }

    /// Keeps the keys with these fingerprints, as apt has it: one allows a key and all of its signing keys, or that one
    /// signing key; with a `!` behind it, exactly the key or signing key that it names.
    #[must_use]
    pub fn only(mut self, fingerprints: &[String]) -> Self {
        self.only.push(fingerprints.to_vec());
        let mut keys = std::mem::take(&mut self.keys);
        keys.retain(|key| {
            let subkeys = key.public_subkeys.iter().any(|subkey| self.allows(key, &subkey.key));
            subkeys || self.allows(key, &key.primary_key)
        });
        self.keys = keys;
        self
    }

    /// Whether `by`, a key or one of its signing keys, is one of those that may sign.
    fn allows(&self, key: &SignedPublicKey, by: &dyn KeyDetails) -> bool {
        let (own, by) = (fingerprint(&key.primary_key), fingerprint(by));
        self.only.iter().all(|list| list.iter().any(|word| names(word, &own, &by)))
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What the keys were read from.
    #[must_use]
    pub fn names(&self) -> String {
        self.names.join(", ")
    }

    /// Files of a directory that could not be read, and why.
    #[must_use]
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// What `signature` over `text` is worth.
    #[must_use]
    pub fn judge(&self, signature: &Signature, text: &[u8]) -> Judgement {
        let mut judgement = Judgement::Unknown;
        for key in &self.keys {
            let own = fingerprint(&key.primary_key);
            let mut consider = |by: &dyn KeyDetails, verified: bool, unfit: Option<&'static str>| {
                let issuer = signature.issuer_fingerprint().contains(&&by.fingerprint())
                    || signature.issuer_key_id().contains(&&by.legacy_key_id());
                let unfit =
                    unfit.or_else(|| (!self.allows(key, by)).then_some("another key of it may sign, this one not"));
                match (issuer, verified, unfit) {
                    (_, true, None) => judgement = Judgement::Good(own.clone()),
                    (_, true, Some(why)) => judgement = Judgement::Unfit(own.clone(), why),
                    (true, false, _) => judgement = Judgement::Bad(own.clone()),
                    (false, false, _) => {}
                }
            };
            let at = signature.created();
            let verified = signature.verify(&key.primary_key, text).is_ok();
            consider(&key.primary_key, verified, unfit(key, at));
            for subkey in &key.public_subkeys {
                let verified = signature.verify(&subkey.key, text).is_ok();
                consider(&subkey.key, verified, unfit_subkey(key, subkey, at));
            }
            if matches!(judgement, Judgement::Good(_)) {
                break;
            }
        }
        judgement
    }
}

/// The directory in which distributions put the keyrings of their archives.
pub const SHARED: &str = "/usr/share/keyrings";

/// Adds every keyring that can be read in these places, files or directories. Only for use with fingerprints, or where apt trusts
/// all of them.
pub fn add_all(keyring: &mut Keyring, places: &[PathBuf]) -> Result<()> {
    for place in places {
        let mut files = Vec::new();
        if place.is_dir() {
            for entry in fs_err::read_dir(place)? {
                files.push(entry?.path());
            }
            files.sort();
        } else if place.is_file() {
            files.push(place.clone());
        }
        for file in files {
            let kind = file.extension().and_then(|extension| extension.to_str());
            if matches!(kind, Some("gpg" | "pgp" | "asc")) {
                // One that is of a format that nobody reads any more must not stop the others.
                let name = file.display().to_string();
                if let Err(error) = keyring.read(&file, &name) {
                    keyring.unread.push(format!("{name}: {}", error.message()));
                }
            }
        }
    }
    Ok(())
}

/// Whether a word of a configuration names the key `by`, which belongs to the key `own`.
fn names(word: &str, own: &str, by: &str) -> bool {
    word.strip_suffix('!').map_or_else(|| word == by || word == own, |exact| exact == by)
}

/// A fingerprint as people write it: upper-case hexadecimal digits.
fn fingerprint(key: &dyn KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

/// Returns whether somebody may find out the private key: like apt, trusts RSA from 2048 bits on, and curves.
fn is_weak(key: &dyn KeyDetails) -> bool {
    match key.public_params() {
        // Written out, the modulus comes first, and its number of bits before it.
        PublicParams::RSA(rsa) => rsa
            .to_bytes()
            .ok()
            .as_deref()
            .and_then(<[u8]>::first_chunk)
            .is_none_or(|bits| u16::from_be_bytes(*bits) < 2048),
        PublicParams::DSA(_) | PublicParams::Elgamal(_) => true,
        _ => false,
    }
}

/// Why a key may not sign something at this time.
fn unfit(key: &SignedPublicKey, at: Option<Timestamp>) -> Option<&'static str> {
    let primary = &key.primary_key;
    if is_weak(primary) {
        return Some(WEAK);
    }
    if key.details.revocation_signatures.iter().any(|revocation| revocation.verify_key(primary).is_ok()) {
        return Some("the key was revoked");
    }
    let users = key.details.users.iter().flat_map(|user| {
        let good = |signature: &&Signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        };
        user.signatures.iter().filter(good)
    });
    let direct = key.details.direct_signatures.iter().filter(|signature| signature.verify_key(primary).is_ok());
    let Some(newest) = users.chain(direct).max_by_key(|signature| signature.created()) else {
        return Some("the key does not vouch for itself");
    };
    out_of_time(primary, newest, at)
}

/// Why a signing key of a key may not sign something at this time.
fn unfit_subkey(key: &SignedPublicKey, subkey: &SignedPublicSubKey, at: Option<Timestamp>) -> Option<&'static str> {
    let good = |signature: &&Signature| signature.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok();
    let (revoked, bound): (Vec<&Signature>, Vec<&Signature>) = subkey
        .signatures
        .iter()
        .filter(good)
        .partition(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation));
    if !revoked.is_empty() {
        return Some("the signing key was revoked");
    }
    let Some(newest) = bound.into_iter().max_by_key(|signature| signature.created()) else {
        return Some("the signing key is not bound to its key");
    };
    // Without the signing key's own word, anybody's could be claimed.
    let returned = newest
        .embedded_signature()
        .is_some_and(|back| back.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok());
    if !newest.key_flags().sign() || !returned {
        return Some("the key is not one for signing");
    }
    if is_weak(&subkey.key) {
        return Some(WEAK);
    }
    unfit(key, at).or_else(|| out_of_time(&subkey.key, newest, at))
}

fn out_of_time(key: &dyn KeyDetails, by: &Signature, at: Option<Timestamp>) -> Option<&'static str> {
    let Some(at) = at.map(|at| u64::from(at.as_secs())) else { return Some("the signature has no time") };
    let made = u64::from(key.created_at().as_secs());
    let lives = by.key_expiration_time().map_or(0, |time| u64::from(time.as_secs()));
    if at < made {
        Some("the key was made after the signature")
    } else if lives > 0 && at > made + lives {
        Some("the key had expired")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn an_exclamation_mark_names_one_key_alone() {
        assert!(names("OWN", "OWN", "SUB") && names("SUB", "OWN", "SUB") && names("OWN", "OWN", "OWN"));
        assert!(names("SUB!", "OWN", "SUB") && names("OWN!", "OWN", "OWN"));
        assert!(!names("OWN!", "OWN", "SUB") && !names("SUB", "OWN", "OTHER") && !names("SUB!", "OWN", "OWN"));
    }
}
