//! How much of a unified memory the GPU may use.
//!
//! A machine with 128 GB is bought for models of 100 GB, and out of the box the driver maps half. The kernel's parameter
//! `ttm.pages_limit` (in pages of 4096 bytes) raises that; `amdgpu.gttsize` (in MiB) is its older name for one driver, and
//! the smaller of the two counts.

use super::{Finding, Level, STRIX_HALO, on_the_machine};
use crate::host::{Distribution, Host};
use crate::text;

const GIB: u64 = 1 << 30;
/// Left for the system, whatever the GPU gets.
const RESERVE: u64 = 4 * GIB;
/// Below this a machine is not one of those that are bought for large models.
const LARGE: u64 = 48 * GIB;
/// What the firmware should set aside: what it sets aside the system cannot use, and the GPU gains nothing by it.
const VRAM: u64 = 8 * GIB;

pub(super) fn check(host: &Host) -> Vec<Finding> {
    [parameters(host), limit(host), aside(host)].into_iter().flatten().collect()
}

fn limit(host: &Host) -> Option<Finding> {
    let memory = host.memory;
    let total = memory.total?;
    // What the driver says that it may map, or else what the manager below it allows.
    let limit = memory.gtt.into_iter().chain(memory.ttm_limit).min()?;
    let wanted = total.saturating_sub(RESERVE);
    let found = format!("the GPU may use {} of {}", text::bytes(limit), text::bytes(total));
    // A part of the reserve is a matter of taste.
    if total < LARGE || limit >= wanted.saturating_sub(3 * RESERVE) {
        return Some(Finding::good("gpu-memory", found));
    }
    let pages = wanted / GIB * GIB / 4096;
    Some(
        Finding::new("gpu-memory", Level::Advice, found)
            .why("model, context and buffers must fit into that; larger ones fail with an out-of-memory error of HIP")
            .mend(on_the_machine(
                host,
                &parameter_command(host, &format!("ttm.pages_limit={pages} ttm.page_pool_size={pages}")),
            )),
    )
}

/// Sets a parameter of the kernel for good.
fn parameter_command(host: &Host, parameters: &str) -> String {
    match host.distribution {
        Distribution::Fedora => format!("sudo grubby --update-kernel=ALL --args='{parameters}', and reboot"),
        _ => format!(
            "add `{parameters}` to GRUB_CMDLINE_LINUX in /etc/default/grub, then sudo update-grub (Arch: grub-mkconfig -o /boot/grub/grub.cfg), and reboot"
        ),
    }
}

/// What was said to the kernel, where two parameters contradict each other or one is no number.
fn parameters(host: &Host) -> Option<Finding> {
    let value = |name: &str| {
        // The last one counts.
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
        // -1 is the driver's own default.
        (Some(None), _) if gttsize != Some("-1") => Some(bad(host, found)),
        (_, Some(None)) => Some(bad(host, found)),
        (Some(Some(gtt)), Some(Some(pages))) if gtt != pages => Some(
            Finding::new("amdgpu", Level::Advice, found)
                .why(format!("the two say {} and {}: the smaller one counts", text::bytes(gtt), text::bytes(pages)))
                .mend(on_the_machine(
                    host,
                    "drop amdgpu.gttsize from the kernel's parameters; ttm.pages_limit is enough",
                )),
        ),
        _ => Some(Finding::good("amdgpu", found)),
    }
}

fn bad(host: &Host, found: String) -> Finding {
    Finding::new("amdgpu", Level::Bad, found)
        .why("the kernel ignores a limit that is no number")
        .mend(on_the_machine(host, "write a number: MiB for amdgpu.gttsize, pages of 4096 bytes for ttm.pages_limit"))
}

fn aside(host: &Host) -> Option<Finding> {
    let (vram, total) = (host.memory.vram?, host.memory.total?);
    // A card with a memory of its own is another thing: it does not take any from the system.
    if !host.gpus.iter().any(|gpu| gpu.name == STRIX_HALO) {
        return None;
    }
    let found = format!("the firmware sets {} aside for the GPU", text::bytes(vram));
    if vram <= VRAM {
        return Some(Finding::good("vram", found));
    }
    Some(
        Finding::new("vram", Level::Advice, found)
            .why(format!("that leaves {} to the system, and loading a model passes through the system's memory", text::bytes(total)))
            .mend("set the UMA frame buffer to its least (512 MB) in the firmware's setup, and raise ttm.pages_limit instead"),
    )
}
