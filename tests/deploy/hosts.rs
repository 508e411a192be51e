//! Hosts for deployments: each an sshd of its own on loopback, with another home and another store.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sshd::{self, Relay};
use crate::support::{Project, Ran};

/// Hosts that are reached by `ssh -F` with a configuration of their own.
pub struct Hosts {
    directory: PathBuf,
    names: Vec<&'static str>,
    ports: Vec<u16>,
}

impl Hosts {
    /// Starts an sshd for each of the names. All have strixlock, except for one called `bare`.
    pub fn start(project: &Project, names: &[&'static str]) -> Self {
        let directory = project.directory.path().join("hosts");
        sshd::make_keys(&directory);
        sshd::let_in(&directory);
        let here = directory.display();
        let mut config = format!(
            "Host *\n HostName 127.0.0.1\n IdentityFile {here}/key\n IdentitiesOnly yes\n IdentityAgent none\n \
             UserKnownHostsFile /dev/null\n GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking no\n LogLevel ERROR\n"
        );
        let ports: Vec<u16> = names.iter().map(|name| serve(project, &directory, name)).collect();
        for (name, port) in names.iter().zip(&ports) {
            config = format!("Host {name}\n Port {port}\n{config}");
        }
        std::fs::write(directory.join("config"), config).unwrap();
        Self { directory, names: names.to_vec(), ports }
    }

    /// The command in place of ssh.
    pub fn ssh(&self) -> String {
        format!("ssh -F {}/config", self.directory.display())
    }

    /// Lets connections to a host pass through a relay, which breaks none before what it passed is in a file.
    pub fn relay(&self, host: &str) -> Relay {
        let at = self.names.iter().position(|name| *name == host).unwrap();
        let parts = self.parts(host);
        let relay = Relay::to(self.ports[at], move || files(&parts).iter().map(|part| length(part)).sum());
        let path = self.directory.join("config");
        let config = std::fs::read_to_string(&path).unwrap();
        // The first setting counts.
        std::fs::write(&path, format!("Host {host}\n Port {}\n{config}", relay.port)).unwrap();
        relay
    }

    /// The directory with what a broken transfer left on a host.
    pub fn parts(&self, host: &str) -> PathBuf {
        self.project(host).join("lock/deploy.parts")
    }

    /// Returns the only file in that directory and its length, when nothing writes to it any more.
    pub fn only_part(&self, host: &str) -> (PathBuf, u64) {
        let files = files(&self.parts(host));
        let [part] = files.as_slice() else { panic!("{files:?}") };
        while is_open(part) {
            std::thread::sleep(Duration::from_millis(5));
        }
        (part.clone(), length(part))
    }

    /// Runs `strixlock deploy` to all hosts, validating on the CPU.
    pub fn deploy(&self, project: &Project, options: &[&str]) -> Ran {
        self.deploy_to(project, &self.names, &[&["--device", "cpu"], options].concat())
    }

    pub fn deploy_to(&self, project: &Project, hosts: &[&str], options: &[&str]) -> Ran {
        project.run(&[&["deploy", "--ssh", &self.ssh()], hosts, options].concat())
    }

    /// Runs strixlock on a host, in the directory of the project there.
    pub fn on(&self, project: &Project, host: &str, arguments: &[&str]) -> Ran {
        let mut command = project.command(arguments);
        command.current_dir(self.project(host)).env("HOME", home(&self.directory, host));
        project.finish(command.env("STRIXLOCK_STORE", project.store(host)).output().unwrap())
    }

    /// The project's directory on a host.
    pub fn project(&self, host: &str) -> PathBuf {
        home(&self.directory, host).join("strixlock/project")
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().map(|file| file.unwrap().path()).collect()
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |found| found.len())
}

/// Returns true if a process has the file open.
fn is_open(file: &Path) -> bool {
    let file = std::fs::canonicalize(file).unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().map(|one| one.unwrap().path().join("fd"));
    // Processes end meanwhile.
    let open = processes.filter_map(|fds| std::fs::read_dir(fds).ok()).flatten().flatten();
    open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|target| target == file)
}

fn home(directory: &Path, host: &str) -> PathBuf {
    directory.join(host)
}

/// Serves one host. Returns its port.
fn serve(project: &Project, directory: &Path, name: &str) -> u16 {
    let home = home(directory, name);
    std::fs::create_dir_all(home.join("bin")).unwrap();
    if name != "bare" {
        symlink(env!("CARGO_BIN_EXE_strixlock"), home.join("bin/strixlock")).unwrap();
    }
    let place = home.display();
    // The login directory is that of the account, which all hosts share: the forced command goes to the host's.
    let settings = format!(
        "SetEnv PATH={place}/bin:{} HOME={place} STRIXLOCK_STORE={} STRIXLOCK_COMPILE_CACHE=off\n\
         ForceCommand cd {place} && exec sh -c \"$SSH_ORIGINAL_COMMAND\"",
        std::env::var("PATH").unwrap(),
        project.store(name).display()
    );
    sshd::serve(directory, name, &settings)
}
