//! A running SHA-256, by whichever library is the fastest on this processor.
//!
//! SHA-256 bounds everything that takes in or verifies a tree. With the processor's SHA instructions sha2 is as fast as any; without
//! them (servers before 2021, Intel desktops before 2019) its portable code takes twice the time of AWS-LC's for AVX2, which the TLS
//! of every download brings along anyway.

use sha2::Digest as _;

use super::Sha256Digest;

/// A running SHA-256.
#[derive(Clone)]
pub struct Sha256(Engine);

#[derive(Clone)]
enum Engine {
    Instructions(sha2::Sha256),
    Vectors(aws_lc_rs::digest::Context),
}

impl Engine {
    fn instructions() -> Self {
        Self::Instructions(sha2::Sha256::default())
    }

    fn vectors() -> Self {
        Self::Vectors(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self(if has_instructions() { Engine::instructions() } else { Engine::vectors() })
    }
}

impl Sha256 {
    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Engine::Instructions(hash) => hash.update(bytes),
            Engine::Vectors(hash) => hash.update(bytes),
        }
    }

    /// The digest of all bytes so far.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest::from_bytes(match self.0 {
            Engine::Instructions(hash) => hash.finalize().into(),
            Engine::Vectors(hash) => {
                let mut bytes = [0; 32];
                bytes.copy_from_slice(hash.finish().as_ref());
                bytes
            }
        })
    }
}

/// Takes whole blocks into the state of a hash that began elsewhere.
pub(super) fn compress(state: &mut [u32; 8], blocks: &[[u8; 64]]) {
    if has_instructions() {
        sha2::block_api::compress256(state, blocks);
    } else {
        #[allow(unsafe_code)]
        // SAFETY: it reads 64 bytes for each of the blocks, and reads and writes the eight words of the state.
        unsafe {
            aws_lc_sys::SHA256_TransformBlocks(state.as_mut_ptr(), blocks.as_flattened().as_ptr(), blocks.len());
        }
    }
}

/// Whether this processor has the instructions that sha2 uses where they are; asked once, by the standard library.
pub(super) fn has_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("sha");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_gives_the_same_digest() {
        for size in [0, 1, 55, 56, 63, 64, 65, 119, 120, 4096, 100_003] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let digest = |engine| {
                let mut hash = Sha256(engine);
                for piece in bytes.chunks(1000) {
                    hash.update(piece);
                }
                hash.clone().finish()
            };
            assert_eq!(digest(Engine::instructions()), digest(Engine::vectors()), "{size}");
            assert_eq!(digest(Engine::instructions()), Sha256Digest::of(&bytes), "{size}");
        }
    }
}
