//! The kinds of processors that ld.so tells apart, as far as the trees have something of their own for them.
//!
//! Below every directory that it looks through, glibc prefers `glibc-hwcaps/x86-64-v4`, `-v3` and `-v2`, down from the level
//! of the processor; and `$PLATFORM` in a search path is `x86_64`, on newer processors of Intel `haswell` or `xeon_phi`. Which
//! file is loaded depends on the machine, but a runtime is for all of them: what is needed is computed for each kind as its
//! ld.so would find it, and what any of them loads is kept. A kind for which the trees have nothing is like the one below it.
//!
//! The older subdirectories (`tls`, `haswell`, `avx512_1`, `x86_64` without `$PLATFORM`) are not looked through: glibc 2.37 has
//! done away with them.

use std::fmt;

use super::world::World;

/// A kind of x86-64 processor. The first in order is the plainest, on which everything must run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Processor {
    /// Of the psABI's levels, from 1 on: what a processor of a level loads, those above it load as well.
    level: u8,
    platform: Platform,
}

/// What `$PLATFORM` stands for.
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

    /// The kinds that may find different files in the trees, the plainest first.
    pub(super) fn all(world: &World) -> Vec<Self> {
        let mentioned = |text: &str| {
            let mentions = |path: &[u8]| path.windows(text.len()).any(|part| part == text.as_bytes());
            [&world.rocm, &world.llama].iter().any(|mount| mount.below(b"").any(|(path, _)| mentions(path)))
        };
        let mut all = vec![Self::PLAIN];
        let levels = SUBDIRECTORIES.iter().rev().filter(|(_, directory)| mentioned(directory));
        all.extend(levels.map(|(level, _)| Self { level: *level, platform: Platform::Any }));
        let best = all.last().map_or(1, |best| best.level);
        // A processor has AVX2, as level 3 demands, where glibc calls it by a name; `xeon_phi` lacks parts of level 4.
        for (platform, levels) in [(Platform::Haswell, 3..=best.max(3)), (Platform::XeonPhi, 3..=3)] {
            if mentioned(platform.name()) {
                all.extend(levels.map(|level| Self { level, platform }));
            }
        }
        all
    }

    /// The subdirectories that are looked through before a directory itself, in order.
    pub(super) fn subdirectories(self) -> impl Iterator<Item = &'static [u8]> {
        SUBDIRECTORIES.into_iter().filter(move |(level, _)| *level <= self.level).map(|(_, path)| path.as_bytes())
    }

    /// What `$PLATFORM` stands for.
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
