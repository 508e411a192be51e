//! The index of a layout, `index.json`: manifests with their tags, as the OCI Image Format Specification 1.1 has them.
//!
//! Entries of other tools are kept.

use serde_json::{Map, Value, json};

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::oci::document::{self, REF_NAME};

/// Greatest size of an index, in bytes: fifty times what one with a thousand manifests has.
pub(super) const LARGEST: u64 = 16 << 20;

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// All fields but the manifests.
    fields: Map<String, Value>,
    manifests: Vec<Value>,
}

impl Index {
    /// Parses an index; of a layout that has none, returns an empty one.
    pub fn parse(bytes: Option<&[u8]>) -> Result<Self> {
        let Some(bytes) = bytes else {
            let fields = [("schemaVersion", json!(2)), ("mediaType", document::INDEX.into())];
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            return Ok(Self { fields, manifests: Vec::new() });
        };
        let mut fields: Map<String, Value> = document::read(bytes, "index of the remote")?;
        match fields.remove("manifests") {
            Some(Value::Array(manifests)) => Ok(Self { fields, manifests }),
            _ => Err(Error::new(Kind::Mismatch, "malformed index of a remote").fact("expected", "a list `manifests`")),
        }
    }

    /// Returns the bytes of the index.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut fields = self.fields.clone();
        fields.insert("manifests".to_owned(), self.manifests.clone().into());
        document::write(&fields)
    }

    /// Returns the digest of the manifest that a tag leads to.
    pub fn tagged(&self, wanted: &str) -> Option<Sha256Digest> {
        self.manifests.iter().find(|one| tag(one) == Some(wanted)).and_then(digest)
    }

    /// Returns all tags that a registry could have; a layout may have any text in their place.
    pub fn tags(&self) -> Vec<String> {
        self.manifests.iter().filter_map(tag).filter(|tag| is_tag(tag)).map(str::to_owned).collect()
    }

    /// Returns whether a manifest is listed.
    pub fn has(&self, wanted: Sha256Digest) -> bool {
        self.manifests.iter().any(|one| digest(one) == Some(wanted))
    }

    /// Returns the digests of all manifests.
    pub fn digests(&self) -> Vec<Sha256Digest> {
        self.manifests.iter().filter_map(digest).collect()
    }

    /// Lists a manifest, under a tag if one is given, which leads nowhere else from then on. A manifest that has lost
    /// its last tag by this is not listed any more.
    pub fn put(&mut self, manifest: &[u8], media_type: &str, wanted: Option<&str>) {
        let name = Sha256Digest::of(manifest);
        if wanted.is_none() && self.has(name) {
            return;
        }
        // The entry of a manifest without a tag makes place for one with it.
        self.manifests.retain(|one| match tag(one) {
            Some(tag) => Some(tag) != wanted,
            None => digest(one) != Some(name),
        });
        let mut descriptor = json!({ "mediaType": media_type, "digest": name, "size": manifest.len() });
        if let Some(artifact) = artifact_type(manifest) {
            descriptor["artifactType"] = artifact.into();
        }
        if let Some(wanted) = wanted {
            descriptor["annotations"] = json!({ REF_NAME: wanted });
        }
        self.manifests.push(descriptor);
    }

    /// Removes a manifest with all its tags.
    pub fn remove(&mut self, name: Sha256Digest) {
        self.manifests.retain(|one| digest(one) != Some(name));
    }
}

/// Returns the tag of an entry.
fn tag(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(REF_NAME)?.as_str()
}

fn digest(entry: &Value) -> Option<Sha256Digest> {
    entry.get("digest")?.as_str()?.parse().ok()
}

/// Returns the type of an artifact that a manifest is.
fn artifact_type(manifest: &[u8]) -> Option<String> {
    let manifest: Value = serde_json::from_slice(manifest).ok()?;
    Some(manifest.get("artifactType")?.as_str()?.to_owned())
}

/// Returns whether a text is a tag by the rules of registries.
fn is_tag(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

    fn index(text: &str) -> Result<Index> {
        Index::parse(Some(text.as_bytes()))
    }

    #[test]
    fn tags_lead_to_the_manifest_that_was_put_last() {
        let mut index = Index::parse(None).unwrap();
        let (one, two) = (br#"{"artifactType":"a/b"}"#, b"two");
        let names = [Sha256Digest::of(one), Sha256Digest::of(two)];
        index.put(one, TYPE, None);
        index.put(one, TYPE, None);
        assert_eq!((index.manifests.len(), index.tags().len()), (1, 0));
        index.put(one, TYPE, Some("x"));
        index.put(one, TYPE, Some("y"));
        index.put(one, TYPE, None);
        assert_eq!(index.manifests.len(), 2);
        index.put(two, TYPE, Some("x"));
        assert_eq!((index.tagged("x"), index.tagged("y"), index.tagged("z")), (Some(names[1]), Some(names[0]), None));
        index.put(two, TYPE, Some("y"));
        assert!(!index.has(names[0]) && index.has(names[1]));
        let again = Index::parse(Some(&index.to_bytes().unwrap())).unwrap();
        assert_eq!((again, index.tags()), (index.clone(), vec!["x".to_owned(), "y".to_owned()]));
        index.remove(names[1]);
        assert!(index.manifests.is_empty());
    }

    #[test]
    fn what_others_wrote_is_kept_and_what_is_odd_is_no_tag() {
        let hex = "0".repeat(64);
        let text = format!(
            r#"{{"schemaVersion":2,"x":1,"manifests":[{{"digest":"sha512:0","y":2}},
            {{"digest":"sha256:{hex}","annotations":{{"org.opencontainers.image.ref.name":"a b"}}}},7]}}"#
        );
        let mut kept = index(&text).unwrap();
        assert!(kept.tags().is_empty() && kept.tagged("a b").is_some());
        kept.put(b"new", TYPE, Some("t"));
        let written = String::from_utf8(kept.to_bytes().unwrap()).unwrap();
        assert!(written.contains(r#""y":2"#) && written.contains(r#""x":1"#) && written.contains(",7,"), "{written}");
        for wrong in ["", "{}", "[]", r#"{"manifests":{}}"#, "{\"manifests\":[", "\u{0}"] {
            assert_eq!(index(wrong).unwrap_err().kind(), Kind::Mismatch, "{wrong}");
        }
    }
}
