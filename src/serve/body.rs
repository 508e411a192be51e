//! Bodies of answers.

use std::fs::File;
use std::future::Future as _;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use super::clients::Client;

/// Number of bytes that are read from a file at a time.
const PIECE: u64 = 256 << 10;

/// The body of an answer.
pub(super) enum Answered {
    /// Bytes in memory, perhaps none.
    Bytes(Option<Bytes>),
    /// A part of a file.
    File(Part),
}

/// A part of a file, read piece by piece. A thread is taken only for as long as a piece is read, and not while a client
/// is waited for.
pub(super) struct Part {
    file: Arc<File>,
    at: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    client: Client,
}

impl Answered {
    /// Returns the part of a file from `at`, of `size` bytes, for this client.
    pub fn part(file: File, at: u64, size: u64, client: Client) -> Self {
        Self::File(Part { file: Arc::new(file), at, left: size, reading: None, client })
    }
}

impl Body for Answered {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::File(part) => part.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::File(part) => part.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::File(part) => part.left,
        })
    }
}

impl Part {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (file, at, size) = (&self.file, self.at, self.left.min(PIECE));
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            spawn_blocking(move || {
                let mut bytes = vec![0; size as usize];
                file.read_exact_at(&mut bytes, at).map(|()| bytes.into())
            })
        });
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let read: io::Result<Bytes> = read.map_err(io::Error::other).and_then(|read| read);
        if let Ok(bytes) = &read {
            self.at += bytes.len() as u64;
            self.left -= bytes.len() as u64;
            self.client.sent(bytes.len() as u64);
        } else {
            // The connection ends: the client sees a short answer.
            self.left = 0;
        }
        Poll::Ready(Some(read.map(Frame::data)))
    }
}
