//! The memory of the machine, and the share that the GPU may use.
//!
//! Strix Halo has one memory for CPU and GPU. The firmware reserves a part of it (VRAM). Of the rest the driver maps as
//! much as its limits allow (GTT): half, unless kernel parameters raise the limit.

use super::files::Files;

/// Sizes in bytes; absent if the kernel does not state them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// The memory of the system (`MemTotal`), without the part that the firmware reserves.
    pub total: Option<u64>,
    /// The memory that the firmware reserves for the GPU.
    pub vram: Option<u64>,
    /// The rest that the GPU may map.
    pub gtt: Option<u64>,
    /// The limit of the memory manager below the driver (`ttm.pages_limit`).
    pub ttm_limit: Option<u64>,
}

const PAGE: u64 = 4096;

impl Memory {
    pub(super) fn read(files: Files) -> Self {
        let meminfo = files.text("proc/meminfo").unwrap_or_default();
        let total = bytes(&meminfo, "MemTotal:");
        // The card with the most memory: a second GPU is usually a smaller one.
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
