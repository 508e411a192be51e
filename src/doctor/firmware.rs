//! The version of the GPU's firmware.

use super::known::KNOWN;
use super::{Finding, Level, on_the_machine};
use crate::host::{Distribution, Host};

/// Judges the firmware's version, as the package database states it.
pub(super) fn check(host: &Host) -> Finding {
    let ask = match host.distribution {
        Distribution::Fedora => "rpm -q amd-gpu-firmware linux-firmware",
        Distribution::Arch => "pacman -Q linux-firmware",
        Distribution::Ubuntu | Distribution::Debian => "dpkg -l linux-firmware firmware-amd-graphics",
        Distribution::Other => "ask your package manager for the version of linux-firmware",
    };
    let bad =
        host.firmware.as_ref().and_then(|version| KNOWN.firmware.iter().find(|bad| version.contains(&bad.release)));
    let reasons = KNOWN.firmware.iter().filter(|known| bad.is_none_or(|bad| bad.release == known.release));
    let reasons = reasons.map(|bad| format!("linux-firmware {} is bad on {}: {}", bad.release, bad.gpu, bad.why));
    let why = reasons.collect::<Vec<_>>().join("; ");
    match &host.firmware {
        // A container has its own packages, but the kernel loads the firmware of the host.
        _ if host.container.is_some() => {
            Finding::new("firmware", Level::Advice, "unknown inside a container: the version of linux-firmware")
                .why(why)
                .mend(on_the_machine(host, ask))
        }
        None => Finding::new("firmware", Level::Advice, "unknown version of linux-firmware").why(why).mend(ask),
        Some(version) if bad.is_some() => {
            let command = match host.distribution {
                Distribution::Fedora => "sudo dnf upgrade linux-firmware amd-gpu-firmware",
                Distribution::Arch => "sudo pacman -Syu linux-firmware",
                Distribution::Ubuntu | Distribution::Debian | Distribution::Other => {
                    "sudo apt-get update && sudo apt-get install --only-upgrade linux-firmware firmware-amd-graphics"
                }
            };
            Finding::new("firmware", Level::Bad, format!("linux-firmware {version}"))
                .why(why)
                .mend(format!("{command}, or go back to the release before it; then reboot"))
        }
        Some(version) => Finding::good("firmware", format!("linux-firmware {version}")),
    }
}
