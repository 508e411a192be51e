//! `archive = "host"`: what this machine's own apt is configured to take.

use strixlock_demo::debs::{DebArchive, Key, Package, Signed};

use super::{manifest, now};
use crate::support::{Project, Ran};

/// A machine whose apt reads the configuration in a directory of the project.
struct Machine {
    project: Project,
}

impl Machine {
    /// With an archive in suite `demo` that has what is usual, and one in suite `next` with a newer `hello`.
    fn new() -> Self {
        let project = Project::empty();
        let server = project.upstream().server();
        let usual = DebArchive::new(now() - 3600);
        usual.serve(server, "/debian").unwrap();
        let packages = vec![Package::new("hello", "9.0-1", &[])];
        DebArchive { suite: "next".to_owned(), packages, ..DebArchive::new(now() - 3600) }
            .serve(server, "/next")
            .unwrap();
        let script = format!("#!/bin/sh\necho 'Dir \"{}\";'\n", project.path("machine").display());
        project.program("bin/apt-config", &script);
        let machine = Self { project };
        machine.write("key.gpg", &Key::new(1).keyring().unwrap());
        machine
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.project.path("machine/etc/apt").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Writes sources.list: `[U]` is the server, `[K]` names the key.
    fn sources(&self, text: &str) {
        let key = format!("signed-by={}", self.project.path("machine/etc/apt/key.gpg").display());
        let text = text.replace("[U]", self.project.base().trim_end_matches('/')).replace("[K]", &key);
        self.write("sources.list", text.as_bytes());
    }

    fn update(&self, packages: &[&str], lines: &str, code: i32) -> Ran {
        let lines = format!("archive = \"host\"\n#key\n{lines}");
        manifest(&self.project, packages, &lines);
        let text = self.project.read("manifests/strix.toml").replace("suite = \"demo\"\n", "");
        self.project.write("manifests/strix.toml", &text);
        let _ = std::fs::remove_file(self.project.path("lock/strix.lock"));
        let mut command = self.project.command(&["update"]);
        self.project.finish(command.env("PATH", self.project.search_path()).output().unwrap()).code(code)
    }

    fn hello(&self) -> String {
        let lock: serde_json::Value = serde_json::from_str(&self.project.lock()).unwrap();
        let packages = lock["inputs"]["sysroot"]["locked"]["packages"].as_array().unwrap();
        let hello = packages.iter().find(|one| one["name"] == "hello").unwrap();
        hello["version"].as_str().unwrap().to_owned()
    }
}

#[test]
fn what_apt_takes_is_taken_and_pins_count() {
    let machine = Machine::new();
    machine.sources("deb [[K]] [U]/debian demo main\n".replace("[[K]]", "[ [K] ]").as_str());
    assert_eq!(machine.update(&["hello"], "", 0).stderr, "");
    assert_eq!(machine.hello(), "2.10-3");
    machine.sources("deb [ [K] ] [U]/debian demo main\ndeb [ [K] ] [U]/next next main\n");
    machine.update(&["hello"], "", 0);
    assert_eq!(machine.hello(), "9.0-1");
    for (pin, version) in [
        ("Package: *\nPin: release n=demo\nPin-Priority: 990\n", "2.10-3"),
        ("Package: hello\nPin: release n=next\nPin-Priority: 100\n", "2.10-3"),
        ("Package: hel*\nPin: version 9*\nPin-Priority: -1\n", "2.10-3"),
        ("Package: hello\nPin: release n=demo\nPin-Priority: 400\n", "9.0-1"),
    ] {
        machine.write("preferences.d/pin", pin.as_bytes());
        machine.update(&["hello"], "", 0);
        assert_eq!(machine.hello(), version, "{pin}");
    }
    machine.write("preferences.d/pin", b"Package: hello\nPin: release *\nPin-Priority: -1\n");
    insta::assert_snapshot!(machine.update(&["hello"], "", 9).stderr, @r#"
    error: sysroot: the preferences of apt forbid every version of `hello`
    hint: change the pin in /etc/apt/preferences.d, or name the archive by its URL in the manifest
    "#);
    machine.write("preferences.d/pin", b"Package: /^hello/\nPin: release *\nPin-Priority: -1\n");
    let ran = machine.update(&["hello"], "", 3);
    assert!(
        ran.stderr.contains("a pin of apt's preferences is not supported: it is a regular expression"),
        "{}",
        ran.all()
    );
}

#[test]
fn what_is_left_out_is_told_and_stands_in_the_error() {
    let machine = Machine::new();
    machine.sources("deb [ [K] snapshot=20261101T000000Z ] [U]/debian demo main\n");
    insta::assert_snapshot!(machine.update(&["hello"], "", 9).stderr, @r#"
    error: sysroot: this machine's apt configuration has no matching archive
      it has    no usable archive
      left out  suite demo of the apt configuration is left out: its option `snapshot=20261101T000000Z` is not followed: name the URL of that snapshot as `archive` in the manifest
    hint: name an archive by its URL, and its suites, in the manifest
    "#);
    machine
        .sources("deb [ [K] snapshot=20261101T000000Z ] [U]/debian demo main\ndeb [ [K] ] [U]/next next main gone\n");
    let told = machine.update(&["hello"], "", 0).stderr;
    assert!(
        told.contains("warning: sysroot: suite demo of the apt configuration is left out: its option `snapshot="),
        "{told}"
    );
    assert!(told.contains("warning: sysroot: the suite `next` has no component `gone` for amd64"), "{told}");
    let told = machine.update(&["gcc"], "", 9).stderr;
    assert!(told.contains("the archive has no package `gcc`") && told.contains("left out  suite demo"), "{told}");
    // A component that the manifest names is wanted.
    machine.update(&["hello"], "components = [\"gone\"]", 9);
    machine.update(&["hello"], "suites = [\"other\"]", 9);
}

#[test]
fn options_of_a_source_count_for_it_alone() {
    let machine = Machine::new();
    let server = machine.project.upstream().server();
    let old = DebArchive { valid_until: Some(now() - 1000), ..DebArchive::new(now() - 3600) };
    old.serve(server, "/old").unwrap();
    machine.sources("deb [ [K] ] [U]/old demo main\n");
    machine.update(&["hello"], "", 5);
    machine.sources("deb [ [K] check-valid-until=no ] [U]/old demo main\n");
    machine.update(&["hello"], "", 0);
    // The word of apt's configuration and the word of the manifest, both, for an archive that nobody signed.
    let unsigned = DebArchive { signed: Signed::Not, ..DebArchive::new(now() - 3600) };
    unsigned.serve(server, "/unsigned").unwrap();
    machine.sources("deb [ [K] ] [U]/next next main\ndeb [ trusted=yes ] [U]/unsigned demo main\n");
    let told = machine.update(&["hello"], "", 0).stderr;
    assert!(told.contains("its `trusted=yes` is followed only with `unsigned = true` in the manifest"), "{told}");
    let told = machine.update(&["gcc"], "", 9).stderr;
    assert!(told.contains("left out  suite demo of the apt configuration"), "{told}");
    machine.update(&["gcc"], "unsigned = true", 0);
    machine.sources("deb [ [K] ] [U]/unsigned demo main\n");
    machine.update(&["gcc"], "unsigned = true", 5);
}

#[test]
fn a_list_of_mirrors_is_followed() {
    let machine = Machine::new();
    let mirrors = format!("{0}gone\tpriority:1\n{0}debian\tpriority:2\n", machine.project.base());
    machine.write("mirrors.txt", mirrors.as_bytes());
    let list = machine.project.path("machine/etc/apt/mirrors.txt");
    machine.sources(&format!("deb [ [K] ] mirror+file:{} demo main\n", list.display()));
    let ran = machine.update(&["hello"], "", 0);
    assert!(ran.stderr.contains("an archive is skipped: the archive has no such suite"), "{}", ran.all());
    assert!(machine.project.lock().contains("/debian\""), "{}", machine.project.lock());
}

#[test]
fn proxies_and_logins_of_apt_are_named_with_what_to_set_instead() {
    let machine = Machine::new();
    let conf = |more: &str| {
        let script = format!("#!/bin/sh\necho 'Dir \"{}\";'\n{more}", machine.project.path("machine").display());
        machine.project.program("bin/apt-config", &script);
    };
    machine.sources("deb [ [K] ] [U]/debian demo main\n");
    conf("echo 'Acquire::http::Proxy \"http://127.0.0.1:9/\";'\n");
    let host = machine.project.base().trim_start_matches("http://").trim_end_matches('/').to_owned();
    machine.write("auth.conf", format!("machine http://{host}/debian login me password secret\n").as_bytes());
    machine.write("auth.conf.d/other.conf", b"machine elsewhere.example\nlogin me\npassword secret\n");
    let ran = machine.update(&["hello"], "", 0);
    for told in [
        "warning: sysroot: apt's setting `Acquire::http::Proxy` is not followed: set `http_proxy=http://127.0.0.1:9` in the environment\n",
        "warning: sysroot: the login for [UPSTREAM]/debian in [DIR]/project/machine/etc/apt/auth.conf is not followed: put it into ~/.netrc\n",
    ] {
        assert_eq!(ran.stderr.matches(told).count(), 1, "{told} {}", ran.all());
    }
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.all());
    assert!(!ran.all().contains("secret"), "{}", ran.all());
    conf("echo 'Acquire::http::Proxy \"DIRECT\";'\n");
    std::fs::remove_file(machine.project.path("machine/etc/apt/auth.conf")).unwrap();
    assert_eq!(machine.update(&["hello"], "", 0).stderr, "");
}
