//! libgit2's process-wide settings: the size of its object cache, and our own transports.
//!
//! git2 marks the setters unsafe because other threads could be reading the settings. They are set once, before the
//! first repository is opened.
#![allow(unsafe_code)]

use std::sync::Once;

use super::session;

static SET: Once = Once::new();

/// Greatest number of bytes in libgit2's object cache; its own default is 256 MB.
const CACHE: isize = 32 << 20;

/// Sets a small cache, and registers [`session::transport`] for every repository.
pub(super) fn set() {
    SET.call_once(|| {
        // SAFETY: `Once` lets one thread through and the others wait, and every use of libgit2 in this program comes
        // after a call of this function, so nothing reads the options while they are written.
        let set = unsafe { git2::opts::set_cache_max_size(CACHE) };
        // Fails only if libgit2 lacks this option; it then uses more memory.
        drop(set);
        // SAFETY: as above; no transport is created before.
        let registered = unsafe { git2::transport::register(session::SCHEME, session::transport) };
        // Fails only for a scheme that is already registered, and this is the only place that registers one.
        drop(registered);
    });
}
