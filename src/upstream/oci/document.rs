//! Distinguishes a manifest from an index.
//!
//! The media type in the document decides. If it has none, as OCI allows, its shape decides: the registry's
//! Content-Type may be just `application/json`. A document of both shapes is refused: engines would interpret it in
//! different ways.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{DOCKER_LIST, DOCKER_MANIFEST};
use crate::error::{Error, Kind, Result};
use crate::oci::document::{self, INDEX, MANIFEST, Manifest};

/// A document that a tag or digest leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// The image itself.
    Manifest(Box<Manifest>),
    /// The unparsed entries of an index: most of them are for other platforms.
    Index(Vec<Value>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<Value>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Entries {
    manifests: Option<Vec<Value>>,
}

impl Document {
    /// Parses a document; `media_type` is the registry's Content-Type, for messages.
    pub fn read(bytes: &[u8], media_type: Option<&str>) -> Result<Self> {
        let shape: Shape = document::read(bytes, "image manifest")?;
        let is_manifest = shape.config.is_some() || shape.layers.is_some();
        if is_manifest && shape.manifests.is_some() {
            return Err(Error::new(
                Kind::Invalid,
                "the registry sent a document that is an index and a manifest at once, which engines read differently",
            ));
        }
        let own = shape.media_type.as_ref().and_then(Value::as_str).filter(|text| !text.is_empty());
        match own {
            Some(MANIFEST | DOCKER_MANIFEST) => Self::manifest(bytes),
            Some(INDEX | DOCKER_LIST) => Self::index(bytes),
            None if is_manifest => Self::manifest(bytes),
            None if shape.manifests.is_some() => Self::index(bytes),
            _ if shape.fs_layers.is_some() => Err(Error::new(
                Kind::Invalid,
                "the image has Docker's schema 1, which current engines do not support either",
            )
            .hint("push it again with a current tool, such as `skopeo copy`")),
            own => {
                let shown = own.or(media_type).unwrap_or("none");
                let shown: String = shown.chars().filter(|c| !c.is_control()).take(100).collect();
                Err(Error::new(Kind::Invalid, "the registry's document is not an image").fact("media type", shown))
            }
        }
    }

    fn manifest(bytes: &[u8]) -> Result<Self> {
        Ok(Self::Manifest(Box::new(document::read(bytes, "image manifest")?)))
    }

    fn index(bytes: &[u8]) -> Result<Self> {
        let index: Entries = document::read(bytes, "image index")?;
        Ok(Self::Index(index.manifests.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEX: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(document: &Value) -> Result<Document> {
        Document::read(document.to_string().as_bytes(), Some("application/json"))
    }

    #[test]
    fn a_document_is_told_by_its_own_media_type_or_by_its_shape() {
        let config = json!({ "mediaType": "x", "digest": HEX, "size": 1 });
        let odd =
            json!({ "mediaType": "x", "digest": HEX, "size": 1, "annotations": null, "platform": {}, "urls": null });
        for manifest in [
            json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] }),
            json!({ "schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config, "layers": [] }),
            json!({ "schemaVersion": 2, "config": config, "layers": [], "manifests": null }),
            json!({ "config": odd, "layers": null, "annotations": { "a": 1, "b": "c" }, "mediaType": null }),
            json!({ "schemaVersion": 2, "mediaType": "", "config": config, "layers": [odd] }),
        ] {
            assert!(matches!(read(&manifest), Ok(Document::Manifest(_))), "{manifest}");
        }
        for index in [
            json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }),
            json!({ "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": null }),
            json!({ "schemaVersion": 2, "manifests": [{ "digest": "sha512:00" }, 5, null], "annotations": null }),
            json!({ "mediaType": 7, "manifests": [] }),
        ] {
            assert!(matches!(read(&index), Ok(Document::Index(_))), "{index}");
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for (document, why) in [
            (json!({}), "is not an image"),
            (json!({ "schemaVersion": 1, "fsLayers": [] }), "schema 1"),
            (
                json!({ "mediaType": "application/vnd.docker.distribution.manifest.v1+json", "fsLayers": [] }),
                "schema 1",
            ),
            (json!({ "mediaType": "application/vnd.example", "manifests": [] }), "is not an image"),
            (json!({ "mediaType": INDEX, "manifests": [], "layers": [] }), "at once"),
            (json!({ "manifests": [], "config": {} }), "at once"),
        ] {
            let error = read(&document).unwrap_err();
            assert!(error.kind() == Kind::Invalid && error.message().contains(why), "{document}: {error}");
        }
        let sha512 = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
                             "config": { "mediaType": "x", "digest": "sha512:00", "size": 1 } });
        assert_eq!(read(&sha512).unwrap_err().kind(), Kind::Mismatch);
        assert_eq!(Document::read(b"<html>", None).unwrap_err().kind(), Kind::Mismatch);
        let many = format!("{{\"manifests\": [{}5]}}", "{\"\":0},".repeat(60_000));
        assert!(Document::read(many.as_bytes(), None).unwrap_err().message().contains("too many values"));
    }
}
