//! What builds and the store need: a sandbox, and space.

use super::{Disk, Finding, Level, Surroundings, install};
use crate::host::Host;
use crate::text;

/// One nightly, unpacked, with a build beside it.
const NEEDED: u64 = 25_000_000_000;
/// One nightly's tarball and its tree.
const LEAST: u64 = 15_000_000_000;

pub(super) fn sandbox(host: &Host, surroundings: &Surroundings) -> Option<Finding> {
    let check = "sandbox";
    let why = "builds of llama.cpp run in a sandbox; nothing else needs it";
    let error = match surroundings.sandbox.as_ref()? {
        Ok(()) => return Some(Finding::good(check, "builds can have one")),
        Err(error) => error,
    };
    let bad = |found: &str| Finding::new(check, Level::Bad, found).why(why);
    let setting = |name: &str| host.settings.get(name).copied();
    let allow = |setting: &str, value: &str| super::on_the_machine(host, &format!("sudo sysctl -w {setting}={value}"));
    Some(if setting("user/max_user_namespaces") == Some(0) {
        bad("user namespaces are switched off").mend(allow("user.max_user_namespaces", "15000"))
    } else if setting("kernel/unprivileged_userns_clone") == Some(0) {
        bad("only root may make user namespaces").mend(allow("kernel.unprivileged_userns_clone", "1"))
    } else if setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        let command = "sudo apt-get install apparmor-profiles && sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict \
                       /etc/apparmor.d/ && sudo systemctl reload apparmor";
        bad("AppArmor refuses bubblewrap its user namespaces, and there is no podman")
            .mend(super::on_the_machine(host, command))
    } else {
        let finding = bad(error.message());
        match install(host, ["bubblewrap"; 3]) {
            Some(command) => finding.mend(command),
            None => finding.mend("install bubblewrap or podman"),
        }
    })
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
