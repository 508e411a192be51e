//! The way from what a tag leads to to the image for a platform: through indexes, which may stand in each other, to a
//! manifest.
//!
//! The search is bounded, in depth and in number. An entry that does not say what it is for and turns out to be
//! something else is passed over; only a registry that cannot be asked stops the search there.

use super::Registry;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::fetch::RegistryDocument;
use crate::inputs::oci::BlobPin;
use crate::oci::document::Manifest;
use crate::upstream::oci::{Candidate, Choice, Document, check_image, choose};

/// Greatest depth to which indexes may stand in each other.
const MOST_DEPTH: u32 = 4;
/// Documents that are fetched for one image.
const MOST_DOCUMENTS: u32 = 16;

/// An image that was found.
pub(super) struct Found {
    pub manifest: BlobPin,
    pub document: Manifest,
    /// The digests of its layers before compression.
    pub diff_ids: Vec<Sha256Digest>,
    /// Fields of its configuration that were passed over.
    pub odd: Option<String>,
}

/// A search, and what was seen on the way.
pub(super) struct Search<'a> {
    registry: &'a Registry<'a>,
    left: u32,
    /// Everything that the indexes on the way say, their candidates aside.
    seen: Choice,
    /// Why the first entry of those that do not say what they are for was passed over.
    unfit: Option<Error>,
    told: Vec<String>,
}

impl<'a> Search<'a> {
    pub fn new(registry: &'a Registry<'a>) -> Self {
        Self { registry, left: MOST_DOCUMENTS, seen: Choice::default(), unfit: None, told: Vec::new() }
    }

    /// The image that the document of a tag or digest leads to.
    pub fn image(&mut self, top: &RegistryDocument, pin: BlobPin) -> Result<Found> {
        if let Some(found) = self.look(top, pin, true, 0)? {
            return Ok(found);
        }
        let Choice { others, passed, unusable, .. } = std::mem::take(&mut self.seen);
        if let Some(error) = unusable {
            return Err(error);
        }
        let mut error = Error::new(Kind::NotFound, "the image is not available for the platform")
            .fact("asked", format!("linux/{}", self.registry.request.architecture));
        if !others.is_empty() {
            error = error.fact("it is for", others.join(", "));
        }
        if passed > 0 {
            error = error.fact("passed over", format!("{passed} entries of its index without an image for a platform"));
        }
        Err(match self.unfit.take() {
            Some(unfit) => error.because(&unfit),
            None => error,
        })
    }

    /// Lines that are worth telling of the way.
    pub fn told(mut self) -> Vec<String> {
        if self.seen.passed > 0 {
            let count = self.seen.passed;
            self.told.push(format!("skipped  {count} entries of the index without an image for a platform"));
        }
        self.told
    }

    /// Looks into a document; `wanted` if something says that it is for the platform.
    fn look(&mut self, document: &RegistryDocument, pin: BlobPin, wanted: bool, depth: u32) -> Result<Option<Found>> {
        match Document::read(&document.body, document.media_type.as_deref())? {
            Document::Manifest(document) => self.manifest(*document, pin, wanted),
            Document::Index(_) if depth == MOST_DEPTH => {
                Err(too_many(&format!("more than {MOST_DEPTH} nested indexes")))
            }
            Document::Index(entries) => {
                let mut choice = choose(entries, &self.registry.request.architecture);
                self.seen.passed += choice.passed;
                self.seen.unusable = self.seen.unusable.take().or(choice.unusable.take());
                for other in &choice.others {
                    if let Some((os, architecture)) = other.split_once('/') {
                        self.seen.add_other(os, architecture);
                    }
                }
                for candidate in choice.candidates {
                    let says_so = candidate.says_so;
                    match self.candidate(&candidate, depth + 1) {
                        Ok(Some(found)) => {
                            let told = choice.told.take().filter(|_| says_so);
                            self.told.extend(told.map(|told| format!("took     {told}")));
                            return Ok(Some(found));
                        }
                        Ok(None) => {}
                        Err(error) if says_so || self.left == 0 || error.kind() == Kind::Unreachable => {
                            return Err(error);
                        }
                        Err(error) => {
                            self.seen.passed += 1;
                            self.unfit.get_or_insert(error);
                        }
                    }
                }
                Ok(None)
            }
        }
    }

    fn candidate(&mut self, candidate: &Candidate, depth: u32) -> Result<Option<Found>> {
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(too_many(&format!("more than {MOST_DOCUMENTS} documents to read"))),
        };
        let descriptor = &candidate.descriptor;
        let promised = Some((descriptor.digest, Some(descriptor.size)));
        let document = self.registry.manifest(&descriptor.digest.to_string(), promised)?;
        let pin = BlobPin { digest: descriptor.digest, size: descriptor.size };
        self.look(&document, pin, candidate.says_so, depth)
    }

    fn manifest(&mut self, document: Manifest, manifest: BlobPin, wanted: bool) -> Result<Option<Found>> {
        let architecture = &self.registry.request.architecture;
        let config = self.registry.config(&document)?;
        if !wanted && (config.os != "linux" || config.architecture != *architecture) {
            self.seen.add_other(&config.os, &config.architecture);
            return Ok(None);
        }
        let diff_ids = check_image(&document, &config, architecture)?;
        Ok(Some(Found { manifest, document, diff_ids, odd: config.run.describe() }))
    }
}

fn too_many(why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the image is too deep in its index: {why}"))
        .hint("name the digest of its manifest in `image`, as `HOST/REPOSITORY@sha256:...`")
}
