//! The version of the GPU's firmware.

use jiff::civil::Date;

use super::{Finding, Level, Surroundings, on_the_machine};
use crate::advisories::{Advisory, Software};
use crate::host::{Distribution, Host};

/// Judges the firmware's version, as the package database states it.
pub(super) fn check(host: &Host, surroundings: &Surroundings) -> Finding {
    let ask = match host.distribution {
        Distribution::Fedora => "rpm -q amd-gpu-firmware linux-firmware",
        Distribution::Arch => "pacman -Q linux-firmware",
        Distribution::Ubuntu | Distribution::Debian => "dpkg -l linux-firmware firmware-amd-graphics",
        Distribution::Other => "ask your package manager for the version of linux-firmware",
    };
    let known = || surroundings.advisories.iter().filter(|one| one.about == Software::Firmware);
    let released = host.firmware.as_deref().and_then(day);
    let has_it = |one: &&Advisory| released.is_some_and(|day| one.has_firmware(day));
    let is_bad = known().any(|one| has_it(&one));
    let why = known().filter(|one| !is_bad || has_it(one)).map(bad_releases).collect::<Vec<_>>().join("; ");
    match &host.firmware {
        // A container has its own packages, but the kernel loads the firmware of the host.
        _ if host.container.is_some() => {
            Finding::new("firmware", Level::Advice, "unknown inside a container: the version of linux-firmware")
                .why(why)
                .mend(on_the_machine(host, ask))
        }
        None => Finding::new("firmware", Level::Advice, "unknown version of linux-firmware").why(why).mend(ask),
        Some(version) if is_bad => {
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

/// Returns the day of a release, which every distribution's version has: the 25th in `20251125-1.fc43`.
fn day(version: &str) -> Option<Date> {
    let numbers = version.split(|c: char| !c.is_ascii_digit());
    numbers.filter(|number| number.len() == 8).find_map(|number| Date::strptime("%Y%m%d", number).ok())
}

/// Describes the bad releases, with the source.
fn bad_releases(one: &Advisory) -> String {
    let gpus = super::gpus_of(one);
    let good = one.good.as_ref().map(|good| format!("; good again: {good}")).unwrap_or_default();
    format!("releases of linux-firmware {} are bad{gpus}: {}{good} ({})", one.range(), one.what, one.source)
}
