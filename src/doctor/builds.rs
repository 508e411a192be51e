//! Requirements of builds and of the store: a sandbox, and disk space.

use super::{Disk, Finding, Level, Surroundings, install};
use crate::host::{Distribution, Host};
use crate::sandbox::Engine;
use crate::text;

/// Space for one unpacked nightly and a build, in bytes.
const NEEDED: u64 = 25_000_000_000;
/// Space for one nightly's tarball and tree, in bytes.
const LEAST: u64 = 15_000_000_000;

/// The name of the check.
const CHECK: &str = "sandbox";

/// Judges whether builds can run in a sandbox.
pub(super) fn sandbox(host: &Host, surroundings: &Surroundings) -> Option<Finding> {
    let bad = |found: &str| {
        Finding::new(CHECK, Level::Bad, found).why("builds of llama.cpp run in a sandbox; nothing else needs one")
    };
    Some(match surroundings.sandbox.as_ref()? {
        Ok(Engine::Bubblewrap) => Finding::good(CHECK, "bubblewrap works"),
        Ok(Engine::Podman) => podman_alone(host, surroundings.without_sysroot.as_deref()),
        Err(error) => match refusal(host) {
            Some((found, command)) => bad(&found).mend(command),
            None => bad(error.message()).mend(installed(host, "install bubblewrap or podman")),
        },
    })
}

/// Judges a machine on which podman works and bubblewrap does not. Podman needs a sysroot.
fn podman_alone(host: &Host, without: Option<&[String]>) -> Finding {
    let Some(without) = without else {
        let found = "podman works for builds with a sysroot; others need bubblewrap, which does not work here";
        return Finding::good(CHECK, found);
    };
    if without.is_empty() {
        let found = "podman works, and every build of the manifest has the sysroot that it needs";
        return Finding::good(CHECK, found);
    }
    let names: Vec<String> = without.iter().map(|name| format!("`{name}`")).collect();
    let found =
        format!("only podman works, which needs a sysroot; outputs of the manifest without one: {}", names.join(", "));
    let other = refusal(host).map_or_else(|| installed(host, "install bubblewrap"), |(_, command)| command);
    Finding::new(CHECK, Level::Bad, found)
        .why("without a sysroot podman would expose the whole host to a build")
        .mend(format!("add a `sysroot` to the output in the manifest, as `strixlock init` writes it; or {other}"))
}

/// Returns the setting of the machine that denies bubblewrap its user namespaces, with the command that changes it.
fn refusal(host: &Host) -> Option<(String, String)> {
    let setting = |name: &str| host.settings.get(name).copied();
    let allow = |setting: &str, value: &str| super::on_the_machine(host, &format!("sudo sysctl -w {setting}={value}"));
    if let Some(covered) = host.covered.first() {
        // The kernel lets a new namespace mount /proc only if nothing in the present one is hidden.
        let found =
            format!("/proc is partly covered ({covered}), as in containers, so that bubblewrap cannot mount its own");
        Some((found, uncovered(host).to_owned()))
    } else if setting("user/max_user_namespaces") == Some(0) {
        Some(("user namespaces are disabled".to_owned(), allow("user.max_user_namespaces", "15000")))
    } else if setting("kernel/unprivileged_userns_clone") == Some(0) {
        Some(("only root may create user namespaces".to_owned(), allow("kernel.unprivileged_userns_clone", "1")))
    } else if setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        let command = "sudo apt-get install apparmor-profiles && sudo ln -s \
                       /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && \
                       sudo systemctl reload apparmor";
        let found = "AppArmor denies bubblewrap user namespaces, and podman does not work either";
        Some((found.to_owned(), super::on_the_machine(host, command)))
    } else {
        None
    }
}

/// Returns what makes a container with all of `/proc`.
fn uncovered(host: &Host) -> &'static str {
    match host.container {
        Some("docker") => "make the container with `docker run --security-opt systempaths=unconfined`",
        Some("podman") => "make the container with `podman run --security-opt unmask=ALL`",
        _ => {
            "make the container without masks: `podman run --security-opt unmask=ALL`, or `docker run --security-opt \
             systempaths=unconfined`"
        }
    }
}

/// Returns the command that installs bubblewrap, or `otherwise` on an unknown distribution.
fn installed(host: &Host, otherwise: &str) -> String {
    install(host, ["bubblewrap"; 3]).unwrap_or_else(|| otherwise.to_owned())
}

/// Judges the programs for builds that use those of the host.
pub(super) fn programs(host: &Host, surroundings: &Surroundings) -> Option<Finding> {
    let without = surroundings.without_sysroot.as_deref().filter(|names| !names.is_empty())?;
    let missing = &surroundings.missing_programs;
    let names: Vec<String> = without.iter().map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    if missing.is_empty() {
        return Some(Finding::good(
            "programs",
            format!("/usr/bin has those that builds call: {names} without a sysroot"),
        ));
    }
    let list = |part: fn(&(&'static str, &'static str)) -> &'static str, by: &str| {
        missing.iter().map(part).collect::<Vec<_>>().join(by)
    };
    let mend = match host.distribution {
        Distribution::Ubuntu | Distribution::Debian => {
            super::on_the_machine(host, &format!("sudo apt-get install {}", list(|one| one.1, " ")))
        }
        _ => format!(
            "install {}, or add a `sysroot` to the output, as `strixlock init` writes it",
            list(|one| one.0, ", ")
        ),
    };
    let found = format!("missing from /usr/bin: {}", list(|one| one.0, ", "));
    Some(
        Finding::new("programs", Level::Bad, found)
            .why(format!("outputs without a sysroot are built with the host's programs: {names}"))
            .mend(mend),
    )
}

/// Judges the free space for the store.
pub(super) fn disk(surroundings: &Surroundings) -> Option<Finding> {
    let Disk { store, free } = surroundings.disk.as_ref()?;
    let found = format!("{} free for {}", text::bytes(*free), store.display());
    if *free >= NEEDED {
        return Some(Finding::good("disk", found));
    }
    let level = if *free < LEAST { Level::Bad } else { Level::Advice };
    Some(
        Finding::new("disk", level, found)
            .why("a nightly takes 2 GB packed and up to 13 GB unpacked, and a build takes more")
            .mend("strixlock gc --keep 2, strixlock store pack, or move the store with STRIXLOCK_STORE"),
    )
}
