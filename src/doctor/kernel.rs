//! The kernel's version.

use std::cmp::Reverse;

use super::{Finding, Level, Surroundings, on_the_machine};
use crate::advisories::{Advisory, KernelFix, Software};
use crate::host::{Distribution, Host, KernelVersion};

/// Judges the kernel's version: a finding for each advisory that it is in, the worst first.
pub(super) fn check(host: &Host, surroundings: &Surroundings) -> Vec<Finding> {
    let mut known = surroundings.advisories.iter().filter(|one| one.about == Software::Linux).peekable();
    if known.peek().is_none() {
        return Vec::new();
    }
    let Some(version) = host.kernel else {
        let release = host.kernel_release.as_deref().unwrap_or("no release");
        let found = format!("unknown kernel version: `{release}`");
        let why = known.map(bad_kernels).collect::<Vec<_>>().join("; ");
        return vec![Finding::new("kernel", Level::Advice, found).why(why).mend("compare with `uname -r`")];
    };
    let found = host.kernel_release.as_deref().unwrap_or_default();
    let hits = known.filter(|one| one.has_kernel(version) && concerns(one, host));
    let mut findings: Vec<Finding> = hits.map(|hit| judge(hit, host, (version, found))).collect();
    if findings.is_empty() {
        return vec![Finding::good("kernel", found)];
    }
    findings.sort_by_key(|finding| Reverse(finding.level));
    findings
}

/// Judges a kernel that is in the range of this advisory.
fn judge(hit: &Advisory, host: &Host, (version, found): (KernelVersion, &str)) -> Finding {
    let command = match host.distribution {
        Distribution::Ubuntu => "sudo apt-get install --install-recommends linux-generic-hwe-24.04, and reboot",
        Distribution::Debian => "sudo apt-get install -t $(lsb_release -cs)-backports linux-image-amd64, and reboot",
        Distribution::Fedora => "sudo dnf upgrade kernel, and reboot",
        Distribution::Arch => "sudo pacman -Syu linux, and reboot",
        Distribution::Other => "install a newer kernel, and reboot",
    };
    let until = hit.until.as_ref().map(ToString::to_string);
    let bad = match &until {
        Some(until) => format!("{found} is older than {until}"),
        None => format!("{found} is known to be bad"),
    };
    let patched = hit.kernels.as_ref().is_some_and(|kernels| kernels.may_be_patched(version, found));
    let (level, found, why, when) = if patched {
        let why = format!("{}, unless the distribution backported the fix", bad_kernels(hit));
        (Level::Advice, format!("{bad}, but may have its fix"), why, "if it does: ")
    } else {
        (Level::Bad, bad, bad_kernels(hit), "")
    };
    let command = on_the_machine(host, command);
    let mend = if let Some(until) = until {
        let named = hit.kernels.iter().flat_map(KernelFix::named);
        let good = named.fold(format!("{until} or more"), |good, name| format!("{good}, or {name}"));
        format!("{when}{command}; then `uname -r` must say {good}")
    } else {
        let before = hit.from.as_ref().map(|from| format!(": take one from before {from}")).unwrap_or_default();
        format!("no good newer kernel is known{before}")
    };
    Finding::new("kernel", level, found).why(why).mend(mend)
}

/// Returns true if the machine may have such a GPU. If the driver does not name the GPU, it may.
fn concerns(one: &Advisory, host: &Host) -> bool {
    let unknown = host.gpus.is_empty() || host.hidden_gpus > 0;
    let named = |gpu: &str| one.targets.iter().any(|target| target.as_str() == gpu);
    unknown || one.targets.is_empty() || host.gpus.iter().any(|gpu| named(&gpu.name))
}

/// Describes the bad kernels, with the source.
fn bad_kernels(one: &Advisory) -> String {
    let gpus = super::gpus_of(one);
    format!("kernels {} are bad{gpus}: {} ({})", one.range(), one.what, one.source)
}
