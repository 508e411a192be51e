use super::*;
use crate::advisories::Software;
use crate::host::{DeviceNode, Devices, Gpu, KernelVersion, Memory, NodeState, Process};

const GIB: u64 = 1 << 30;

fn node(path: &str, state: NodeState) -> DeviceNode {
    DeviceNode { path: path.to_owned(), state, group: 992 }
}

fn gpu(name: &str, minor: u32) -> Gpu {
    Gpu { name: name.to_owned(), render: Some(format!("/dev/dri/renderD{minor}")) }
}

/// Returns a Strix Halo machine without problems.
fn good() -> Host {
    Host {
        kernel: Some(KernelVersion(6, 18, 4)),
        kernel_release: Some("6.18.4-061804-generic".to_owned()),
        distribution: Distribution::Ubuntu,
        firmware: Some("20260110.git1-0ubuntu1".to_owned()),
        gpus: vec![gpu("gfx1151", 128)],
        topology: true,
        driver: true,
        devices: Devices {
            kfd: Some(node("/dev/kfd", NodeState::Usable)),
            render: vec![node("/dev/dri/renderD128", NodeState::Usable)],
            ..Devices::default()
        },
        memory: Memory {
            total: Some(125 * GIB),
            vram: Some(GIB / 2),
            gtt: Some(121 * GIB),
            ttm_limit: Some(121 * GIB),
        },
        process: Process { user: 1000, groups: vec![992], group_names: [(992, "render".to_owned())].into() },
        ..Host::default()
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        sandbox: Some(Ok(Engine::Bubblewrap)),
        without_sysroot: None,
        missing_programs: Vec::new(),
        keys: Vec::new(),
        disk: Some(Disk { store: "/s".into(), free: 900_000_000_000 }),
        proxies: BTreeMap::new(),
        advisories: crate::advisories::built_in().to_vec(),
        known_bad: Vec::new(),
        merge_driver: None,
        network: None,
    }
}

/// Returns the only finding that is not good; fails if there are more.
#[track_caller]
fn only(host: &Host, surroundings: &Surroundings, level: Level) -> Finding {
    let mut others = examine(host, surroundings);
    others.retain(|finding| finding.level != Level::Good);
    assert_eq!(others.len(), 1, "{others:#?}");
    assert_eq!(others[0].level, level);
    assert!(others[0].why.is_some() && others[0].mend.is_some(), "{others:#?}");
    others.remove(0)
}

#[test]
fn a_good_machine_is_good() {
    let findings = examine(&good(), &surroundings());
    assert!(findings.iter().all(|finding| finding.level == Level::Good), "{findings:#?}");
    let checks: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, ["kernel", "firmware", "kfd", "dri", "gpu", "gpu-memory", "vram", "sandbox", "disk", "proxy"]);
}

#[test]
fn an_old_kernel_is_bad_for_strix_halo_only() {
    let old =
        Host { kernel: Some(KernelVersion(6, 18, 3)), kernel_release: Some("6.18.3-generic".to_owned()), ..good() };
    let finding = only(&old, &surroundings(), Level::Bad);
    assert_eq!(finding.found, "6.18.3-generic is older than 6.18.4");
    assert!(finding.mend.unwrap().starts_with("sudo apt-get install --install-recommends linux-generic-hwe-24.04"));
    let unknown = Host { gpus: Vec::new(), ..old.clone() };
    only(&unknown, &surroundings(), Level::Bad);
    let other = Host { gpus: vec![gpu("gfx1201", 128)], ..old };
    assert!(examine(&other, &surroundings()).iter().all(|finding| finding.level == Level::Good));
}

#[test]
fn bad_firmware_is_recognised_in_every_distributions_version() {
    for version in ["20251125", "20251125-1.fc43", "20251125.git1-0ubuntu1", "20251125-1"] {
        let host = Host { firmware: Some(version.to_owned()), ..good() };
        assert_eq!(only(&host, &surroundings(), Level::Bad).check, "firmware");
    }
    only(&Host { firmware: None, ..good() }, &surroundings(), Level::Advice);
}

#[test]
fn a_node_that_cannot_be_used_is_reported_with_a_hint() {
    let with = |state, user, groups: &[u32], container| Host {
        devices: Devices { kfd: Some(node("/dev/kfd", state)), ..good().devices },
        process: Process { user, groups: groups.to_vec(), ..good().process },
        container,
        ..good()
    };
    let mend = |host: &Host| {
        let finding = examine(host, &surroundings()).into_iter().find(|finding| finding.check == "kfd").unwrap();
        assert_eq!(finding.level, Level::Bad);
        finding.mend.unwrap()
    };
    assert_eq!(mend(&with(NodeState::Denied, 1000, &[1000], None)), "sudo usermod -aG render $USER, and log in again");
    assert_eq!(mend(&with(NodeState::Denied, 1000, &[992], None)), "ls -lZ /dev/kfd");
    assert!(mend(&with(NodeState::Denied, 1000, &[1000], Some("podman"))).contains("--group-add keep-groups"));
    assert!(mend(&with(NodeState::NotADevice, 0, &[0], Some("docker"))).contains("--device /dev/kfd"));
    assert!(mend(&with(NodeState::Dead, 0, &[0], Some("docker"))).starts_with("outside the container: sudo dmesg"));
    let none = Host { devices: Devices::default(), driver: false, ..good() };
    assert!(mend(&none).starts_with("sudo modprobe amdgpu"));
    assert!(mend(&Host { container: Some("toolbox"), ..none }).contains("strixlock provision --force"));
}

#[test]
fn one_render_node_that_can_be_used_is_enough() {
    let mut host = good();
    host.devices.render.insert(0, node("/dev/dri/renderD127", NodeState::Denied));
    assert!(examine(&host, &surroundings()).iter().all(|finding| finding.level == Level::Good));
    host.gpus = vec![gpu("gfx1151", 127), gpu("gfx1151", 128)];
    assert!(examine(&host, &surroundings()).iter().all(|finding| finding.level == Level::Good));
    host.gpus = Vec::new();
    assert!(examine(&host, &surroundings()).iter().all(|finding| finding.level == Level::Good));
}

/// Returns a machine with two GPUs and these render nodes.
fn two_gpus(nodes: &[(u32, NodeState)], container: Option<&'static str>) -> Host {
    let mut host = Host { gpus: vec![gpu("gfx1151", 129), gpu("gfx1201", 128)], container, ..good() };
    // The version is unknown inside a container.
    host.firmware = host.firmware.filter(|_| container.is_none());
    host.devices.render =
        nodes.iter().map(|(minor, state)| node(&format!("/dev/dri/renderD{minor}"), *state)).collect();
    host
}

fn finding(host: &Host, check: &str) -> Finding {
    examine(host, &surroundings()).into_iter().find(|finding| finding.check == check).unwrap()
}

#[test]
fn the_render_node_of_the_target_is_judged_not_that_of_another_gpu() {
    use NodeState::{Denied, Usable};
    let alone = only(&two_gpus(&[(128, Usable)], None), &surroundings(), Level::Bad);
    assert_eq!((alone.check, alone.found.as_str()), ("dri", "there is no /dev/dri/renderD129"));
    assert!(alone.why.unwrap().ends_with("this is the one of gfx1151"));
    let inside = finding(&two_gpus(&[(128, Usable)], Some("podman")), "dri");
    assert_eq!(inside.level, Level::Bad);
    assert!(inside.mend.unwrap().contains("--device /dev/dri"));
    let denied = only(&two_gpus(&[(128, Usable), (129, Denied)], None), &surroundings(), Level::Bad);
    assert!(denied.found.contains("permission denied: /dev/dri/renderD129"), "{denied:?}");
    for nodes in [&[(128, Usable), (129, Usable)][..], &[(129, Usable)], &[(128, Denied), (129, Usable)]] {
        let host = two_gpus(nodes, None);
        assert!(examine(&host, &surroundings()).iter().all(|finding| finding.level == Level::Good), "{nodes:?}");
        let found = finding(&host, "dri").found;
        assert_eq!(found, "/dev/dri/renderD129 is usable, the render node of gfx1151");
    }
    // If the driver does not name the target's node, nodes of other GPUs are still excluded.
    let mut untold = two_gpus(&[(128, Usable)], None);
    untold.gpus[0].render = None;
    assert_eq!(only(&untold, &surroundings(), Level::Bad).found, "there is no /dev/dri/renderD*");
}

#[test]
fn gpus_hidden_by_device_rules_are_reported_unless_the_target_is_visible() {
    let hidden = Host { gpus: vec![gpu("gfx1201", 128)], hidden_gpus: 1, ..good() };
    let finding = only(&hidden, &surroundings(), Level::Advice);
    assert_eq!(finding.found, "gfx1201; GPUs hidden by device rules: 1");
    let seen = Host { gpus: good().gpus, ..hidden };
    assert!(examine(&seen, &surroundings()).iter().all(|finding| finding.level == Level::Good));
}

#[test]
fn a_compute_node_without_the_drivers_list_of_gpus_is_bad() {
    let host = Host { topology: false, gpus: Vec::new(), ..good() };
    let outside = only(&host, &surroundings(), Level::Bad);
    assert_eq!(outside.found, "/dev/kfd is present, but /sys/class/kfd is missing");
    assert!(outside.mend.unwrap().starts_with("the driver is loaded but offers no GPU"));
    let unloaded = only(&Host { driver: false, ..host.clone() }, &surroundings(), Level::Bad);
    assert!(unloaded.mend.unwrap().contains("sudo modprobe amdgpu"));
    let inside = finding(&Host { container: Some("docker"), ..host }, "topology");
    assert_eq!(inside.level, Level::Bad);
    assert!(inside.mend.unwrap().contains("--network host"));
}

#[test]
fn selinux_is_reported_inside_a_container_with_the_boolean_that_allows_computing() {
    let host = Host { selinux_confines: true, ..good() };
    assert!(examine(&host, &surroundings()).iter().all(|finding| finding.level == Level::Good));
    let inside = finding(&Host { container: Some("podman"), ..host }, "selinux");
    assert_eq!(inside.level, Level::Advice);
    assert!(inside.why.unwrap().contains("container_use_devices"));
    assert!(inside.mend.unwrap().starts_with("outside the container: sudo setsebool -P container_use_devices=true"));
}

#[test]
fn a_distributions_older_kernel_that_may_have_the_fix_is_advice() {
    let with = |release: &str| Host {
        kernel: KernelVersion::parse(release),
        kernel_release: Some(release.to_owned()),
        ..good()
    };
    for release in ["6.14.0-1020-oem", "6.17.9-300.fc43", "6.17.0-35-generic"] {
        let finding = only(&with(release), &surroundings(), Level::Advice);
        assert_eq!(finding.found, format!("{release} is older than 6.18.4, but may have its fix"));
    }
    for release in ["6.18.3", "6.18.3-061803-generic", "6.17.9-arch1-1", "6.14.0-1017-oem"] {
        let finding = only(&with(release), &surroundings(), Level::Bad);
        assert!(finding.mend.unwrap().contains("6.18.4 or more, or Ubuntu's 6.14.0-1018-oem"), "{release}");
    }
    for release in ["6.18.9-200.fc43", "7.0.0-38-generic", "7.2.2"] {
        assert_eq!(finding(&with(release), "kernel").level, Level::Good, "{release}");
    }
}

/// A kernel is in two ranges: its distribution may have mended the one, and no version is good for the other.
#[test]
fn every_advisory_about_a_kernel_is_reported_and_the_worst_counts() {
    let mut hopeless = surroundings().advisories.into_iter().find(|one| one.about == Software::Linux).unwrap();
    (hopeless.id, hopeless.what) = ("linux-hopeless".to_owned(), "the GPU resets".to_owned());
    (hopeless.until, hopeless.kernels) = (None, None);
    let mut with = surroundings();
    with.advisories.push(hopeless);
    let release = "6.14.0-1020-oem";
    let host = Host { kernel: KernelVersion::parse(release), kernel_release: Some(release.to_owned()), ..good() };
    let found = examine(&host, &with);
    let kernel: Vec<&Finding> = found.iter().filter(|finding| finding.check == "kernel").collect();
    assert_eq!(kernel.iter().map(|finding| finding.level).collect::<Vec<_>>(), [Level::Bad, Level::Advice]);
    assert!(kernel[0].why.as_ref().unwrap().contains("the GPU resets"), "{kernel:#?}");
    assert!(kernel[1].found.ends_with("may have its fix"), "{kernel:#?}");
}

#[test]
fn every_advisory_about_a_firmware_is_a_reason() {
    let mut second = surroundings().advisories.into_iter().find(|one| one.about == Software::Firmware).unwrap();
    (second.id, second.what) = ("firmware-second".to_owned(), "the screen flickers".to_owned());
    let mut with = surroundings();
    with.advisories.push(second);
    let host = Host { firmware: Some("20251125".to_owned()), ..good() };
    let why = only(&host, &with, Level::Bad).why.unwrap();
    assert!(why.contains("computing crashes") && why.contains("the screen flickers"), "{why}");
}

#[test]
fn half_of_a_large_memory_is_little() {
    let half = Memory { gtt: Some(62 * GIB), ttm_limit: Some(62 * GIB), ..good().memory };
    let finding = only(&Host { memory: half, ..good() }, &surroundings(), Level::Advice);
    assert_eq!(finding.found, "the GPU may use 66.6 GB of 134 GB");
    // 121 GiB in pages.
    assert!(finding.mend.unwrap().contains("ttm.pages_limit=31719424 ttm.page_pool_size=31719424"));
    let small = Memory { total: Some(30 * GIB), gtt: Some(15 * GIB), ..half };
    assert!(examine(&Host { memory: small, ..good() }, &surroundings()).iter().all(|f| f.level == Level::Good));
    let aside = Memory { total: Some(31 * GIB), vram: Some(96 * GIB), gtt: Some(16 * GIB), ttm_limit: None };
    assert_eq!(only(&Host { memory: aside, ..good() }, &surroundings(), Level::Advice).check, "vram");
}

#[test]
fn parameters_that_contradict_each_other_are_reported() {
    let with = |line: &str| Host { kernel_parameters: line.split(' ').map(str::to_owned).collect(), ..good() };
    let finding = only(&with("amdgpu.gttsize=65536 ttm.pages_limit=31719424"), &surroundings(), Level::Advice);
    assert_eq!(finding.why.as_deref(), Some("the two set 68.7 GB and 130 GB, and the smaller one wins"));
    for line in ["amdgpu.gttsize=120G", "ttm.pages_limit=", "ttm.pages_limit=18446744073709551615"] {
        assert_eq!(only(&with(line), &surroundings(), Level::Bad).check, "amdgpu", "{line}");
    }
    for line in ["amdgpu.gttsize=-1", "amdgpu.gttsize=4 amdgpu.gttsize=123904 ttm.pages_limit=31719424", "quiet"] {
        let findings = examine(&with(line), &surroundings());
        assert!(findings.iter().all(|finding| finding.level == Level::Good), "{line}: {findings:#?}");
    }
}

#[test]
fn the_reason_for_a_missing_sandbox_is_reported() {
    let refused = || Surroundings { sandbox: Some(Err(Error::failure("no bwrap"))), ..surroundings() };
    for (setting, value, mend) in [
        ("user/max_user_namespaces", 0, "user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", 0, "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", 1, "bwrap-userns-restrict"),
    ] {
        let host = Host { settings: [(setting, value)].into(), ..good() };
        let finding = only(&host, &refused(), Level::Bad);
        assert!(finding.mend.as_ref().unwrap().contains(mend), "{finding:#?}");
    }
    assert_eq!(only(&good(), &refused(), Level::Bad).mend.unwrap(), "sudo apt-get install bubblewrap");
}

#[test]
fn a_proc_that_is_partly_covered_is_the_reason_where_there_is_no_sandbox() {
    let refused = Surroundings { sandbox: Some(Err(Error::failure("no bwrap"))), ..surroundings() };
    let covered = |container| Host { covered: vec!["/proc/kcore".to_owned()], container, ..good() };
    let finding = only(&covered(None), &refused, Level::Bad);
    assert!(finding.found.starts_with("/proc is partly covered (/proc/kcore)"), "{finding:#?}");
    let inside = examine(&covered(Some("docker")), &refused).into_iter().find(|finding| finding.check == "sandbox");
    let mend = inside.unwrap().mend.unwrap();
    assert!(mend.contains("systempaths=unconfined") && !mend.contains("podman"), "{mend}");
    assert!(examine(&covered(None), &surroundings()).iter().all(|finding| finding.level == Level::Good));
}

#[test]
fn servers_are_named_and_one_of_several_is_enough() {
    let server = |name: &str, inputs: &[&str], answer| Server {
        name: name.to_owned(),
        inputs: inputs.iter().map(|name| (*name).to_owned()).collect(),
        answer,
    };
    let down = || Some(Err(Error::failure("no answer in 5 s")));
    let with = |servers| Surroundings { network: Some(Network::Asked(servers)), ..surroundings() };
    let finding =
        only(&good(), &with(vec![server("a", &["rocm"], down()), server("b", &["git"], Some(Ok(())))]), Level::Bad);
    assert_eq!(finding.found, "a does not answer: no answer in 5 s");
    assert!(finding.why.unwrap().starts_with("`update` asks it for rocm; "));
    let two =
        vec![server("a", &["rocm"], down()), server("b", &["rocm"], Some(Ok(()))), server("git@c:d", &["e"], None)];
    only(&good(), &with(two), Level::Advice);
    let offline = Surroundings { network: Some(Network::Offline), ..surroundings() };
    assert_eq!(only(&good(), &offline, Level::Advice).check, "network");
}

#[test]
fn podman_alone_is_enough_only_where_there_is_a_sysroot() {
    let with = |outputs: Option<&[&str]>| Surroundings {
        sandbox: Some(Ok(Engine::Podman)),
        without_sysroot: outputs.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        ..surroundings()
    };
    let found = |surroundings| {
        let findings = examine(&good(), &surroundings);
        let finding = findings.into_iter().find(|finding| finding.check == "sandbox").unwrap();
        (finding.level, finding.found)
    };
    let enough = "podman works, and every build of the manifest has the sysroot that it needs";
    assert_eq!(found(with(Some(&[]))), (Level::Good, enough.to_owned()));
    let unknown = "podman works for builds with a sysroot; others need bubblewrap, which does not work here";
    assert_eq!(found(with(None)), (Level::Good, unknown.to_owned()));
    let finding = only(&good(), &with(Some(&["llama", "other"])), Level::Bad);
    assert_eq!(
        finding.found,
        "only podman works, which needs a sysroot; outputs of the manifest without one: `llama`, `other`"
    );
    assert_eq!(
        finding.mend.unwrap(),
        "add a `sysroot` to the output in the manifest, as `strixlock init` writes it; or sudo apt-get install \
         bubblewrap"
    );
    let refused = Host { settings: [("kernel/apparmor_restrict_unprivileged_userns", 1)].into(), ..good() };
    let finding = only(&refused, &with(Some(&["llama"])), Level::Bad);
    assert!(finding.mend.unwrap().contains("; or sudo apt-get install apparmor-profiles && "));
}

#[test]
fn a_full_disk_is_reported() {
    let with = |free| Surroundings { disk: Some(Disk { store: "/s".into(), free }), ..surroundings() };
    only(&good(), &with(14_000_000_000), Level::Bad);
    only(&good(), &with(20_000_000_000), Level::Advice);
}

#[test]
fn proxies_are_shown_without_passwords() {
    let with = |pairs: &[(&str, &str)]| Surroundings {
        proxies: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..surroundings()
    };
    let findings = examine(&good(), &with(&[("https_proxy", "http://me:secret@proxy.lan:3128"), ("no_proxy", "x")]));
    let last = findings.last().unwrap();
    assert_eq!((last.level, last.found.as_str()), (Level::Good, "https_proxy: http://proxy.lan:3128/"));
    for wrong in ["http://", "gopher://proxy", "me:secret@ :1"] {
        let finding = only(&good(), &with(&[("http_proxy", wrong)]), Level::Bad);
        assert!(!format!("{finding:?}").contains("secret"));
    }
    only(&good(), &with(&[("HTTP_PROXY", "http://a"), ("http_proxy", "http://b")]), Level::Advice);
}

#[test]
fn missing_keys_are_bad_and_equal_answers_share_a_line() {
    let place = |place: &KeyPlace| Ok(place.clone());
    let (here, archive) = (KeyPlace::Keyrings("/k/u.gpg".to_owned()), KeyPlace::Archive(vec!["F6EC".to_owned()]));
    let with = |keys: &[(&str, Result<KeyPlace, Error>)]| Surroundings {
        keys: keys.iter().map(|(name, place)| ((*name).to_owned(), place.clone())).collect(),
        ..surroundings()
    };
    let good_ones =
        with(&[("a", place(&here)), ("b", place(&archive)), ("c", place(&here)), ("d", Ok(KeyPlace::Unsigned))]);
    let found = examine(&good(), &good_ones);
    let keys: Vec<&str> = found.iter().filter(|one| one.check == "keys").map(|one| one.found.as_str()).collect();
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[0], "a, c: /k/u.gpg");
    assert!(keys[1].starts_with("b: F6EC, to be taken from the archive by `strixlock update`"), "{keys:?}");
    assert!(found.iter().all(|one| one.level == Level::Good));
    let missing = Error::new(crate::error::Kind::NotFound, "no keys").hint("name some");
    let finding = only(&good(), &with(&[("a", Err(missing.clone())), ("b", Err(missing))]), Level::Bad);
    assert_eq!((finding.found.as_str(), finding.mend.as_deref()), ("a, b: no keys", Some("name some")));
}

#[test]
fn programs_are_missed_only_where_builds_use_the_host_s() {
    let with = |outputs: &[&str], missing: &[(&'static str, &'static str)]| Surroundings {
        without_sysroot: Some(outputs.iter().map(|name| (*name).to_owned()).collect()),
        missing_programs: missing.to_vec(),
        ..surroundings()
    };
    let found =
        |surroundings: &Surroundings| examine(&good(), surroundings).into_iter().find(|one| one.check == "programs");
    assert_eq!(found(&with(&[], &[])), None);
    assert_eq!(found(&with(&["llama"], &[])).unwrap().level, Level::Good);
    let missing = with(&["llama"], &[("cmake", "cmake"), ("ninja", "ninja-build")]);
    let finding = only(&good(), &missing, Level::Bad);
    assert_eq!(finding.found, "missing from /usr/bin: cmake, ninja");
    assert_eq!(finding.mend.unwrap(), "sudo apt-get install cmake ninja-build");
    let arch = Host { distribution: Distribution::Arch, ..good() };
    let finding = only(&arch, &missing, Level::Bad);
    assert!(finding.mend.unwrap().starts_with("install cmake, ninja, or add a `sysroot`"));
}

#[test]
fn a_clone_without_the_merge_driver_is_told_the_command_for_it() {
    let with = |is_named, has_command| Surroundings {
        merge_driver: Some(MergeDriver { is_named, has_command }),
        ..surroundings()
    };
    let git = |surroundings: &Surroundings| {
        let found = examine(&good(), surroundings).into_iter().find(|finding| finding.check == "git");
        found.map(|finding| (finding.level, finding.mend.unwrap_or_default()))
    };
    assert_eq!(git(&surroundings()), None);
    assert_eq!(git(&with(true, true)), Some((Level::Good, String::new())));
    let (level, command) = git(&with(true, false)).unwrap();
    assert!(level == Level::Advice && command.starts_with("git config merge.strixlock.driver "), "{command}");
    let (level, line) = git(&with(false, true)).unwrap();
    assert!(level == Level::Advice && line.contains("`/lock/*.lock merge=strixlock`"), "{line}");
}
