//! Hosts for deployments: each an sshd of its own on loopback, with another home and another store.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
        std::fs::create_dir(&directory).unwrap();
        for key in ["host", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(key));
            assert!(keygen.status().unwrap().success());
        }
        std::fs::copy(directory.join("key.pub"), directory.join("authorized_keys")).unwrap();
        // As root it wants a directory that its package's service makes.
        let _ = std::fs::create_dir("/run/sshd");
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
    let (here, place) = (directory.display(), home.display());
    // The login directory is that of the account, which all hosts share: the forced command goes to the host's.
    let text = format!(
        "HostKey {here}/host\nAuthorizedKeysFile {here}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n\
         SetEnv PATH={place}/bin:{} HOME={place} STRIXLOCK_STORE={} STRIXLOCK_COMPILE_CACHE=off\n\
         ForceCommand cd {place} && exec sh -c \"$SSH_ORIGINAL_COMMAND\"\n",
        std::env::var("PATH").unwrap(),
        project.store(name).display()
    );
    let config = directory.join(format!("{name}.sshd"));
    std::fs::write(&config, text).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let other = OwnedFd::from(connection.try_clone().unwrap());
            let mut sshd = Command::new("/usr/sbin/sshd");
            sshd.args(["-i", "-e", "-f"]).arg(&config).stdin(Stdio::from(OwnedFd::from(connection)));
            let mut sshd = sshd.stdout(Stdio::from(other)).stderr(Stdio::null()).spawn().unwrap();
            std::thread::spawn(move || sshd.wait());
        }
    });
    port
}
