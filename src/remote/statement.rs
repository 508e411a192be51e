//! Signed statements: that a derivation has a tree. They refer to the manifest of the tree.

use std::path::Path;

use super::repository::{Reference, Repository, is_odd};
use super::{artifact, referrers, small};
use crate::digest::{DerivationId, Sha256Digest};
use crate::error::{Error, Result};
use crate::oci::artifact::{EMPTY_CONFIG, described};
use crate::oci::{Artifact, Descriptor};
use crate::trust::{Trusted, Vouched};

/// The artifact type of a statement.
pub(super) const STATEMENT: &str = "application/vnd.strixlock.statement.v1";
/// The media type of its text.
const TEXT: &str = "application/vnd.strixlock.statement.v1+json";
/// The media type of its signature.
const SIGNATURE: &str = "application/vnd.strixlock.signature.v1+sshsig";
/// Greatest size of a statement or signature, in bytes.
pub(super) const LARGEST: u64 = 64 << 10;

/// A statement with its signature, as somebody wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    /// The bytes that were signed.
    pub text: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Whose word counts, at one time.
pub struct Judge {
    trusted: Trusted,
    now: i64,
}

impl Judge {
    /// Returns a judge who believes these keys at this time, in seconds since 1970.
    #[must_use]
    pub fn new(trusted: Trusted, now: i64) -> Self {
        Self { trusted, now }
    }

    /// Returns what a statement says about a derivation. Fails unless somebody who is trusted signed these very bytes,
    /// and they are about this derivation.
    pub fn check(&self, derivation: DerivationId, statement: &SignedStatement) -> Result<Vouched> {
        self.trusted.check(derivation, &statement.text, &statement.signature, self.now)
    }

    /// Returns true if nobody is trusted: then no statement need be asked for.
    #[must_use]
    pub fn trusts_nobody(&self) -> bool {
        self.trusted.is_nobody(self.now)
    }
}

/// Stores a statement about the tree with this manifest.
pub fn attach(
    remote: &dyn Repository,
    manifest: Sha256Digest,
    statement: &SignedStatement,
    directory: &Path,
) -> Result<()> {
    let text = remote.manifest(Reference::Digest(manifest))?;
    let text = text.ok_or_else(|| Error::failure("the remote has lost a manifest that it was sent"))?;
    for blob in [EMPTY_CONFIG, &statement.text, &statement.signature] {
        small::put(remote, blob, directory)?;
    }
    let layers = vec![Descriptor::of(TEXT, &statement.text), Descriptor::of(SIGNATURE, &statement.signature)];
    let mut artifact = Artifact::new(STATEMENT, layers);
    artifact.subject = Some(described(&text));
    referrers::attach(remote, &artifact)
}

/// Returns the statements about the tree with this manifest. What is odd among them is passed over.
pub fn statements(remote: &dyn Repository, manifest: Sha256Digest) -> Result<Vec<SignedStatement>> {
    let mut all = Vec::new();
    for digest in referrers::of(remote, manifest)? {
        match read(remote, digest) {
            Ok(statement) => all.extend(statement),
            Err(error) if is_odd(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Returns the statement with this manifest; `None` if it is something else.
fn read(remote: &dyn Repository, digest: Sha256Digest) -> Result<Option<SignedStatement>> {
    let Some(text) = remote.manifest(Reference::Digest(digest))? else { return Ok(None) };
    let artifact = artifact::parse(&text, STATEMENT)?;
    let [text, signature] = artifact.layers.as_slice() else { return Ok(None) };
    if (text.media_type.as_str(), signature.media_type.as_str()) != (TEXT, SIGNATURE) {
        return Ok(None);
    }
    let read = |layer: &Descriptor| small::read(remote, layer.promise(), LARGEST);
    Ok(Some(SignedStatement { text: read(text)?, signature: read(signature)? }))
}
