//! The share of the unified memory that the GPU may use.
//!
//! A machine with 128 GB is meant for models of 100 GB, but by default the driver maps only half of the memory. The
//! kernel parameter `ttm.pages_limit` (in pages of 4096 bytes) raises the limit. `amdgpu.gttsize` (in MiB) is the
//! older parameter of one driver. The smaller of the two wins.

use super::{Finding, Level, STRIX_HALO, on_the_machine};
use crate::host::{Distribution, Host};
use crate::text;

const GIB: u64 = 1 << 30;
/// The memory to leave to the system.
const RESERVE: u64 = 4 * GIB;
/// The least memory of a machine for large models; smaller ones get no advice.
const LARGE: u64 = 48 * GIB;
/// The most memory that the firmware should reserve. The system cannot use it, and the GPU gains nothing by it.
const VRAM: u64 = 8 * GIB;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    [parameters(host), limit(host), reserved(host)].into_iter().flatten().collect()
}

/// Judges the limit that is in effect.
fn limit(host: &Host) -> Option<Finding> {
    let memory = host.memory;
    let total = memory.total?;
    // The limit of the driver, or of the memory manager below it if that is smaller.
    let limit = memory.gtt.into_iter().chain(memory.ttm_limit).min()?;
    let wanted = total.saturating_sub(RESERVE);
    let found = format!("the GPU may use {} of {}", text::bytes(limit), text::bytes(total));
    // Up to three more reserves are a matter of taste.
    if total < LARGE || limit >= wanted.saturating_sub(3 * RESERVE) {
        return Some(Finding::good("gpu-memory", found));
    }
    let pages = wanted / GIB * GIB / 4096;
    Some(
        Finding::new("gpu-memory", Level::Advice, found)
            .why("model, context and buffers must fit into it; otherwise HIP fails with an out-of-memory error")
            .mend(on_the_machine(
                host,
                &parameter_command(host, &format!("ttm.pages_limit={pages} ttm.page_pool_size={pages}")),
            )),
    )
}

/// Returns the command that sets kernel parameters permanently.
fn parameter_command(host: &Host, parameters: &str) -> String {
    match host.distribution {
        Distribution::Fedora => format!("sudo grubby --update-kernel=ALL --args='{parameters}', and reboot"),
        _ => format!(
            "add `{parameters}` to GRUB_CMDLINE_LINUX in /etc/default/grub, then sudo update-grub (Arch: \
             grub-mkconfig -o /boot/grub/grub.cfg), and reboot"
        ),
    }
}

/// Judges the kernel parameters: two that contradict each other, or an invalid number.
fn parameters(host: &Host) -> Option<Finding> {
    let value = |name: &str| {
        // The kernel takes the last one.
        host.kernel_parameters.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let (gttsize, pages) = (value("amdgpu.gttsize"), value("ttm.pages_limit").or(value("amdttm.pages_limit")));
    let shown: Vec<String> = [("amdgpu.gttsize", gttsize), ("ttm.pages_limit", pages)]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
        .collect();
    if shown.is_empty() {
        return None;
    }
    let found = shown.join(" ");
    let number = |text: Option<&str>, unit: u64| text.map(|text| text.parse::<u64>().ok()?.checked_mul(unit));
    match (number(gttsize, 1 << 20), number(pages, 4096)) {
        // -1 stands for the driver's default.
        (Some(None), _) if gttsize != Some("-1") => Some(bad(host, found)),
        (_, Some(None)) => Some(bad(host, found)),
        (Some(Some(gtt)), Some(Some(pages))) if gtt != pages => Some(
            Finding::new("amdgpu", Level::Advice, found)
                .why(format!("the two set {} and {}, and the smaller one wins", text::bytes(gtt), text::bytes(pages)))
                .mend(on_the_machine(
                    host,
                    "remove amdgpu.gttsize from the kernel parameters; ttm.pages_limit is enough",
                )),
        ),
        _ => Some(Finding::good("amdgpu", found)),
    }
}

/// Reports a parameter with an invalid number.
fn bad(host: &Host, found: String) -> Finding {
    Finding::new("amdgpu", Level::Bad, found)
        .why("invalid number; the kernel ignores the limit")
        .mend(on_the_machine(host, "give a number: MiB for amdgpu.gttsize, pages of 4096 bytes for ttm.pages_limit"))
}

/// Judges the memory that the firmware reserves for the GPU.
fn reserved(host: &Host) -> Option<Finding> {
    let (vram, total) = (host.memory.vram?, host.memory.total?);
    // A card with its own memory takes none from the system.
    if !host.gpus.iter().any(|gpu| gpu.name == STRIX_HALO) {
        return None;
    }
    let found = format!("the firmware reserves {} for the GPU", text::bytes(vram));
    if vram <= VRAM {
        return Some(Finding::good("vram", found));
    }
    Some(
        Finding::new("vram", Level::Advice, found)
            .why(format!(
                "that leaves {} for the system, and a model is loaded through system memory",
                text::bytes(total)
            ))
            .mend(
                "set the UMA frame buffer to its minimum (512 MB) in the firmware setup, and raise ttm.pages_limit \
                 instead",
            ),
    )
}
