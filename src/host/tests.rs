use super::gpu::gfx_name;
use super::*;

/// Makes a root with these files.
pub(super) fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let place = root.path().join(path);
        fs_err::create_dir_all(place.parent().unwrap()).unwrap();
        fs_err::write(place, text).unwrap();
    }
    root
}

#[test]
fn a_strix_halo_machine_is_read() {
    let root = root(&[
        ("proc/sys/kernel/osrelease", "6.18.4-061804-generic\n"),
        ("proc/cmdline", "BOOT_IMAGE=/vmlinuz ttm.pages_limit=32505856 quiet\n"),
        ("proc/meminfo", "MemTotal:       131034112 kB\nMemFree: 1 kB\n"),
        ("proc/self/status", "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nGroups:\t44 992\n"),
        ("proc/sys/user/max_user_namespaces", "512000\n"),
        ("sys/module/ttm/parameters/pages_limit", "32505856\n"),
        ("sys/module/amdgpu/version", ""),
        ("sys/class/drm/card1/device/mem_info_vram_total", "536870912\n"),
        ("sys/class/drm/card1/device/mem_info_gtt_total", "133143986176\n"),
        ("sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 32\ngfx_target_version 0\n"),
        (
            "sys/class/kfd/kfd/topology/nodes/1/properties",
            "simd_count 80\ngfx_target_version 110501\ndrm_render_minor 129\n",
        ),
        (
            "sys/class/kfd/kfd/topology/nodes/2/properties",
            "gfx_target_version 120001\ndrm_render_minor_of_more 7\ndrm_render_minor -1\n",
        ),
        // Reading a directory fails, as reading what device rules forbid does.
        ("sys/class/kfd/kfd/topology/nodes/3/properties/x", ""),
        ("etc/os-release", "NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"),
        ("etc/group", "root:x:0:\nrender:x:992:me\n"),
        (
            "var/lib/dpkg/status",
            "Package: linux-firmware\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: firmware-amd-graphics\nStatus: install ok installed\nVersion: 20251021-1\n",
        ),
        ("run/.containerenv", ""),
    ]);
    fs_err::create_dir_all(root.path().join("dev/dri")).unwrap();
    for (node, target) in
        [("dev/kfd", "/dev/null"), ("dev/dri/renderD128", "/dev/null"), ("dev/dri/card0", "/dev/null")]
    {
        fs_err::os::unix::fs::symlink(target, root.path().join(node)).unwrap();
    }
    let host = Host::read(root.path());
    assert_eq!(host.kernel, Some(KernelVersion(6, 18, 4)));
    assert_eq!(host.kernel_parameters[1], "ttm.pages_limit=32505856");
    assert_eq!(host.distribution, Distribution::Ubuntu);
    assert_eq!(host.container, Some("podman"));
    assert_eq!(host.firmware.as_deref(), Some("20251021-1"));
    let gpu = |name: &str, render: Option<&str>| Gpu { name: name.to_owned(), render: render.map(str::to_owned) };
    assert_eq!(host.gpus, [gpu("gfx1151", Some("/dev/dri/renderD129")), gpu("gfx1201", None)]);
    assert_eq!((host.hidden_gpus, host.topology), (1, true));
    let group = std::os::unix::fs::MetadataExt::gid(&std::fs::metadata("/dev/null").unwrap());
    assert_eq!(host.devices.card_groups, [group]);
    assert_eq!(host.memory.ttm_limit, host.memory.gtt);
    assert_eq!((host.process.user, host.process.groups.as_slice()), (1000, [44, 992, 1000].as_slice()));
    assert_eq!(host.process.group_name(992), "render");
    assert_eq!(host.settings["user/max_user_namespaces"], 512_000);
    assert!(host.driver && host.devices.usable());
}

#[test]
fn missing_files_are_unknown_facts() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(Host::read(empty.path()), Host::default());
}

#[test]
fn malformed_files_are_unknown_facts_and_are_read_up_to_a_limit() {
    let long = "7".repeat(1 << 20);
    let root = root(&[
        ("proc/sys/kernel/osrelease", &long),
        ("proc/meminfo", "MemTotal: 18446744073709551615 kB\n"),
        ("proc/self/status", "Uid: x\nGroups: -1 99999999999\n"),
        ("sys/class/kfd/kfd/topology/nodes/1/properties", "gfx_target_version 4294967295\n"),
        ("sys/module/ttm/parameters/pages_limit", "18446744073709551615\n"),
        ("var/lib/dpkg/status", "Version: 3\nPackage: linux-firmware\n\n"),
        ("etc/os-release", "ID\n=\n"),
        ("etc/group", "::\nrender:x:many:\n"),
        ("dev/dri/renderD128", "no device"),
        ("dev/dri/card0", "not asked for"),
    ]);
    let host = Host::read(root.path());
    assert!(host.kernel_release.as_ref().unwrap().len() <= 64 * 1024);
    let memory = Memory { ttm_limit: Some(u64::MAX), ..Memory::default() };
    let devices = Devices { render: host.devices.render.clone(), ..Devices::default() };
    let release = host.kernel_release.clone();
    assert_eq!(devices.render[0].state, NodeState::NotADevice);
    assert_eq!(host, Host { kernel_release: release, memory, devices, topology: true, ..Host::default() });
}

#[test]
fn kernel_releases_are_read_and_ordered() {
    for (release, version) in [
        ("6.18.4-200.fc43.x86_64", Some(KernelVersion(6, 18, 4))),
        ("6.18-rc1", Some(KernelVersion(6, 18, 0))),
        ("7.0.0", Some(KernelVersion(7, 0, 0))),
        ("6", None),
        ("", None),
        ("unknown", None),
        ("99999999999.1.1", None),
    ] {
        assert_eq!(KernelVersion::parse(release), version, "{release}");
    }
    assert!(KernelVersion(6, 18, 4) > KernelVersion(6, 9, 12));
}

#[test]
fn versions_of_the_driver_are_named_as_the_compiler_names_them() {
    for (version, name) in
        [(110_501, Some("gfx1151")), (90_010, Some("gfx90a")), (110_000, Some("gfx1100")), (0, None), (u32::MAX, None)]
    {
        assert_eq!(gfx_name(version).as_deref(), name, "{version}");
    }
}

#[test]
fn selinux_confines_where_it_enforces_and_no_exemption_is_seen() {
    let (enforce, label) = ("sys/fs/selinux/enforce", "proc/self/attr/current");
    let allowed = "sys/fs/selinux/booleans/container_use_devices";
    let confined = "system_u:system_r:container_t:s0:c1,c2\0";
    for (files, expected) in [
        (&[(enforce, "1")][..], true),
        (&[(enforce, "1"), (label, confined), (allowed, "0 0")], true),
        (&[(enforce, "1"), (label, confined), (allowed, "1 1")], false),
        (&[(enforce, "1"), (label, "system_u:system_r:spc_t:s0\0")], false),
        (&[(enforce, "0"), (label, confined)], false),
        (&[(label, confined)], true),
        (&[(label, "docker-default (enforce)\n")], false),
        (&[], false),
    ] {
        assert_eq!(Host::read(root(files).path()).selinux_confines, expected, "{files:?}");
    }
}

#[test]
fn the_groups_of_cards_are_among_those_of_the_devices() {
    let node = |path: &str, group| DeviceNode { path: path.to_owned(), state: NodeState::Usable, group };
    let devices = Devices {
        kfd: Some(node("/dev/kfd", 992)),
        render: vec![node("/dev/dri/renderD128", 991)],
        card_groups: vec![44],
    };
    assert_eq!(devices.groups(), [44, 991, 992]);
}
