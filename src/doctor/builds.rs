//! What builds and the store need: a sandbox, and space.

use super::{Disk, Finding, Level, Surroundings, install};
use crate::host::Host;
use crate::sandbox::Engine;
use crate::text;

/// One nightly, unpacked, with a build beside it.
const NEEDED: u64 = 25_000_000_000;
/// One nightly's tarball and its tree.
const LEAST: u64 = 15_000_000_000;

/// Word in the report.
const CHECK: &str = "sandbox";

pub(super) fn sandbox(host: &Host, surroundings: &Surroundings) -> Option<Finding> {
    let bad = |found: &str| {
        Finding::new(CHECK, Level::Bad, found).why("builds of llama.cpp run in a sandbox; nothing else needs it")
    };
    Some(match surroundings.sandbox.as_ref()? {
        Ok(Engine::Bubblewrap) => Finding::good(CHECK, "builds can have one"),
        Ok(Engine::Podman) => podman_alone(host, surroundings.without_sysroot.as_deref()),
        Err(error) => match refusal(host) {
            Some((found, command)) => bad(found).mend(command),
            None => bad(error.message()).mend(installed(host, "install bubblewrap or podman")),
        },
    })
}

/// Judges a machine on which podman makes sandboxes and bubblewrap does not: podman takes a sysroot.
fn podman_alone(host: &Host, without: Option<&[String]>) -> Finding {
    let Some(without) = without else {
        let found = "podman makes one for builds with a sysroot; those without need bubblewrap, which makes none here";
        return Finding::good(CHECK, found);
    };
    if without.is_empty() {
        let found = "podman makes one, and every build of the manifest has the sysroot that this takes";
        return Finding::good(CHECK, found);
    }
    let names: Vec<String> = without.iter().map(|name| format!("`{name}`")).collect();
    let found =
        format!("podman alone makes one, which takes a sysroot, and the manifest gives {} none", names.join(", "));
    let other = refusal(host).map_or_else(|| installed(host, "install bubblewrap"), |(_, command)| command);
    Finding::new(CHECK, Level::Bad, found)
        .why("with the host's own root podman would show a build all of the host")
        .mend(format!("give the output a `sysroot` in the manifest, as `strixlock init` writes it; or {other}"))
}

/// Returns which setting of the machine keeps bubblewrap from its user namespaces, with the command that mends it.
fn refusal(host: &Host) -> Option<(&'static str, String)> {
    let setting = |name: &str| host.settings.get(name).copied();
    let allow = |setting: &str, value: &str| super::on_the_machine(host, &format!("sudo sysctl -w {setting}={value}"));
    if setting("user/max_user_namespaces") == Some(0) {
        Some(("user namespaces are switched off", allow("user.max_user_namespaces", "15000")))
    } else if setting("kernel/unprivileged_userns_clone") == Some(0) {
        Some(("only root may make user namespaces", allow("kernel.unprivileged_userns_clone", "1")))
    } else if setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        let command = "sudo apt-get install apparmor-profiles && sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict \
                       /etc/apparmor.d/ && sudo systemctl reload apparmor";
        let found = "AppArmor refuses bubblewrap its user namespaces, and there is no podman";
        Some((found, super::on_the_machine(host, command)))
    } else {
        None
    }
}

/// Returns the command that installs bubblewrap, or other words where the distribution is not known.
fn installed(host: &Host, otherwise: &str) -> String {
    install(host, ["bubblewrap"; 3]).unwrap_or_else(|| otherwise.to_owned())
}

pub(super) fn disk(surroundings: &Surroundings) -> Option<Finding> {
    let Disk { store, free } = surroundings.disk.as_ref()?;
    let found = format!("{} free for {}", text::bytes(*free), store.display());
    if *free >= NEEDED {
        return Some(Finding::good("disk", found));
    }
    let level = if *free < LEAST { Level::Bad } else { Level::Advice };
    Some(
        Finding::new("disk", level, found)
            .why("a nightly is 2 GB packed and up to 13 GB unpacked, and a build comes on top")
            .mend("strixlock gc --keep 2, strixlock store pack, or put the store elsewhere with STRIXLOCK_STORE"),
    )
}
