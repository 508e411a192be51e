//! From an `oci` request to its pin: the tag is looked up, and everything below it pinned by digest.
//!
//! Manifest and configuration are read here, since the digests of layers before compression stand in them; the layers
//! are fetched when they are needed. What of an index is looked into is told in [`search`].

mod search;

use super::supply::registry_blob;
use super::{BlobPin, LayerPin, OciPin};
use crate::digest::{Promise, Sha256Digest};
use crate::error::{Error, Kind, Result};
use crate::fetch::RegistryDocument;
use crate::inputs::{Answer, Block, Pinned as _, Preview, Question, Resolution, Resolve, Taken};
use crate::intake::Intake;
use crate::oci::BaseConfig;
use crate::oci::document::Manifest;
use crate::oci::layout::MOST_DOCUMENT;
use crate::text;
use crate::upstream::oci::{ACCEPT, OciRequest};
use crate::urls::show_url;
use search::{Found, Search};

impl Resolve for OciRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let same = locked.filter(|block| block.requested == *self);
        let kept = |block: &Block<Self>| Ok((Resolution::same(block.clone()), Vec::new()));
        // A digest never changes its meaning.
        if let Some(block) = same
            && self.image.digest.is_some()
        {
            return kept(block);
        }
        let registry = Registry { intake: question.intake, request: self };
        let top = registry.manifest(&self.image.wanted(), self.image.digest.map(|digest| (digest, None)))?;
        let digest = Sha256Digest::of(&top.body);
        if let Some(block) = same
            && block.locked.top() == digest
        {
            return kept(block);
        }
        let NewPin { pin: new, told, warnings } = registry.pin(&top, digest)?;
        let mut details = details(locked.map(|block| &block.locked), &new);
        details.extend(told);
        let block = Block::new(self.clone(), new)?;
        let to = block.version();
        let take_in = move |_: Intake| Ok(Taken { block: block.into(), details: Vec::new(), warnings: Vec::new() });
        Ok((Resolution::New { to, details, preview: Preview::default(), take_in: Box::new(take_in) }, warnings))
    }
}

/// A new pin.
struct NewPin {
    pin: OciPin,
    /// Lines worth telling of the way there.
    told: Vec<String>,
    warnings: Vec<String>,
}

struct Registry<'a> {
    intake: Intake<'a>,
    request: &'a OciRequest,
}

impl Registry<'_> {
    /// A manifest or index by its tag or digest. What was promised must come, and what comes must be what the registry
    /// says that it is.
    fn manifest(&self, wanted: &str, promised: Option<(Sha256Digest, Option<u64>)>) -> Result<RegistryDocument> {
        let image = &self.request.image;
        let base = self.intake.fetcher.registry(&image.host, &image.repository)?;
        let url = base.join(&format!("manifests/{wanted}")).map_err(|_| Error::failure("invalid manifest address"))?;
        let document = self.intake.fetcher.registry_document(&url, &ACCEPT, MOST_DOCUMENT)?;
        let found = Sha256Digest::of(&document.body);
        let said = document.digest.as_deref().and_then(|text| text.parse::<Sha256Digest>().ok());
        let expected = promised.map(|(digest, _)| digest).or(said);
        let size = promised.and_then(|(_, size)| size);
        if expected.is_some_and(|expected| expected != found)
            || size.is_some_and(|size| size != document.body.len() as u64)
        {
            let expected = expected.unwrap_or(found);
            return Err(Error::new(Kind::Mismatch, "the registry sent another document than it announced")
                .fact("url", show_url(&url))
                .fact("named", format!("{expected}{}", size.map_or_else(String::new, |size| format!("  {size} bytes"))))
                .fact("received", format!("{found}  {} bytes", document.body.len())));
        }
        Ok(document)
    }

    /// The pin of the image that a document leads to.
    fn pin(&self, top: &RegistryDocument, digest: Sha256Digest) -> Result<NewPin> {
        let this = BlobPin { digest, size: top.body.len() as u64 };
        let mut search = Search::new(self);
        let Found { manifest, document, diff_ids, odd } = search.image(top, this)?;
        let layers = document.layers.iter().zip(diff_ids).map(|(layer, diff_id)| LayerPin {
            media_type: layer.media_type.clone(),
            digest: layer.digest,
            size: layer.size,
            diff_id,
        });
        let pin = OciPin {
            registry: self.request.image.host.clone(),
            repository: self.request.image.repository.clone(),
            index: (manifest != this).then_some(this),
            manifest,
            config: BlobPin { digest: document.config.digest, size: document.config.size },
            layers: layers.collect(),
        };
        let warnings = odd
            .map(|odd| format!("{odd}; an image output that inherits them (`from`) cannot be built"))
            .into_iter()
            .collect();
        Ok(NewPin { pin, told: search.told(), warnings })
    }

    /// The configuration, into the store: whoever uses the image reads it again.
    fn config(&self, manifest: &Manifest) -> Result<BaseConfig> {
        if manifest.config.size > MOST_DOCUMENT {
            return Err(Error::new(Kind::Mismatch, "the configuration of the image is too long")
                .fact("size", text::bytes(manifest.config.size)));
        }
        let blob = Promise { size: manifest.config.size, digest: manifest.config.digest };
        let image = &self.request.image;
        let path = registry_blob(self.intake, &image.name(), (&image.host, &image.repository), blob)?;
        BaseConfig::read(&fs_err::read(path)?)
    }
}

/// Returns the lines that are worth telling of a new pin.
fn details(old: Option<&OciPin>, new: &OciPin) -> Vec<String> {
    let size = new.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
    let mut details =
        vec![format!("digest   {}", new.top()), format!("layers   {}, {}", new.layers.len(), text::bytes(size))];
    if let Some(old) = old {
        let kept = new.layers.iter().filter(|layer| old.layers.iter().any(|one| one.digest == layer.digest)).count();
        details.push(format!("kept     {kept} of {} layers", new.layers.len()));
    }
    details
}
