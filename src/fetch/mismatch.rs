//! The error for bytes that differ from the promised ones, with advice that depends on the source of the promise.

use url::Url;

use super::Trust;
use crate::digest::Promise;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind};
use crate::urls::show_url;

/// The source of the size and digest of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voucher {
    /// The lock, for a file that upstream may replace. Without a promise, only the connection protects the bytes.
    Lock,
    /// The signed lists of a package archive. Plain http is enough, as for apt.
    Archive,
    /// The manifest of an image.
    Registry,
    /// The answer of a model hub.
    Hub,
    /// The answer of a forge about a release.
    Forge,
    /// The lock, for a file that an archive keeps under its digest.
    Kept,
}

impl Voucher {
    /// Returns what protects the bytes: the connection, or their digest.
    pub(super) fn trust(self, promise: Option<Promise>) -> Trust {
        if matches!(self, Self::Archive | Self::Kept) && promise.is_some() { Trust::Content } else { Trust::Transport }
    }

    /// Returns the error for bytes that differ from the promised ones; `digest` is set if all of them were received.
    /// `input` is the input's name in the manifest.
    pub(super) fn mismatch(
        self,
        url: &Url,
        promise: Promise,
        (size, digest): (u64, Option<Sha256Digest>),
        input: &str,
    ) -> Error {
        let (by, label) = match self {
            Self::Lock | Self::Kept => (None, "locked"),
            Self::Archive => (Some("the archive's lists name"), "promised"),
            Self::Registry => (Some("the image's manifest names"), "promised"),
            Self::Hub => (Some("the hub names"), "promised"),
            Self::Forge => (Some("the release names"), "promised"),
        };
        let message = match by {
            None if self == Self::Kept => "a file of the archive is damaged".to_owned(),
            None => "the download does not match strix.lock".to_owned(),
            Some(by) => format!("the download is not the file that {by}"),
        };
        let hint = match self {
            Self::Lock => format!(
                "upstream replaced this file. Use a mirror that has the locked one, or run `strixlock update {input} \
                 --accept-replaced` to take the new one."
            ),
            Self::Kept => "`strixlock archive verify` lists all damage of an archive; remove the file and archive the lock \
                again where its bytes still are"
                .to_owned(),
            Self::Archive => "the archive may be in the middle of an update, or this mirror may be damaged: try again \
                later, or name more under `archives` in the manifest"
                .to_owned(),
            Self::Registry => {
                "the registry, or a proxy on the way, sends other bytes than announced: try again later, \
                or name a mirror in the configuration"
                    .to_owned()
            }
            Self::Hub => {
                "the hub, or a proxy on the way, sends other bytes than announced: try again later, or name a \
                mirror in the configuration"
                    .to_owned()
            }
            Self::Forge => {
                "the forge, a mirror or a proxy on the way sends other bytes than the release announces: try again later"
                    .to_owned()
            }
        };
        let received = digest.map_or_else(String::new, |digest| format!("{digest}  "));
        Error::new(Kind::Mismatch, message)
            .fact("url", show_url(url))
            .fact(label, format!("{}  {} bytes", promise.digest, promise.size))
            .fact("received", format!("{received}{size} bytes"))
            .hint(hint)
    }
}
