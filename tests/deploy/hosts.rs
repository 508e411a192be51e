//! Hosts for deployments: each an sshd of its own on loopback, with another home and another store.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::sshd;
use crate::support::{Project, Ran};

/// Hosts that are reached by `ssh -F` with a configuration of their own.
pub struct Hosts {
    directory: PathBuf,
    names: Vec<&'static str>,
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
        for name in names {
            let port = serve(project, &directory, name);
            config = format!("Host {name}\n Port {port}\n{config}");
        }
        std::fs::write(directory.join("config"), config).unwrap();
        Self { directory, names: names.to_vec() }
    }

    /// The command in place of ssh.
    pub fn ssh(&self) -> String {
        format!("ssh -F {}/config", self.directory.display())
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
