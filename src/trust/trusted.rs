//! The keys that are trusted, and the check of a statement by them.

use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::key::PublicKey;
use super::signature::Signature;
use super::{Signer, Statement};
use crate::digest::DerivationId;
use crate::error::{Error, Kind, Result};

/// Size in bytes of the longest file that is read.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The keys of an `allowed_signers` file.
#[derive(Debug, Clone)]
pub struct Trusted {
    file: PathBuf,
    signers: Vec<Signer>,
    ignored: Vec<Ignored>,
}

/// A line that is passed over, since it cannot be honoured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Its number, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// A statement that somebody who is trusted vouches for.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// The statement.
    pub statement: Statement,
    /// The signer's name in the file.
    pub signer: String,
    /// The fingerprint of the signer's key.
    pub fingerprint: String,
}

impl Trusted {
    /// Reads a file. Without it nobody is trusted. Fails if somebody else can write to it.
    pub fn load(file: &Path) -> Result<Self> {
        let mut trusted = Self { file: file.to_path_buf(), signers: Vec::new(), ignored: Vec::new() };
        let Some(text) = read(file)? else { return Ok(trusted) };
        for (number, line) in text.lines().enumerate() {
            match Signer::parse(line) {
                Ok(signer) => trusted.signers.extend(signer),
                Err(why) => trusted.ignored.push(Ignored { line: number + 1, why }),
            }
        }
        Ok(trusted)
    }

    /// Returns the file, which need not exist.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns all keys, also those that do not count now.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Returns the lines that are passed over.
    #[must_use]
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// Returns true if no key counts at a time, in seconds since 1970: no statement can be believed then.
    #[must_use]
    pub fn is_nobody(&self, now: i64) -> bool {
        self.signers.iter().all(|signer| signer.refusal(now).is_some())
    }

    /// Checks a statement with its signature. Fails with [`Kind::Mismatch`] unless somebody who is trusted at this time
    /// signed these very bytes, and they are about `derivation`.
    pub fn check(&self, derivation: DerivationId, statement: &[u8], signature: &[u8], now: i64) -> Result<Vouched> {
        if statement.len() > super::statement::LONGEST {
            // The parser says so, and nothing is hashed.
            Statement::parse(statement)?;
        }
        let signature = Signature::parse(signature)?;
        let signer = self.signer(&signature.key(), now)?;
        signature.verify(statement).map_err(|error| by(error, signer))?;
        let statement = Statement::parse(statement).map_err(|error| by(error, signer))?;
        if statement.derivation != derivation {
            return Err(by(Error::new(Kind::Mismatch, "the statement is about another derivation"), signer)
                .fact("expected", derivation)
                .fact("found", statement.derivation));
        }
        let fingerprint = signer.key().fingerprint();
        Ok(Vouched { statement, signer: signer.name().to_owned(), fingerprint })
    }

    /// Returns the signer with this key whose key counts at a time.
    fn signer(&self, key: &ssh_key::PublicKey, now: i64) -> Result<&Signer> {
        let same = || self.signers.iter().filter(|signer| signer.key().inner().key_data() == key.key_data());
        if let Some(signer) = same().find(|signer| signer.refusal(now).is_none()) {
            return Ok(signer);
        }
        let Some(signer) = same().next() else {
            let fingerprint = key.fingerprint(ssh_key::HashAlg::Sha256);
            let error = Error::new(Kind::Mismatch, "the statement is signed by a key that is not trusted");
            return Err(error
                .fact("key", format!("{fingerprint}  {}", key.algorithm()))
                .fact("trusted", self.file.display())
                .hint("`strixlock trust add NAME KEY` trusts a key; compare its fingerprint with its owner first"));
        };
        let why = signer.refusal(now).unwrap_or_default();
        Err(by(Error::new(Kind::Mismatch, "the statement is signed by a key that does not count"), signer)
            .fact("because", why)
            .fact("trusted", self.file.display()))
    }

    /// Returns the signer with this very key.
    pub(super) fn with_key(&self, key: &PublicKey) -> Option<&Signer> {
        self.signers.iter().find(|signer| signer.key().inner().key_data() == key.inner().key_data())
    }
}

/// Adds whose signature it was to an error.
fn by(error: Error, signer: &Signer) -> Error {
    error.fact("signer", format!("{}  {}", signer.name(), signer.key().fingerprint()))
}

/// Returns the text of the file, if it exists.
pub(super) fn read(file: &Path) -> Result<Option<String>> {
    let opened = match fs_err::File::open(file) {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable().because(&error)),
    };
    let found = opened.metadata()?;
    if !found.is_file() {
        return Err(unreadable().fact("path", file.display()).fact("expected", "a file"));
    }
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != 0 && found.uid() != me {
        return Err(unreadable()
            .fact("path", file.display())
            .fact("owner", format!("user {}", found.uid()))
            .fact("expected", format!("user {me} or root")));
    }
    if found.mode() & 0o022 != 0 {
        return Err(Error::new(Kind::Invalid, "others can write to the list of trusted keys")
            .fact("path", file.display())
            .fact("mode", format!("{:o}", found.mode() & 0o7777))
            .hint(format!("look at it, then `chmod go-w {}`", crate::text::shell_quoted(&file.to_string_lossy()))));
    }
    let mut text = String::new();
    opened.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| unreadable().because(&error))?;
    if text.len() as u64 > LONGEST {
        return Err(unreadable().fact("path", file.display()).fact("limit", format!("{LONGEST} bytes")));
    }
    Ok(Some(text))
}

fn unreadable() -> Error {
    Error::new(Kind::Invalid, "cannot read the list of trusted keys")
}
