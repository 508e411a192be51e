//! Which system calls a sandbox refuses: a seccomp filter (seccomp(2)).
//!
//! Namespaces do not hide everything: keyrings and some families of sockets (`AF_VSOCK`, `AF_ALG`, ...) are the kernel's, not
//! a namespace's. Builds and the programs that they make need none of that, nor mounts, namespaces of their own, or the calls
//! by which the kernel is administered and measured. What is refused answers `ENOSYS`, so that programs do without; with
//! bubblewrap so does every call that is newer than the table below.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::error::{Error, Result};

/// Calls that are refused whatever their arguments: name, for podman, and number.
const REFUSED: [(&str, i64); 46] = [
    // Keys of the caller.
    ("add_key", libc::SYS_add_key),
    ("keyctl", libc::SYS_keyctl),
    ("request_key", libc::SYS_request_key),
    // Namespaces and mounts. Of `clone3` a filter cannot see the flags; the C library goes back to `clone`.
    ("clone3", libc::SYS_clone3),
    ("unshare", libc::SYS_unshare),
    ("setns", libc::SYS_setns),
    ("mount", libc::SYS_mount),
    ("umount2", libc::SYS_umount2),
    ("pivot_root", libc::SYS_pivot_root),
    ("move_mount", libc::SYS_move_mount),
    ("open_tree", libc::SYS_open_tree),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("fsopen", libc::SYS_fsopen),
    ("fsconfig", libc::SYS_fsconfig),
    ("fsmount", libc::SYS_fsmount),
    ("fspick", libc::SYS_fspick),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    // Large parts of the kernel that run on behalf of whoever asks.
    ("bpf", libc::SYS_bpf),
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("io_uring_enter", libc::SYS_io_uring_enter),
    ("io_uring_register", libc::SYS_io_uring_register),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("fanotify_init", libc::SYS_fanotify_init),
    ("fanotify_mark", libc::SYS_fanotify_mark),
    ("kcmp", libc::SYS_kcmp),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("lookup_dcookie", libc::SYS_lookup_dcookie),
    // Administration of the machine.
    ("acct", libc::SYS_acct),
    ("adjtimex", libc::SYS_adjtimex),
    ("clock_adjtime", libc::SYS_clock_adjtime),
    ("clock_settime", libc::SYS_clock_settime),
    ("settimeofday", libc::SYS_settimeofday),
    ("delete_module", libc::SYS_delete_module),
    ("init_module", libc::SYS_init_module),
    ("finit_module", libc::SYS_finit_module),
    ("kexec_file_load", libc::SYS_kexec_file_load),
    ("kexec_load", libc::SYS_kexec_load),
    ("nfsservctl", libc::SYS_nfsservctl),
    ("quotactl", libc::SYS_quotactl),
    ("quotactl_fd", libc::SYS_quotactl_fd),
    ("reboot", libc::SYS_reboot),
    ("swapoff", libc::SYS_swapoff),
    ("swapon", libc::SYS_swapon),
    ("syslog", libc::SYS_syslog),
    ("vhangup", libc::SYS_vhangup),
];

/// The newest call that was looked at for the table above.
const NEWEST: i64 = libc::SYS_mseal;

/// The families of sockets that are allowed; the network that they reach is the sandbox's own, and empty.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Flags of `clone` that are refused: they make namespaces.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Returns the filter as the program that bubblewrap takes (`--seccomp`): `struct sock_filter`s in the machine's order.
pub(super) fn program() -> Result<Vec<u8>> {
    let failed = |error: seccompiler::BackendError| Error::failure("cannot make the sandbox's filter").because(&error);
    let architecture: TargetArch = std::env::consts::ARCH.try_into().map_err(failed)?;
    let equals = |argument: u8, operator, value: u64| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).map_err(failed)?;
        SeccompRule::new(vec![condition]).map_err(failed)
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = (0..=NEWEST).map(|number| (number, Vec::new())).collect();
    for (_, number) in REFUSED {
        rules.remove(&number);
    }
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        let families = FAMILIES.iter().map(|family| equals(0, SeccompCmpOp::Eq, *family as u64));
        rules.insert(call, families.collect::<Result<_>>()?);
    }
    let flags = NAMESPACES.iter().fold(0, |all, flag| all | *flag as u32);
    rules.insert(libc::SYS_clone, vec![equals(0, SeccompCmpOp::MaskedEq(flags.into()), 0)?]);
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, absent, SeccompAction::Allow, architecture).map_err(failed)?;
    let program: BpfProgram = filter.try_into().map_err(failed)?;
    Ok(program
        .iter()
        .flat_map(|one| {
            let (code, k) = (one.code.to_ne_bytes(), one.k.to_ne_bytes());
            [code[0], code[1], one.jt, one.jf, k[0], k[1], k[2], k[3]]
        })
        .collect())
}

/// Returns the same rules as podman takes them (`--security-opt=seccomp=FILE`, the OCI runtime specification's
/// `linux.seccomp`): other architectures of the processor are refused there by not being named. Calls are refused by name
/// there, so those that are newer than the table are not.
pub(super) fn profile() -> String {
    let refused = |names: &[&str], args: serde_json::Value| serde_json::json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS, "args": args });
    let compare = |operator: &str, value: i64, other: i64| serde_json::json!([{ "index": 0, "value": value, "valueTwo": other, "op": operator }]);
    let names: Vec<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    let mut calls = vec![refused(&names, serde_json::json!([]))];
    // A rule has one comparison an argument, so each family that is refused has its own.
    let sockets = ["socket", "socketpair"];
    let last = FAMILIES.iter().copied().max().unwrap_or_default();
    let others = (0..last).filter(|family| !FAMILIES.contains(family));
    calls.extend(others.map(|family| refused(&sockets, compare("SCMP_CMP_EQ", family.into(), 0))));
    calls.push(refused(&sockets, compare("SCMP_CMP_GT", last.into(), 0)));
    for flag in NAMESPACES {
        let flag = i64::from(flag as u32);
        calls.push(refused(&["clone"], compare("SCMP_CMP_MASKED_EQ", flag, flag)));
    }
    let architecture = format!("SCMP_ARCH_{}", std::env::consts::ARCH.to_uppercase());
    let all =
        serde_json::json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": [architecture], "syscalls": calls });
    all.to_string()
}
