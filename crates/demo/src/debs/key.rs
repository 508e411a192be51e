//! Keys that sign the demo archive: Ed25519, derived from a number, so that they are the same on all machines. They
//! protect nothing.

use pgp::composed::{ArmorOptions, CleartextSignedMessage, DetachedSignature, SignedKeyDetails, SignedPublicKey};
use pgp::crypto::ed25519::{Mode, SecretKey as Ed25519};
use pgp::crypto::eddsa_legacy::SecretKey as EddsaLegacy;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{
    KeyFlags, PubKeyInner, PublicKey, SecretKey, SignatureConfig, SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::ser::Serialize as _;
use pgp::types::{
    Duration, KeyDetails as _, KeyVersion, Password, PlainSecretParams, PublicParams, SecretParams, SignedUser, Tag,
    Timestamp,
};

use crate::error::{Error, Result};

const ALGORITHM: PublicKeyAlgorithm = PublicKeyAlgorithm::EdDSALegacy;

/// A signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The number that the key is derived from.
    pub seed: u8,
    /// The time of its creation, in seconds since 1970.
    pub made: u32,
    /// Its lifetime in seconds; 0 if it does not expire.
    pub lives: u32,
}

impl Key {
    /// Creates a key that never expires.
    #[must_use]
    pub fn new(seed: u8) -> Self {
        Self { seed, made: 1_600_000_000, lives: 0 }
    }

    /// Returns the keyring that holds it, and nothing else.
    pub fn keyring(&self) -> Result<Vec<u8>> {
        self.public().map_err(|error| broken(&error))
    }

    /// Returns its fingerprint.
    pub fn fingerprint(&self) -> Result<String> {
        let key = self.secret().map_err(|error| broken(&error))?;
        Ok(format!("{:X}", key.fingerprint()))
    }

    /// Returns the text in a cleartext signature made at this time.
    pub fn sign(&self, text: &str, at: i64) -> Result<Vec<u8>> {
        self.sign_for(text, at, 0)
    }

    /// Like [`Self::sign`], with a signature that expires after `lives` seconds; 0 means never.
    pub fn sign_for(&self, text: &str, at: i64, lives: u32) -> Result<Vec<u8>> {
        self.signed(text, u32::try_from(at).unwrap_or_default(), lives).map_err(|error| broken(&error))
    }

    /// Returns a detached, armored signature of these bytes.
    pub fn sign_beside(&self, bytes: &[u8], at: i64) -> Result<Vec<u8>> {
        let signature = || {
            let secret = self.secret()?;
            let config = config(SignatureType::Binary, &secret, u32::try_from(at).unwrap_or_default())?;
            let signature = config.sign(&secret, &Password::empty(), bytes)?;
            DetachedSignature::new(signature).to_armored_bytes(ArmorOptions::default())
        };
        signature().map_err(|error: pgp::errors::Error| broken(&error))
    }

    fn secret(&self) -> pgp::errors::Result<SecretKey> {
        let secret = Ed25519::try_from_bytes([self.seed; 32], Mode::EdDSALegacy)?;
        let params = PublicParams::EdDSALegacy((&secret).into());
        let made = Timestamp::from_secs(self.made);
        let public = PublicKey::from_inner(PubKeyInner::new(KeyVersion::V4, ALGORITHM, made, None, params)?)?;
        SecretKey::new(public, SecretParams::Plain(PlainSecretParams::EdDSALegacy(EddsaLegacy::Ed25519(secret))))
    }

    fn public(&self) -> pgp::errors::Result<Vec<u8>> {
        let secret = self.secret()?;
        let public = secret.public_key().clone();
        let id = UserId::from_str(pgp::types::PacketHeaderVersion::New, "Demo archive <nobody@localhost>")?;
        let mut flags = KeyFlags::default();
        flags.set_sign(true);
        flags.set_certify(true);
        let mut config = config(SignatureType::CertPositive, &secret, self.made)?;
        config.hashed_subpackets.push(Subpacket::regular(SubpacketData::KeyFlags(flags))?);
        if self.lives > 0 {
            let lives = SubpacketData::KeyExpirationTime(Duration::from_secs(self.lives));
            config.hashed_subpackets.push(Subpacket::regular(lives)?);
        }
        let signature = config.sign_certification(&secret, &public, &Password::empty(), Tag::UserId, &id)?;
        let user = SignedUser::new(id, vec![signature]);
        let details = SignedKeyDetails::new(Vec::new(), Vec::new(), vec![user], Vec::new());
        SignedPublicKey::new(public, details, Vec::new()).to_bytes()
    }

    fn signed(&self, text: &str, at: u32, lives: u32) -> pgp::errors::Result<Vec<u8>> {
        let secret = self.secret()?;
        let mut config = config(SignatureType::Text, &secret, at)?;
        if lives > 0 {
            let lives = SubpacketData::SignatureExpirationTime(Duration::from_secs(lives));
            config.hashed_subpackets.push(Subpacket::regular(lives)?);
        }
        let text = text.trim_end_matches('\n');
        let message = CleartextSignedMessage::new(text, config, &secret, &Password::empty())?;
        message.to_armored_bytes(ArmorOptions::default())
    }
}

fn config(kind: SignatureType, key: &SecretKey, at: u32) -> pgp::errors::Result<SignatureConfig> {
    let mut config = SignatureConfig::v4(kind, ALGORITHM, HashAlgorithm::Sha512);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(at)))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    // GnuPG does not attribute a signature to a key without it.
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    Ok(config)
}

fn broken(error: &dyn std::error::Error) -> Error {
    Error::failure("cannot make a key of the demo archive").because(error)
}
