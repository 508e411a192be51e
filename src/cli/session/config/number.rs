//! Settings that are numbers.

use crate::fetch;
use crate::sandbox::Limits;
use crate::store::Waiting;

/// Usual size of all compiler caches. That of one llama.cpp has 50 MB for the CPU, and 300 MB with HIP.
const COMPILE_CACHE: u64 = 5_000_000_000;
/// Smallest size of compiler caches: less would hold nothing.
const SMALLEST_CACHE: u64 = 1_000_000;

/// A setting that is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// Number of times that all URLs of a download are tried.
    Rounds,
    /// The time in which a connection must deliver `floor-bytes`.
    WindowSeconds,
    /// The bytes that a connection must deliver in `window-seconds`.
    FloorBytes,
    /// The most of a download whose size no lock names.
    LargestBytes,
    /// The time after which a silent command of a build is stopped.
    SilenceSeconds,
    /// The most that a command of a build may write to its log.
    LogBytes,
    /// The most bytes of all compiler caches in the store.
    CompileCacheBytes,
    /// The time that a remote build may take; 0 for the service's own limit.
    BuilderSeconds,
    /// The time to wait for another process that holds the store.
    BusySeconds,
}

impl Number {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rounds,
        Self::WindowSeconds,
        Self::FloorBytes,
        Self::LargestBytes,
        Self::SilenceSeconds,
        Self::LogBytes,
        Self::CompileCacheBytes,
        Self::BuilderSeconds,
        Self::BusySeconds,
    ];

    /// Returns the name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rounds => "rounds",
            Self::WindowSeconds => "window-seconds",
            Self::FloorBytes => "floor-bytes",
            Self::LargestBytes => "largest-bytes",
            Self::SilenceSeconds => "silence-seconds",
            Self::LogBytes => "log-bytes",
            Self::CompileCacheBytes => "compile-cache-bytes",
            Self::BuilderSeconds => "builder-seconds",
            Self::BusySeconds => "busy-seconds",
        }
    }

    /// Returns the value that counts if nothing is set.
    #[must_use]
    pub fn usual(self) -> u64 {
        let (fetch, limits) = (fetch::Settings::default(), Limits::default());
        match self {
            Self::Rounds => fetch.rounds.into(),
            Self::WindowSeconds => fetch.window.as_secs(),
            Self::FloorBytes => fetch.floor,
            Self::LargestBytes => fetch.largest,
            Self::SilenceSeconds => limits.silence.as_secs(),
            Self::LogBytes => limits.log,
            Self::CompileCacheBytes => COMPILE_CACHE,
            Self::BuilderSeconds => 0,
            Self::BusySeconds => Waiting::default().limit.as_secs(),
        }
    }

    /// Returns the fault of a value, if it has one.
    #[must_use]
    pub fn fault(self, value: u64) -> Option<String> {
        let least = match self {
            Self::Rounds | Self::WindowSeconds | Self::SilenceSeconds => 1,
            Self::CompileCacheBytes => SMALLEST_CACHE,
            _ => 0,
        };
        // Rounds are counted in 32 bits, and times that are longer than a century overflow clocks.
        let most = match self {
            Self::Rounds | Self::WindowSeconds | Self::SilenceSeconds | Self::BuilderSeconds | Self::BusySeconds => {
                u32::MAX.into()
            }
            _ => u64::MAX,
        };
        (!(least..=most).contains(&value)).then(|| format!("expected a number from {least} to {most}"))
    }
}
