//! The system calls that a sandbox refuses: a seccomp filter (seccomp(2)).
//!
//! Namespaces do not hide everything: keyrings and some families of sockets (`AF_VSOCK`, `AF_ALG`, ...) belong to the
//! kernel, not to a namespace. Builds and their programs need none of those, nor mounts, namespaces of their own, or
//! the calls that administer and measure the kernel. Refused calls fail with `ENOSYS`, so that programs do without
//! them. With bubblewrap, all calls that are newer than the table below are refused too.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::error::{Error, Result};

/// Calls that are refused with any arguments: name (for podman) and number.
const REFUSED: [(&str, i64); 46] = [
    // Keys of the caller.
    ("add_key", libc::SYS_add_key),
    ("keyctl", libc::SYS_keyctl),
    ("request_key", libc::SYS_request_key),
    // Namespaces and mounts. A filter cannot see the flags of `clone3`; the C library falls back to `clone`.
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
    // Large parts of the kernel that any process can have run.
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

/// The newest call that the table above considers.
const NEWEST: i64 = libc::SYS_mseal;

/// Allowed families of sockets. They reach only the sandbox's own, empty network.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Refused flags of `clone`, which create namespaces.
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
    let failed = |error: seccompiler::BackendError| {
        Error::failure("cannot create the system call filter of the sandbox").because(&error)
    };
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

/// Returns the rules as podman takes them (`--security-opt=seccomp=FILE`, the OCI runtime specification's
/// `linux.seccomp`). Other architectures of the processor are refused because they are not listed. Calls are refused by
/// name, so calls that are newer than the table are allowed.
pub(super) fn profile() -> String {
    let refused = |names: &[&str], args: serde_json::Value| {
        let (action, error) = ("SCMP_ACT_ERRNO", libc::ENOSYS);
        serde_json::json!({ "names": names, "action": action, "errnoRet": error, "args": args })
    };
    let compare = |op: &str, value: i64, other: i64| {
        let condition = serde_json::json!({ "index": 0, "value": value, "valueTwo": other, "op": op });
        serde_json::json!([condition])
    };
    let names: Vec<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    let mut calls = vec![refused(&names, serde_json::json!([]))];
    // A rule has one comparison per argument, so each refused family has its own rule.
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
