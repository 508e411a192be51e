//! Resolves an `advisories` request: reads the document as it is now.

use super::{AdvisoriesPin, AdvisoriesRequest};
use crate::advisories::{LARGEST, parse};
use crate::digest::Sha256Digest;
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::Documents as _;
use crate::inputs::{Answer, Block, Preview, Question, Resolution, Resolve, Taken};
use crate::intake::Intake;
use crate::upstream::debs::keyring::Keyring;
use crate::upstream::debs::signature;
use crate::urls::show_url;

impl Resolve for AdvisoriesRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let pin = self.read(&question)?;
        if let Some(block) = locked
            && block.locked == pin
            && block.requested == *self
        {
            return Ok((Resolution::same(block.clone()), Vec::new()));
        }
        // An older document could hide what is known to be bad, which nothing else would show.
        let known = locked.map(|block| block.locked.entries.as_slice()).unwrap_or_default();
        let lost: Vec<&str> = known
            .iter()
            .filter(|one| !pin.entries.iter().any(|other| other.id == one.id))
            .map(|one| one.id.as_str())
            .collect();
        let warnings =
            if lost.is_empty() { Vec::new() } else { vec![format!("the document no longer has {}", lost.join(", "))] };
        let block = Block::new(self.clone(), pin)?;
        let to = crate::inputs::Pinned::version(&block);
        let preview = Preview { bytes: Some(block.locked.size), ..Preview::default() };
        let details = block.locked.entries.iter().map(|one| format!("{}: {}", one.id, one.what)).collect();
        let take_in = move |_: Intake| Ok(Taken { block: block.into(), details: Vec::new(), warnings: Vec::new() });
        Ok((Resolution::New { to, details, preview, take_in: Box::new(take_in) }, warnings))
    }
}

impl AdvisoriesRequest {
    /// Reads the document from the first URL that answers.
    fn read(&self, question: &Question) -> Result<AdvisoriesPin> {
        let mut failed = None;
        for url in &self.urls {
            let found = match question.intake.fetcher.get(url, LARGEST) {
                Ok(found) => found,
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            let (text, signed_by) = self.verified(&found.body, question).about(show_url(url))?;
            let text = String::from_utf8(text)
                .map_err(|_| Error::new(Kind::Invalid, "the document is not UTF-8").fact("url", show_url(url)))?;
            return Ok(AdvisoriesPin {
                url: url.clone(),
                size: found.body.len() as u64,
                sha256: Sha256Digest::of(&found.body),
                signed_by,
                entries: parse(&text, &show_url(url))?,
            });
        }
        Err(failed.unwrap_or_else(|| Error::new(Kind::Invalid, "the input has no URL")))
    }

    /// Returns the text of a document, and the key that signed it. Fails if a signature is demanded and missing or
    /// wrong.
    fn verified(&self, body: &[u8], question: &Question) -> Result<(Vec<u8>, Option<String>)> {
        let Some(path) = &self.keyring else { return Ok((body.to_vec(), None)) };
        let mut keyring = Keyring::default();
        keyring.read(&question.directory.join(path), path)?;
        if !self.keys.is_empty() {
            keyring = keyring.only(&self.keys);
        }
        if !body.starts_with(signature::BEGIN) {
            return Err(Error::new(Kind::Mismatch, "the document is not signed, and a signature is demanded")
                .fact("keyring", path)
                .hint("its publisher signs it with `gpg --clearsign`; without `keyring`, https alone is trusted"));
        }
        let signed = signature::verify(body, &keyring)?;
        Ok((signed.text, Some(signed.by)))
    }
}
