//! libgit2's process-wide settings: timeouts, its cache of objects, and our own way over HTTP.
//!
//! git2 marks them unsafe to set because other threads could be reading them: they are set once, before the first
//! repository is opened.
#![allow(unsafe_code)]

use std::sync::Once;

static SET: Once = Once::new();

/// Most bytes of objects that libgit2 keeps; its own limit is 256 MB.
const CACHE: isize = 32 << 20;

/// Sets 20 seconds to connect, 60 between two pieces of an answer, a small cache, and [`super::http`] as a transport.
pub(super) fn set() {
    SET.call_once(|| {
        // SAFETY: `Once` lets one thread through and the others wait, and every use of libgit2 in this program comes
        // after a call of this function, so nothing reads the options while they are written.
        let set = unsafe {
            git2::opts::set_server_connect_timeout_in_milliseconds(20_000)
                .and_then(|()| git2::opts::set_server_timeout_in_milliseconds(60_000))
                .and_then(|()| git2::opts::set_cache_max_size(CACHE))
        };
        // Only a libgit2 without these options refuses; git then waits as long as the system lets it.
        drop(set);
        for scheme in super::http::SCHEMES {
            // SAFETY: as above; no transport is made before.
            let registered = unsafe { git2::transport::register(scheme, super::http::transport) };
            // It fails for a scheme that is there already, and this is the only place that registers.
            drop(registered);
        }
    });
}
