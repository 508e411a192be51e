//! A git server that stops answering must not stop us for ever.
//!
//! libgit2 knows timeouts only as process-wide options, which git2 marks unsafe to set because other threads could be
//! reading them: they are set once, before the first repository is opened.
#![allow(unsafe_code)]

use std::sync::Once;

static SET: Once = Once::new();

/// Sets the timeouts: 20 seconds to connect, 60 between two pieces of an answer.
pub(super) fn set() {
    SET.call_once(|| {
        // SAFETY: `Once` lets one thread through and the others wait, and every use of libgit2 in this program comes
        // after a call of this function, so nothing reads the options while they are written.
        let set = unsafe {
            git2::opts::set_server_connect_timeout_in_milliseconds(20_000)
                .and_then(|()| git2::opts::set_server_timeout_in_milliseconds(60_000))
        };
        // Only a libgit2 without these options refuses; git then waits as long as the system lets it.
        drop(set);
    });
}
