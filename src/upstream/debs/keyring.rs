//! The keys that may sign an archive's Release files.
//!
//! A key is judged at the time of the signature: created before it, not expired by then, and never revoked. A Release
//! file expires by its own `Valid-Until`, so an old snapshot can still be verified.
//!
//! The policy here and in [`super::signature`] is our own, on top of the crate `pgp`. Sequoia's is widely used, but in
//! pure Rust it needs `allow-experimental-crypto` and `allow-variable-time-crypto`, a parser generator to build, and
//! 201 crates instead of 149; with Nettle or OpenSSL the binary would link a C library. Refused, as in Sequoia:
//! signatures over weak hashes, and keys that are weak, revoked, expired, not bound or not for signing. Accepted, as by
//! apt so far: a self-signature over SHA-1, which keys of old archives have.

use std::path::{Path, PathBuf};

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails, PublicParams, Tag, Timestamp};

use super::key_file;
use crate::error::{Error, Kind, Result};

/// Greatest size of a keyring. Those of distributions have some hundred thousand bytes.
const LARGEST: u64 = 8 << 20;

/// The reason for refusing a weak key.
const WEAK: &str = "the key's algorithm or length is no longer trusted";

/// The keys of one or several keyrings.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<Held>,
    /// Names of the keyrings that were read, for messages.
    names: Vec<String>,
    /// Keyring files that could not be read, and why.
    unread: Vec<String>,
    /// Lists of fingerprints, each of which must allow a key; see [`Self::only`].
    only: Vec<Vec<String>>,
}

/// A key, and the name of the keyring that it is from.
#[derive(Debug, Clone)]
struct Held {
    key: SignedPublicKey,
    from: String,
}

/// The result of checking a signature against a keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Made by the key with this fingerprint, or by one of its signing subkeys.
    Good(String),
    /// Claims to be made by this key of the keyring, but is wrong.
    Bad(String),
    /// Made by this key, which may not sign, for this reason.
    Unfit(String, &'static str),
    /// Not made by any key of the keyring.
    Unknown,
}

impl Keyring {
    /// Adds the keys of a binary or armored keyring.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let held = |key| Held { key, from: name.to_owned() };
        self.keys.extend(key_file::keys(name, bytes)?.into_iter().map(held));
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Adds the keyring at `path`, called `name` in messages.
    pub fn read(&mut self, path: &Path, name: &str) -> Result<()> {
        let missing = |error: &std::io::Error| {
            Error::new(Kind::NotFound, "the keyring cannot be read").fact("keyring", name).because(error)
        };
        let size = fs_err::metadata(path).map_err(|error| missing(&error))?.len();
        if size > LARGEST {
            return Err(Error::new(Kind::Invalid, "the keyring is too large").fact("keyring", name));
        }
        self.add(name, &fs_err::read(path).map_err(|error| missing(&error))?)
    }

    /// Keeps only the keys with these fingerprints, by apt's rule: a primary key's fingerprint allows the key and all
    /// its signing subkeys, a subkey's fingerprint only that subkey; with a trailing `!`, exactly the named key or
    /// subkey.
    #[must_use]
    pub fn only(mut self, fingerprints: &[String]) -> Self {
        self.only.push(fingerprints.to_vec());
        let mut keys = std::mem::take(&mut self.keys);
        keys.retain(|Held { key, .. }| {
            let subkeys = key.public_subkeys.iter().any(|subkey| self.allows(key, &subkey.key));
            subkeys || self.allows(key, &key.primary_key)
        });
        self.keys = keys;
        self
    }

    /// Adds the keys of another keyring.
    pub fn extend(&mut self, other: &Self) {
        self.keys.extend(other.keys.iter().cloned());
        self.names.extend(other.names.iter().cloned());
        self.unread.extend(other.unread.iter().cloned());
    }

    /// Returns those of these fingerprints that no key of the keyring has.
    #[must_use]
    pub fn lacks(&self, fingerprints: &[String]) -> Vec<String> {
        let has = |word: &&String| {
            self.keys.iter().any(|Held { key, .. }| {
                let own = fingerprint(&key.primary_key);
                let mut subkeys = key.public_subkeys.iter();
                names(word, &own, &own) || subkeys.any(|subkey| names(word, &own, &fingerprint(&subkey.key)))
            })
        };
        fingerprints.iter().filter(|word| !has(word)).cloned().collect()
    }

    /// Returns the fingerprints of its primary keys, sorted, each once.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<String> {
        let mut all: Vec<String> = self.keys.iter().map(|held| fingerprint(&held.key.primary_key)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Returns the names of the keyrings that hold its keys: of several with one key, the first.
    #[must_use]
    pub fn homes(&self) -> String {
        let (mut keys, mut homes) = (Vec::new(), Vec::new());
        for held in &self.keys {
            let own = fingerprint(&held.key.primary_key);
            if !keys.contains(&own) {
                keys.push(own);
                homes.push(held.from.as_str());
            }
        }
        homes.dedup();
        homes.join(", ")
    }

    /// Returns whether `by`, a key or one of its signing subkeys, may sign.
    fn allows(&self, key: &SignedPublicKey, by: &dyn KeyDetails) -> bool {
        let (own, by) = (fingerprint(&key.primary_key), fingerprint(by));
        self.only.iter().all(|list| list.iter().any(|word| names(word, &own, &by)))
    }

    /// Returns whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the names of the keyrings that were read.
    #[must_use]
    pub fn names(&self) -> String {
        self.names.join(", ")
    }

    /// Returns the keyring files that could not be read, and why.
    #[must_use]
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// Checks `signature` over `text`.
    #[must_use]
    pub fn judge(&self, signature: &Signature, text: &[u8]) -> Judgement {
        let mut judgement = Judgement::Unknown;
        for Held { key, .. } in &self.keys {
            let own = fingerprint(&key.primary_key);
            let mut consider = |by: &dyn KeyDetails, verified: bool, unfit: Option<&'static str>| {
                let issuer = signature.issuer_fingerprint().contains(&&by.fingerprint())
                    || signature.issuer_key_id().contains(&&by.legacy_key_id());
                let unfit = unfit.or_else(|| (!self.allows(key, by)).then_some("only another of its keys may sign"));
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

/// The directory where distributions install the keyrings of their archives.
pub const SHARED: &str = "/usr/share/keyrings";

/// Adds every readable keyring at these paths, files or directories. Only for use with fingerprints, or where apt
/// trusts all of them.
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
                // A keyring in an obsolete format must not stop the others.
                let name = file.display().to_string();
                if let Err(error) = keyring.read(&file, &name) {
                    keyring.unread.push(format!("{name}: {}", error.message()));
                }
            }
        }
    }
    Ok(())
}

/// Returns whether a fingerprint in a configuration names the key `by`, whose primary key is `own`.
fn names(word: &str, own: &str, by: &str) -> bool {
    word.strip_suffix('!').map_or_else(|| word == by || word == own, |exact| exact == by)
}

/// Returns a fingerprint in upper-case hexadecimal digits.
fn fingerprint(key: &dyn KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

/// Returns whether a key is too weak. Like apt, accepts RSA with at least 2048 bits, and elliptic curves.
fn is_weak(key: &dyn KeyDetails) -> bool {
    match key.public_params() {
        // Serialized, the modulus comes first, preceded by its number of bits.
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

/// Returns why a key may not sign at this time, if it may not.
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
        return Some("the key has no valid self-signature");
    };
    out_of_time(primary, newest, at)
}

/// Returns why a subkey may not sign at this time, if it may not.
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
        return Some("the signing key is not bound to its primary key");
    };
    // Without the subkey's back signature, a key could claim somebody else's subkey.
    let returned = newest
        .embedded_signature()
        .is_some_and(|back| back.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok());
    if !newest.key_flags().sign() || !returned {
        return Some("the key is not a signing key");
    }
    if is_weak(&subkey.key) {
        return Some(WEAK);
    }
    unfit(key, at).or_else(|| out_of_time(&subkey.key, newest, at))
}

fn out_of_time(key: &dyn KeyDetails, by: &Signature, at: Option<Timestamp>) -> Option<&'static str> {
    let Some(at) = at.map(|at| u64::from(at.as_secs())) else { return Some("the signature has no creation time") };
    let made = u64::from(key.created_at().as_secs());
    let lives = by.key_expiration_time().map_or(0, |time| u64::from(time.as_secs()));
    if at < made {
        Some("the key was created after the signature")
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
