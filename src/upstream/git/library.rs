//! libgit2's process-wide settings: its cache of objects, and our own ways to repositories.
//!
//! git2 marks them unsafe to set because other threads could be reading them: they are set once, before the first
//! repository is opened.
#![allow(unsafe_code)]

use std::sync::Once;

use super::session;

static SET: Once = Once::new();

/// Most bytes of objects that libgit2 keeps; its own limit is 256 MB.
const CACHE: isize = 32 << 20;

/// Sets a small cache, and [`session::transport`] as the way to every repository.
pub(super) fn set() {
    SET.call_once(|| {
        // SAFETY: `Once` lets one thread through and the others wait, and every use of libgit2 in this program comes
        // after a call of this function, so nothing reads the options while they are written.
        let set = unsafe { git2::opts::set_cache_max_size(CACHE) };
        // Only a libgit2 without this option refuses; git then takes more memory.
        drop(set);
        // SAFETY: as above; no transport is made before.
        let registered = unsafe { git2::transport::register(session::SCHEME, session::transport) };
        // It fails for a scheme that is there already, and this is the only place that registers.
        drop(registered);
    });
}
