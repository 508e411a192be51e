//! Downloads and verifies the Release file of a source: InRelease, else Release with its detached signature
//! Release.gpg.

use url::Url;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::Documents as _;
use crate::intake::Intake;
use crate::urls::show_url;

use crate::upstream::debs::keyring::Keyring;
use crate::upstream::debs::release::{Leniency, Release};
use crate::upstream::debs::signature::{self, Signed};
use crate::upstream::debs::sources::AptSource;
use crate::upstream::debs::{below, is_snapshot};

/// Greatest length of a Release file. Those of distributions have some hundred thousand bytes.
const RELEASE: u64 = 8 << 20;

/// The message of the error for an archive without any signature.
pub(super) const UNSIGNED: &str = "the archive is not signed: it has neither InRelease nor Release.gpg";

/// A verified Release file.
pub(super) struct Found {
    pub release: Release,
    pub proof: Proof,
}

/// The digests of the documents that made up a Release file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    /// InRelease.
    pub inrelease: Option<Sha256Digest>,
    /// Release, without InRelease.
    pub release: Option<Sha256Digest>,
    /// Release.gpg beside Release.
    pub signature: Option<Sha256Digest>,
    /// The fingerprint of the key that signed; `None` if no signature was required.
    pub by: Option<String>,
}

/// The request for the Release file of a source.
pub(super) struct Wanted<'a> {
    pub source: &'a AptSource,
    pub keyring: &'a Keyring,
    pub intake: Intake<'a>,
    /// True if no signature is required.
    pub unsigned: bool,
    pub leniency: Leniency,
    pub now: i64,
}

impl Wanted<'_> {
    /// Returns the Release file of the first archive with a valid one. Adds warnings about its faults.
    pub fn find(&self, warnings: &mut Vec<String>) -> Result<Found> {
        let mut failure: Option<Error> = None;
        for archive in &self.source.archives {
            match self.at(archive) {
                Ok(found) => {
                    let failed = failure.map(|error| format!("an archive is skipped: {}", error.message()));
                    warnings.extend(failed);
                    let suite = &self.source.suite;
                    let odd =
                        found.release.odd.iter().map(|odd| format!("the Release file of {suite} has a fault: {odd}"));
                    warnings.extend(odd);
                    return Ok(found);
                }
                Err(error) => {
                    let keep = failure.as_ref().is_some_and(|old| old.kind() == Kind::Mismatch);
                    failure = if keep { failure } else { Some(error) };
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::new(Kind::Invalid, "there is no archive to ask")))
    }

    fn at(&self, archive: &Url) -> Result<Found> {
        let document = document(self.intake, self.source, archive, self.unsigned)?;
        let found = match &document.signature {
            SignatureFile::Inline => self.inline(&document, archive),
            SignatureFile::Beside(signature) => self.beside(&document.bytes, signature.as_deref(), archive),
        };
        found.map_err(|error| error.fact("file", show_url(&document.url)))
    }

    /// InRelease.
    fn inline(&self, document: &Document, archive: &Url) -> Result<Found> {
        let signed = match signature::verify(&document.bytes, self.keyring) {
            Err(error) if self.unsigned && error.message() == signature::NOBODY => None,
            answer => Some(answer?),
        };
        let text = signed.as_ref().map_or_else(|| document.unverified(), |signed| Ok(signed.text.clone()))?;
        let digest = Some(Sha256Digest::of(&document.bytes));
        let proof = Proof { inrelease: digest, release: None, signature: None, by: None };
        self.judge(&text, signed, proof, archive)
    }

    /// Release, with Release.gpg.
    fn beside(&self, bytes: &[u8], beside: Option<&[u8]>, archive: &Url) -> Result<Found> {
        let signed = match beside {
            Some(beside) => match signature::verify_detached(bytes, beside, self.keyring) {
                Err(error) if self.unsigned && error.message() == signature::NOBODY => None,
                answer => Some(answer?),
            },
            None if self.unsigned => None,
            None => {
                return Err(Error::new(Kind::Mismatch, UNSIGNED)
                    .hint("anybody could have changed it. To use it anyway, set in the manifest: unsigned = true"));
            }
        };
        let signature = beside.filter(|_| signed.is_some()).map(Sha256Digest::of);
        let proof = Proof { inrelease: None, release: Some(Sha256Digest::of(bytes)), signature, by: None };
        self.judge(bytes, signed, proof, archive)
    }

    fn judge(&self, text: &[u8], signed: Option<Signed>, mut proof: Proof, archive: &Url) -> Result<Found> {
        let mut release = Release::parse(text)?;
        let mut leniency = self.leniency.clone();
        leniency.expired |= is_snapshot(archive);
        match signed {
            Some(signed) => (release, proof.by) = (release.until(signed.until), Some(signed.by)),
            None => release.odd.push("it is not signed, which `unsigned = true` allows".to_owned()),
        }
        release.by_hash = self.source.options.by_hash.unwrap_or(release.by_hash);
        release.check(&self.source.suite, self.now, &leniency)?;
        Ok(Found { release, proof })
    }
}

/// A Release file as an archive served it, not verified.
pub(super) struct Document {
    url: Url,
    bytes: Vec<u8>,
    signature: SignatureFile,
}

/// The place of the signature of a Release file.
enum SignatureFile {
    /// In the file itself, InRelease.
    Inline,
    /// Release.gpg, if the archive has one.
    Beside(Option<Vec<u8>>),
}

impl Document {
    /// Returns its text without verification.
    pub fn unverified(&self) -> Result<Vec<u8>> {
        match self.signature {
            SignatureFile::Inline => signature::unverified(&self.bytes),
            SignatureFile::Beside(_) => Ok(self.bytes.clone()),
        }
    }

    /// Fails unless a key of the keyring signed it.
    pub fn demand_signed(&self, keyring: &Keyring) -> Result<()> {
        let signed = match &self.signature {
            SignatureFile::Inline => signature::verify(&self.bytes, keyring),
            SignatureFile::Beside(Some(beside)) => signature::verify_detached(&self.bytes, beside, keyring),
            SignatureFile::Beside(None) => Err(Error::new(Kind::Mismatch, UNSIGNED)),
        };
        signed.map(drop).map_err(|error| error.fact("file", show_url(&self.url)))
    }
}

/// Returns the Release file of a source. Plain http is allowed only if its signature is verified, so not if it may be
/// `unsigned`.
pub(super) fn document(intake: Intake, source: &AptSource, archive: &Url, unsigned: bool) -> Result<Document> {
    let url = |name: &str| {
        let url = below(archive, &format!("dists/{}/{name}", source.suite));
        url.ok_or_else(|| Error::new(Kind::Invalid, "there is no archive to ask"))
    };
    let get = |url: &Url| -> Result<Option<Vec<u8>>> {
        if url.scheme() == "file" && url.to_file_path().is_ok_and(|path| !path.exists()) {
            return Ok(None);
        }
        let answer = if unsigned {
            intake.fetcher.get(url, RELEASE).map(|document| document.body)
        } else {
            intake.fetcher.get_signed(url, RELEASE)
        };
        match answer {
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            answer => answer.map(Some),
        }
    };
    let in_release = url("InRelease")?;
    if let Some(bytes) = get(&in_release)? {
        return Ok(Document { url: in_release, bytes, signature: SignatureFile::Inline });
    }
    let release = url("Release")?;
    let bytes = get(&release)?.ok_or_else(|| no_suite(&in_release, &release))?;
    let signature = get(&url("Release.gpg")?).map_err(|error| error.fact("file", show_url(&release)))?;
    Ok(Document { url: release, bytes, signature: SignatureFile::Beside(signature) })
}

fn no_suite(in_release: &Url, release: &Url) -> Error {
    Error::new(Kind::NotFound, "the archive has no such suite")
        .fact("url", show_url(in_release))
        .fact("url", show_url(release))
        .hint("name suites as in sources.list, such as `noble-updates`; a snapshot must not be older than its suite")
}
