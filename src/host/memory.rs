//! Memory, and the share of it that the GPU may use.
//!
//! Strix Halo has one memory for CPU and GPU. The firmware reserves some of it (VRAM). Of the rest the driver maps as
//! much as its limits allow (GTT), which is half unless parameters raise it.

use super::system_files::SystemFiles;

/// Sizes in bytes, as far as the kernel tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Memory of the system (`MemTotal`), without the part reserved by the firmware.
    pub total: Option<u64>,
    /// Memory that the firmware reserved for the GPU.
    pub vram: Option<u64>,
    /// Memory that the GPU may map of the rest.
    pub gtt: Option<u64>,
    /// The limit of the memory manager below the driver (`ttm.pages_limit`).
    pub ttm_limit: Option<u64>,
}

const PAGE: u64 = 4096;

impl Memory {
    pub(super) fn read(files: SystemFiles) -> Self {
        let meminfo = files.text("proc/meminfo").unwrap_or_default();
        let total = bytes(&meminfo, "MemTotal:");
        // The card with the most counts, in case there is a second, small GPU.
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
