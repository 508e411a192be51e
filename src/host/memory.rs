//! Memory, and how much of it the GPU may use.
//!
//! Strix Halo has one memory for both. The firmware sets some of it aside (VRAM); of the rest the driver maps as much as
//! its limits allow (GTT), which is half unless parameters say more.

use super::files::Files;

/// Sizes in bytes; none where the kernel does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// What the system has (`MemTotal`), without what the firmware set aside.
    pub total: Option<u64>,
    /// What the firmware set aside for the GPU.
    pub vram: Option<u64>,
    /// What the GPU may map of the rest.
    pub gtt: Option<u64>,
    /// The limit of the memory manager below the driver (`ttm.pages_limit`).
    pub ttm_limit: Option<u64>,
}

const PAGE: u64 = 4096;

impl Memory {
    pub(super) fn read(files: Files) -> Self {
        let meminfo = files.text("proc/meminfo").unwrap_or_default();
        let total = bytes(&meminfo, "MemTotal:");
        // The card with the most: a second, small GPU is not the one that is meant.
        let cards: Vec<String> =
            files.names("sys/class/drm").into_iter().filter(|name| name.starts_with("card")).collect();
        let most = |what: &str| {
            cards.iter().filter_map(|card| files.number(&format!("sys/class/drm/{card}/device/{what}"))).max()
        };
        Self {
            total,
            vram: most("mem_info_vram_total"),
            gtt: most("mem_info_gtt_total"),
            ttm_limit: files.number("sys/module/ttm/parameters/pages_limit").map(|pages| pages.saturating_mul(PAGE)),
        }
    }
}

/// Returns the memory that new processes can have, as the kernel estimates it (proc(5), `MemAvailable`).
#[must_use]
pub fn free_memory() -> Option<u64> {
    bytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

fn bytes(meminfo: &str, name: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
