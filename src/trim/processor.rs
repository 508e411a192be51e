//! The kinds of processors that ld.so tells apart, as far as the trees have files of their own for them.
//!
//! In every directory that it searches, glibc prefers `glibc-hwcaps/x86-64-v4`, `-v3` and `-v2`, down from the level of
//! the processor. `$PLATFORM` in a search path is `x86_64`, or `haswell` or `xeon_phi` on newer processors of Intel.
//! The loaded file depends on the machine, but a runtime is for all machines: needs are computed for each kind of
//! processor as its ld.so would find them, and everything that any kind loads is kept. A kind without files of its own
//! is like the one below it.
//!
//! The older subdirectories (`tls`, `haswell`, `avx512_1`, `x86_64` without `$PLATFORM`) are not searched: glibc 2.37
//! removed them.

use std::fmt;

use super::world::World;

/// A kind of x86-64 processor. The least is the plainest, on which everything must run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Processor {
    /// The psABI level, from 1 on. Processors of higher levels also load the files of lower ones.
    level: u8,
    platform: Platform,
}

/// A value of `$PLATFORM`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Platform {
    Any,
    Haswell,
    XeonPhi,
}

/// The subdirectories for the levels, best first.
const SUBDIRECTORIES: [(u8, &str); 3] =
    [(4, "glibc-hwcaps/x86-64-v4"), (3, "glibc-hwcaps/x86-64-v3"), (2, "glibc-hwcaps/x86-64-v2")];

impl Processor {
    /// Any x86-64 processor.
    pub const PLAIN: Self = Self { level: 1, platform: Platform::Any };

    /// Returns the kinds that may find different files in the trees, plainest first.
    pub(super) fn all(world: &World) -> Vec<Self> {
        let mentioned = |text: &str| {
            let mentions = |path: &[u8]| path.windows(text.len()).any(|part| part == text.as_bytes());
            [&world.rocm, &world.llama].iter().any(|mount| mount.below(b"").any(|(path, _)| mentions(path)))
        };
        let mut all = vec![Self::PLAIN];
        let levels = SUBDIRECTORIES.iter().rev().filter(|(_, directory)| mentioned(directory));
        all.extend(levels.map(|(level, _)| Self { level: *level, platform: Platform::Any }));
        let best = all.last().map_or(1, |best| best.level);
        // Processors that glibc names have AVX2, as level 3 demands. `xeon_phi` lacks parts of level 4.
        for (platform, levels) in [(Platform::Haswell, 3..=best.max(3)), (Platform::XeonPhi, 3..=3)] {
            if mentioned(platform.name()) {
                all.extend(levels.map(|level| Self { level, platform }));
            }
        }
        all
    }

    /// Returns the subdirectories that are searched before a directory itself, in order.
    pub(super) fn subdirectories(self) -> impl Iterator<Item = &'static [u8]> {
        SUBDIRECTORIES.into_iter().filter(move |(level, _)| *level <= self.level).map(|(_, path)| path.as_bytes())
    }

    /// Returns the value of `$PLATFORM`.
    pub(super) fn platform(self) -> &'static [u8] {
        self.platform.name().as_bytes()
    }
}

impl Platform {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "x86_64",
            Self::Haswell => "haswell",
            Self::XeonPhi => "xeon_phi",
        }
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x86-64")?;
        if self.level > 1 {
            write!(f, "-v{}", self.level)?;
        }
        if self.platform == Platform::Any { Ok(()) } else { write!(f, " ({})", self.platform.name()) }
    }
}
