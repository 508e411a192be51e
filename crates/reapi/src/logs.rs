//! Output of a job: streamed while it runs where the service does that, and completed from its result.

use std::io;

use bazel_remote_apis::google::bytestream::ReadRequest;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tonic::{Request, Status};
use tracing::debug;

use crate::blob::BlobDigest;
use crate::digest::{Sha256, Sha256Digest};
use crate::error::{Error, Result};
use crate::proto::ActionResult;
use crate::service::Remote;

/// Parts that wait.
const WAITING: usize = 16;
/// Largest output that is taken from a result. That of llama.cpp has less than a megabyte.
const LARGEST: u64 = 64 << 20;
/// The line in the log where the streamed output was not that of the result.
const OTHER: &[u8] = b"\n(the output above is not what the service kept in the end, which follows)\n";

/// The output that was passed on so far.
#[derive(Default)]
pub(crate) struct Output {
    hash: Sha256,
    size: u64,
    stream: Option<Receiver<Vec<u8>>>,
}

/// Receives bytes of the output.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> io::Result<()>;

impl Output {
    /// Begins to read a stream with this name, unless one is read already.
    pub fn follow(&mut self, remote: &Remote, name: &str) {
        if !name.is_empty() && self.stream.is_none() && self.size == 0 {
            let (sender, receiver) = channel(WAITING);
            let (remote, name) = (remote.clone(), name.to_owned());
            tokio::spawn(async move {
                if let Err(status) = read(&remote, name, sender).await {
                    debug!("the stream of the output ended: {status}");
                }
            });
            self.stream = Some(receiver);
        }
    }

    /// Returns the next streamed part. Never returns if there is no stream.
    pub async fn next(&mut self) -> Vec<u8> {
        if let Some(stream) = &mut self.stream {
            if let Some(part) = stream.recv().await {
                return part;
            }
            self.stream = None;
        }
        std::future::pending().await
    }

    /// Passes a part on.
    pub fn pass(&mut self, part: &[u8], to: Sink) -> io::Result<()> {
        self.hash.update(part);
        self.size += part.len() as u64;
        to(part)
    }

    /// Passes on what was not streamed of the whole output.
    pub fn complete(self, whole: &[u8], to: Sink<'_>) -> Result<()> {
        let streamed = usize::try_from(self.size).ok().and_then(|size| whole.split_at_checked(size));
        let passed = match streamed {
            Some((before, rest)) if Sha256Digest::of(before) == self.hash.finish() => to(rest),
            // Some services keep no output where it was streamed.
            _ if whole.is_empty() => Ok(()),
            _ => to(OTHER).and_then(|()| to(whole)),
        };
        passed.map_err(|error| not_kept(&error))
    }
}

/// Returns the error for output that could not be kept.
pub(crate) fn not_kept(error: &io::Error) -> Error {
    Error::failure("cannot keep the output of the remote build").because(error)
}

async fn read(remote: &Remote, resource_name: String, sender: Sender<Vec<u8>>) -> Result<(), Status> {
    let request = Request::new(ReadRequest { resource_name, read_offset: 0, read_limit: 0 });
    let mut stream = remote.bytes().read(request).await?.into_inner();
    while let Some(part) = stream.message().await? {
        if !part.data.is_empty() && sender.send(part.data).await.is_err() {
            break;
        }
    }
    Ok(())
}

impl Remote {
    /// Returns the whole output of a job, as its result has it.
    pub async fn said(&self, result: &ActionResult) -> Result<Vec<u8>> {
        let mut whole = self.output(&result.stdout_raw, result.stdout_digest.as_ref()).await?;
        whole.extend(self.output(&result.stderr_raw, result.stderr_digest.as_ref()).await?);
        Ok(whole)
    }

    /// Returns an output that a result holds itself or names.
    async fn output(&self, raw: &[u8], digest: Option<&crate::proto::Digest>) -> Result<Vec<u8>> {
        match digest.filter(|digest| raw.is_empty() && digest.size_bytes != 0) {
            None => Ok(raw.to_vec()),
            Some(digest) => self.read_small(BlobDigest::read(Some(digest), "the output")?, LARGEST, "the output").await,
        }
    }
}
