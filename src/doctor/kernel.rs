//! The kernel's version.

use super::known::KNOWN;
use super::{Finding, Level, on_the_machine};
use crate::host::{Distribution, Host};

/// Judges the kernel's version.
pub(super) fn check(host: &Host) -> Option<Finding> {
    let known = KNOWN.kernel.as_ref()?;
    let (good, gpu) = (known.good, &known.gpu);
    let Some(version) = host.kernel else {
        let release = host.kernel_release.as_deref().unwrap_or("no release");
        let found = format!("unknown kernel version: `{release}`");
        let why = format!("kernels below {good} are bad on {gpu}");
        return Some(Finding::new("kernel", Level::Advice, found).why(why).mend("compare with `uname -r`"));
    };
    let found = host.kernel_release.clone().unwrap_or_default();
    // If the driver does not name the GPU, assume the project's target.
    let unknown = host.gpus.is_empty() || host.hidden_gpus > 0;
    if version >= good || !(unknown || host.gpus.iter().any(|other| other.name == *gpu)) {
        return Some(Finding::good("kernel", found));
    }
    let command = match host.distribution {
        Distribution::Ubuntu => "sudo apt-get install --install-recommends linux-generic-hwe-24.04, and reboot",
        Distribution::Debian => "sudo apt-get install -t $(lsb_release -cs)-backports linux-image-amd64, and reboot",
        Distribution::Fedora => "sudo dnf upgrade kernel, and reboot",
        Distribution::Arch => "sudo pacman -Syu linux, and reboot",
        Distribution::Other => "install a newer kernel, and reboot",
    };
    let why = format!("kernels below {good} are bad on {gpu}: {}", known.why);
    let (level, found, why, when) = if known.may_be_patched(version, &found) {
        let found = format!("{found} is older than {good}, but may have its fix");
        (Level::Advice, found, format!("{why}, unless the distribution backported the fix"), "if it does: ")
    } else {
        (Level::Bad, format!("{found} is older than {good}"), why, "")
    };
    let mend = format!("{when}{}; then `uname -r` must say {}", on_the_machine(host, command), known.wanted());
    Some(Finding::new("kernel", level, found).why(why).mend(mend))
}
