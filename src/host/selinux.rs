//! SELinux restrictions on the devices of a container.

use super::system_files::SystemFiles;

/// Directory of SELinux's state. It is empty in most containers.
const STATE: &str = "sys/fs/selinux";

/// Returns whether SELinux may deny `/dev/kfd` to a container: as far as can be seen, it is enforcing, this process is
/// not exempt, and the boolean `container_use_devices` is off.
pub(super) fn confines(files: SystemFiles) -> bool {
    // user:role:type:level
    let label = files.line("proc/self/attr/current").unwrap_or_default();
    let kind = label.split(':').nth(2).unwrap_or_default().trim_end_matches(['\0', '\u{fffd}']);
    let enforcing = match files.line(&format!("{STATE}/enforce")).as_deref() {
        Some(state) => state == "1",
        None => kind == "container_t",
    };
    let allowed = files.line(&format!("{STATE}/booleans/container_use_devices"));
    // Containers with `label=disable`, or privileged ones, have these types.
    enforcing
        && !matches!(kind, "spc_t" | "unconfined_t")
        && !allowed.is_some_and(|now_and_next| now_and_next.starts_with('1'))
}
