//! Reads any bytes as a listing. One that is accepted is written unchanged, and each of its paths is found.
//! `cargo +nightly fuzz run listing`
#![no_main]

use libfuzzer_sys::fuzz_target;
use strixlock_formats::tree::Listing;

fuzz_target!(|bytes: &[u8]| {
    let Ok(listing) = Listing::parse(bytes) else { return };
    assert_eq!(listing.to_bytes(), bytes);
    assert!(listing.entries().iter().all(|entry| listing.get(&entry.path) == Some(entry)));
});
