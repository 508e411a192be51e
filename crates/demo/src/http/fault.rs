//! Faults: the errors that a path can be made to show.
//!
//! Faults of one path act together, in the order in which they were set. Offsets and counts are those of body bytes.

use std::collections::BTreeMap;
use std::time::Duration;

/// A way in which an answer is wrong, or merely unusual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every response breaks off after this many body bytes, although its Content-Length is right.
    TruncateAfter(u64),
    /// Like [`Fault::TruncateAfter`], for the next GET only.
    DisconnectOnce {
        /// Body bytes that are still sent.
        after: u64,
    },
    /// The byte at this offset of the whole content is changed. A range without it is right.
    FlipByteAt(u64),
    /// The next `times` requests get this status instead; `usize::MAX` means always.
    Status {
        /// The status code.
        code: u16,
        /// Headers sent with it, such as `Retry-After`.
        headers: Vec<(String, String)>,
        /// The number of requests.
        times: usize,
    },
    /// Content-Length has this value; the whole body is sent all the same.
    LieLength(u64),
    /// There is no Content-Length: the end of the connection ends the body.
    NoContentLength,
    /// Chunked transfer coding replaces the Content-Length.
    Chunked,
    /// Range requests get a 200 with the whole content.
    IgnoreRange,
    /// Every request gets a 206, even without a range, and Content-Range is off by one.
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
    /// Redirects to this URL.
    Redirect(String),
    /// Requests without this user and password get a 401.
    BasicAuth {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

impl Fault {
    /// Returns a fault that gives this status for the next `times` requests.
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

    pub(super) fn heal_all(&mut self) {
        self.0.clear();
    }

    /// Returns the faults for one request, and counts down those that act a number of times.
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
