//! The kernel's version.

use super::{Finding, Level, on_the_machine};
use crate::host::{Distribution, Host, KernelVersion};

/// Older kernels set aside too little for gfx1151's registers when waves are saved: computing crashes or hangs.
const GOOD: KernelVersion = KernelVersion(6, 18, 4);

/// The GPU of Strix Halo.
const STRIX_HALO: &str = "gfx1151";

pub(super) fn check(host: &Host) -> Finding {
    let Some(version) = host.kernel else {
        let release = host.kernel_release.as_deref().unwrap_or("no release");
        return Finding::new("kernel", Level::Advice, format!("cannot tell the kernel's version from `{release}`"))
            .why(format!("kernels below {GOOD} are bad on {STRIX_HALO}"))
            .mend("look yourself: uname -r");
    };
    let found = host.kernel_release.clone().unwrap_or_default();
    // Where the driver does not say which GPU this is, it is the one that the project is for.
    if version >= GOOD || !(host.gpus.is_empty() || host.gpus.iter().any(|gpu| gpu == STRIX_HALO)) {
        return Finding::good("kernel", found);
    }
    let command = match host.distribution {
        Distribution::Ubuntu => "sudo apt-get install --install-recommends linux-generic-hwe-24.04, and reboot",
        Distribution::Debian => "sudo apt-get install -t $(lsb_release -cs)-backports linux-image-amd64, and reboot",
        Distribution::Fedora => "sudo dnf upgrade kernel, and reboot",
        Distribution::Arch => "sudo pacman -Syu linux, and reboot",
        Distribution::Other => "install a newer kernel, and reboot",
    };
    Finding::new("kernel", Level::Bad, format!("{found} is older than {GOOD}"))
        .why(format!("kernels below {GOOD} are bad on {STRIX_HALO}: computing crashes or hangs"))
        .mend(format!("{}; then `uname -r` must say {GOOD} or more", on_the_machine(host, command)))
}
