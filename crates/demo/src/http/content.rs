//! Resources that can be served at a path: bytes, files, and files that are made on request.

use std::fmt;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::digest::Sha256Digest;
use crate::error::Result;

/// A function that makes a file, unless it exists, and returns its path.
pub type Maker = Arc<dyn Fn() -> Result<PathBuf> + Send + Sync>;

/// The source of a resource's bytes.
#[derive(Clone)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// In a file, which is streamed.
    File(PathBuf),
    /// In a file that is made at the first request for it.
    Made(Maker),
}

/// Something served at a path.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The source of its bytes.
    pub content: Content,
    /// The Content-Type.
    pub content_type: String,
    /// The ETag, with quotes. `None`: derived from the bytes, or from size and time of a file.
    pub etag: Option<String>,
    /// The Last-Modified. `None`: the time of the file, or a fixed one.
    pub modified: Option<SystemTime>,
}

impl Resource {
    /// Creates a resource of unspecific type, with derived ETag and Last-Modified.
    #[must_use]
    pub fn new(content: Content) -> Self {
        Self { content, content_type: "application/octet-stream".to_owned(), etag: None, modified: None }
    }

    /// Creates a resource of bytes in memory.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Content::Bytes(bytes.into().into()))
    }

    /// Creates an HTML page.
    #[must_use]
    pub fn html(text: impl Into<Vec<u8>>) -> Self {
        Self::bytes(text).content_type("text/html; charset=utf-8")
    }

    /// Sets the Content-Type.
    #[must_use]
    pub fn content_type(mut self, content_type: &str) -> Self {
        content_type.clone_into(&mut self.content_type);
        self
    }

    /// Sets the ETag, which must include its quotes.
    #[must_use]
    pub fn etag(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self
    }

    /// Sets the Last-Modified.
    #[must_use]
    pub fn modified(mut self, modified: SystemTime) -> Self {
        self.modified = Some(modified);
        self
    }

    /// Opens the resource for one answer.
    pub(super) fn open(&self) -> Result<Opened> {
        let path = match &self.content {
            Content::Bytes(bytes) => {
                let etag = self.etag.clone().unwrap_or_else(|| format!("\"{}\"", &Sha256Digest::of(bytes).hex()[..32]));
                let modified = self.modified.unwrap_or(UNIX_EPOCH + Duration::from_secs(1_767_225_600));
                let (size, source) = (bytes.len() as u64, Box::new(Cursor::new(bytes.clone())));
                return Ok(Opened { etag, modified, size, source });
            }
            Content::File(path) => path.clone(),
            Content::Made(make) => make()?,
        };
        let file = fs_err::File::open(path)?;
        let metadata = file.metadata()?;
        let modified = self.modified.unwrap_or(metadata.modified()?);
        let seconds = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let etag = self.etag.clone().unwrap_or_else(|| format!("\"{seconds:x}-{:x}\"", metadata.len()));
        Ok(Opened { etag, modified, size: metadata.len(), source: Box::new(file) })
    }
}

impl From<Content> for Resource {
    fn from(content: Content) -> Self {
        Self::new(content)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Made(_) => f.write_str("Made"),
        }
    }
}

/// Bytes that can be read from any offset.
pub(super) trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// A resource at the time of a request.
pub(super) struct Opened {
    pub(super) etag: String,
    pub(super) modified: SystemTime,
    pub(super) size: u64,
    source: Box<dyn Source>,
}

impl Opened {
    pub(super) fn part(mut self, start: u64, length: u64) -> std::io::Result<Box<dyn Read + Send>> {
        self.source.seek(SeekFrom::Start(start))?;
        Ok(Box::new(self.source.take(length)))
    }
}
