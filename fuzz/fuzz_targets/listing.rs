//! Any bytes as a listing: what is taken is a tree, is written as it was read, and each of its paths is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strixlock_formats::tree::Listing;

fuzz_target!(|bytes: &[u8]| {
    let Ok(listing) = Listing::parse(bytes) else { return };
    assert_eq!(listing.to_bytes(), bytes);
    assert!(listing.entries().iter().all(|entry| listing.get(&entry.path) == Some(entry)));
});
