//! `strixlock doctor`: a made machine, and this one.

use crate::support::{FIRST, Project, REQUIRES, Ran};

/// A machine with an old kernel, bad firmware and no GPU.
fn bad_machine(project: &Project) {
    project.write("machine/proc/sys/kernel/osrelease", "6.17.0-5-generic\n");
    project.write("machine/etc/os-release", "ID=ubuntu\n");
    project.write(
        "machine/var/lib/dpkg/status",
        "Package: linux-firmware\nStatus: install ok installed\nVersion: 20251125.git1-0ubuntu1\n\n",
    );
}

/// The lines of these checks, without those about the machine that runs the test.
fn lines(ran: &Ran, checks: &[&str]) -> String {
    let mut wanted = false;
    let keep = ran.stdout.lines().filter(|line| {
        if !line.starts_with(' ') {
            wanted = line.split_whitespace().nth(1).is_some_and(|check| checks.contains(&check));
        }
        wanted
    });
    keep.collect::<Vec<_>>().join("\n")
}

#[test]
fn problems_are_listed_with_hints_and_an_exit_code() {
    let project = Project::empty();
    bad_machine(&project);
    let ran = project.run(&["doctor", "--root", "machine"]).code(10);
    insta::assert_snapshot!(lines(&ran, &["kernel", "firmware", "kfd", "dri"]), @r"
    problem  kernel      6.17.0-5-generic is older than 6.18.4
                         why   kernels before 6.18.4 are bad on gfx1151: computing crashes or hangs (https://rocm.docs.amd.com/en/latest/reference/system-optimization/rdna3-5.html)
                         hint  sudo apt-get install --install-recommends linux-generic-hwe-24.04, and reboot; then `uname -r` must say 6.18.4 or more, or Ubuntu's 6.14.0-1018-oem, or Ubuntu's 6.17.0-19-generic, or Fedora's 6.17.9
    problem  firmware    linux-firmware 20251125.git1-0ubuntu1
                         why   releases of linux-firmware from 2025-11-25 until 2025-11-26 are bad on gfx1151: computing crashes; good again: linux-firmware 20260110 (https://github.com/kyuz0/amd-strix-halo-toolboxes/issues/69)
                         hint  sudo apt-get update && sudo apt-get install --only-upgrade linux-firmware firmware-amd-graphics, or go back to the release before it; then reboot
    problem  kfd         there is no /dev/kfd
                         why   ROCm computes through /dev/kfd: without it there is no GPU for llama.cpp
                         hint  sudo modprobe amdgpu; if that fails, `sudo dmesg | grep amdgpu` says why
    problem  dri         there is no /dev/dri/renderD*
                         why   ROCm gets the GPU's memory through a render node
                         hint  sudo modprobe amdgpu; if that fails, `sudo dmesg | grep amdgpu` says why
    ");
    let problems = ran.stdout.lines().filter(|line| line.starts_with("problem ")).count();
    assert!(ran.stdout.ends_with(&format!("\n{problems} problems found\n")), "{}", ran.all());
    assert!(!project.store("main").exists(), "looking makes no store");
}

#[test]
fn a_script_gets_the_same_as_json() {
    let project = Project::empty();
    bad_machine(&project);
    let json = project.run(&["doctor", "--json", "--root", "machine"]).code(10).json();
    assert_eq!(json["worst"], "bad");
    assert_eq!(json["findings"][0]["check"], "kernel");
    assert_eq!(json["findings"][0]["level"], "bad");
}

#[test]
fn this_machine_is_judged_without_failing() {
    let project = Project::empty();
    let mut command = project.command(&["doctor", "--json"]);
    command.env("HTTPS_PROXY", "http://me:secret@proxy.example:3128");
    let ran = project.finish(command.output().unwrap());
    assert!([0, 10].contains(&ran.code), "{}", ran.all());
    let proxy = "HTTPS_PROXY: http://proxy.example:3128/";
    let json = ran.json();
    assert!(json["findings"].as_array().unwrap().iter().any(|finding| finding["found"] == proxy), "{}", ran.all());
    assert!(!ran.all().contains("secret"));
}

#[test]
fn the_servers_of_the_inputs_are_asked_and_named() {
    let project = Project::new();
    project.full_manifest(FIRST);
    let host = project.upstream().server().address();
    let ran = project.run(&["doctor"]);
    let line = format!("ok       network     {host} answers (llama-cpp, rocm)");
    assert!(ran.stdout.lines().any(|shown| shown == line), "{}", ran.all());
    let ran = project.run(&["doctor", "--offline"]);
    assert!(
        ran.stdout.contains("advice   network     servers of the inputs were not asked: --offline\n"),
        "{}",
        ran.all()
    );
}

#[test]
fn a_server_that_does_not_answer_is_a_problem_and_keeps_nobody_waiting() {
    let project = Project::empty();
    // It accepts connections and never says anything.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (silent, mute) = (silent.local_addr().unwrap(), silent);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    project.write("strixlock.toml", "window-seconds = 1\n");
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.a]\ntype = \"file\"\nurl = \"http://{silent}/a\"\n[inputs.b]\ntype = \"git\"\n\
             url = \"http://{closed}/b.git\"\n[inputs.c]\ntype = \"git\"\nurl = \"git@host.example:c.git\"\n"
        ),
    );
    let ran = project.run(&["doctor"]).code(10);
    let found = lines(&ran, &["network"]);
    let found: Vec<&str> = found.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(found.len(), 3, "{}", ran.all());
    assert_eq!(found[0], format!("problem  network     {silent} does not answer: no answer in 1 s"));
    assert!(found[1].starts_with(&format!("problem  network     {closed} does not answer: ")), "{found:?}");
    assert!(found[1].contains("Connection refused"), "{found:?}");
    assert_eq!(found[2], "ok       network     git@host.example:c.git was not asked: it is no web server (c)");
    drop(mute);
}
