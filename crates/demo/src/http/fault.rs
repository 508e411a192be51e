//! What a path can be made to do wrong.
//!
//! Faults of one path act together, in the order in which they were set. Offsets and counts mean body bytes.

use std::collections::BTreeMap;
use std::time::Duration;

/// One way in which an answer goes wrong, or merely is not the plain one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every response breaks off after this many body bytes, although its Content-Length is right.
    TruncateAfter(u64),
    /// As [`Fault::TruncateAfter`], but the next GET only.
    DisconnectOnce {
        /// Body bytes that are still sent.
        after: u64,
    },
    /// The byte at this offset of the whole content is another one; a range that does not hold it is right.
    FlipByteAt(u64),
    /// The next `times` requests get this status instead; `usize::MAX` stands for always.
    Status {
        /// The status code.
        code: u16,
        /// Headers sent with it, such as `Retry-After`.
        headers: Vec<(String, String)>,
        /// For how many requests.
        times: usize,
    },
    /// Content-Length claims this number; the whole body is sent all the same.
    LieLength(u64),
    /// No Content-Length: the end of the body is the end of the connection.
    NoContentLength,
    /// No Content-Length but chunked transfer coding.
    Chunked,
    /// 200 with everything, also where a range was asked for.
    IgnoreRange,
    /// 206 always, also to a plain GET, and Content-Range is off by one.
    Wrong206,
    /// The body comes in pieces of `bytes`, with a pause of `every` before each piece but the first.
    Drip {
        /// Bytes in a piece.
        bytes: usize,
        /// The pause between two pieces.
        every: Duration,
    },
    /// The body comes at about this speed.
    Throttle {
        /// The speed.
        bytes_per_second: u64,
    },
    /// Sends the client to this URL.
    Redirect(String),
    /// 401 unless this user and password were given.
    BasicAuth {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl Fault {
    /// This status, for the next `times` requests.
    #[must_use]
    pub fn status(code: u16, times: usize) -> Self {
        Self::Status { code, headers: Vec::new(), times }
    }
}

/// The faults of all paths.
#[derive(Default)]
pub(super) struct Faults(BTreeMap<String, Vec<Fault>>);

impl Faults {
    pub(super) fn add(&mut self, path: &str, fault: Fault) {
        self.0.entry(path.to_owned()).or_default().push(fault);
    }

    pub(super) fn heal(&mut self, path: &str) {
        self.0.remove(path);
    }

    pub(super) fn heal_all(&mut self) {
        self.0.clear();
    }

    /// The faults for one request; those that act a number of times are counted down.
    pub(super) fn take(&mut self, path: &str, is_head: bool) -> Vec<Fault> {
        let mut taken = Vec::new();
        let matching = self.0.iter_mut().filter(|(pattern, _)| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => *pattern == path,
        });
        for (_, faults) in matching {
            faults.retain_mut(|fault| match fault {
                Fault::Status { times: 0, .. } => false,
                Fault::Status { times, .. } => {
                    // Two of them in a row act one after the other, not both at once.
                    if !taken.iter().any(|fault| matches!(fault, Fault::Status { .. })) {
                        if *times != usize::MAX {
                            *times -= 1;
                        }
                        taken.push(fault.clone());
                    }
                    true
                }
                Fault::DisconnectOnce { .. } => {
                    let waits = is_head || taken.iter().any(|fault| matches!(fault, Fault::Status { .. }));
                    if !waits {
                        taken.push(fault.clone());
                    }
                    waits
                }
                _ => {
                    taken.push(fault.clone());
                    true
                }
            });
        }
        taken
    }
}
