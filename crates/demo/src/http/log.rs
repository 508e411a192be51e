//! The log of requests and of the bytes sent.

use std::sync::{Arc, Mutex, MutexGuard};

use super::message::Incoming;
use crate::threads::lock;

/// One request that a server received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`, ...
    pub method: String,
    /// Path and query as sent, percent-encoding included.
    pub path: String,
    /// The Range header.
    pub range: Option<String>,
    /// All headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status of the answer; 0 if there is none yet.
    pub status: u16,
    /// Body bytes sent so far.
    pub bytes_sent: u64,
}

/// All requests in order of arrival. A request is in it before any of its answer is sent.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<Request>>>);

impl Log {
    pub(super) fn snapshot(&self) -> Vec<Request> {
        self.lock().clone()
    }

    pub(super) fn begin(&self, incoming: &Incoming) -> LogLine {
        let mut requests = self.lock();
        requests.push(Request {
            method: incoming.method.clone(),
            path: incoming.target.clone(),
            range: incoming.header("range").map(str::to_owned),
            headers: incoming.headers.clone(),
            status: 0,
            bytes_sent: 0,
        });
        LogLine { log: self.clone(), index: requests.len() - 1 }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Request>> {
        lock(&self.0)
    }
}

/// The log line of one request, filled in as its answer is sent.
pub(super) struct LogLine {
    log: Log,
    index: usize,
}

impl LogLine {
    pub(super) fn status(&self, status: u16) {
        self.log.lock()[self.index].status = status;
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.log.lock()[self.index].bytes_sent += bytes;
    }
}
