//! Repositories over ssh: by the user's own ssh and a real sshd, and by programs that stand in for them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::repository::{Made, wanted};
use crate::sshd;
use crate::support::{Project, Ran};

/// An sshd for the user of the tests, and that user's files for ssh.
struct Host {
    directory: PathBuf,
    port: u16,
    user: String,
}

impl Host {
    /// Starts one on loopback, and puts an `ssh` on the project's PATH that reads no files but these.
    fn start(project: &Project) -> Self {
        let directory = project.path("ssh");
        sshd::make_keys(&directory);
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap().trim().to_owned();
        let port = sshd::serve(&directory, "box", &format!("SetEnv PATH={}", std::env::var("PATH").unwrap()));
        let here = directory.display();
        let config = format!(
            "Host box\n HostName 127.0.0.1\n Port {port}\n\
             Host *\n IdentityFile {here}/key\n IdentitiesOnly yes\n IdentityAgent none\n\
             UserKnownHostsFile {here}/known_hosts\n GlobalKnownHostsFile /dev/null\n"
        );
        std::fs::write(directory.join("config"), config).unwrap();
        project.program("bin/ssh", &format!("#!/bin/sh\nexec {} -F {here}/config \"$@\"\n", on_path("ssh").display()));
        Self { directory, port, user }
    }

    fn let_in(&self) {
        sshd::let_in(&self.directory);
    }

    /// Does what the hint says, for a person who answers `yes`.
    fn take_host_key(&self, project: &Project) {
        let mut ssh = Command::new(project.path("bin/ssh"));
        ssh.args(["-o", "StrictHostKeyChecking=accept-new", "-p", &self.port.to_string()]);
        ssh.arg(format!("{}@127.0.0.1", self.user)).arg("true").stderr(Stdio::null()).status().unwrap();
    }
}

/// An address, variables, and how the words begin with which the program is run.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

fn on_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|place| place.join(name)).find(|path| path.is_file()).unwrap()
}

fn update(project: &Project, variables: &[(&str, &str)], code: i32) -> Ran {
    let mut command = project.command(&["update"]);
    command.env("PATH", project.search_path()).envs(variables.iter().copied());
    project.finish(command.output().unwrap()).code(code)
}

fn repository(project: &Project) -> (PathBuf, String) {
    let made = Made::new(project, "/o/r.git");
    let commit = made.commit(made.tree(&[("100644", "a", made.blob(b"content"))]));
    (made.path, commit.to_string())
}

#[test]
fn the_users_ssh_leads_to_repositories_and_its_refusals_are_explained() {
    let project = Project::empty();
    let (path, commit) = repository(&project);
    let host = Host::start(&project);
    let url = format!("ssh://{}@127.0.0.1:{}{}", host.user, host.port, path.display());
    wanted(&project, &url, "");
    let ran = update(&project, &[], 8);
    assert!(ran.stderr.contains("the host key of the ssh server is not known"), "{}", ran.all());
    let by_hand = format!("connect once with `ssh -p {} {}@127.0.0.1`", host.port, host.user);
    assert!(ran.stderr.contains(&by_hand), "{}", ran.all());
    host.take_host_key(&project);
    let ran = update(&project, &[], 8);
    assert!(ran.stderr.contains("accepted none of the offered keys"), "{}", ran.all());
    assert!(ran.stderr.contains("Permission denied (publickey)"), "{}", ran.all());
    host.let_in();
    assert_eq!(update(&project, &[], 0).stderr, "");
    assert!(project.lock().contains(&commit) && project.lock().contains(&url), "{}", project.lock());

    // As scp writes it, by a name of the user's configuration. Host keys are kept by the host's own name there.
    let mut known = std::fs::read_to_string(host.directory.join("known_hosts")).unwrap();
    known.push_str(&known.replace("127.0.0.1", "box"));
    std::fs::write(host.directory.join("known_hosts"), known).unwrap();
    for address in [format!("{}@box:{}", host.user, path.display()), format!("ssh://box{}", path.display())] {
        wanted(&project, &address, "");
        update(&project, &[], 0);
        assert!(project.lock().contains(&address), "{}", project.lock());
    }
    wanted(&project, &format!("{url}.gone"), "");
    let ran = update(&project, &[], 9);
    assert!(ran.stderr.contains("there is no git repository at this address"), "{}", ran.all());
    assert!(ran.stderr.contains("does not appear to be a git repository"), "{}", ran.all());
}

#[test]
fn another_host_key_than_the_known_one_is_refused() {
    let project = Project::empty();
    let (path, _) = repository(&project);
    let host = Host::start(&project);
    host.let_in();
    host.take_host_key(&project);
    let other = std::fs::read_to_string(host.directory.join("key.pub")).unwrap();
    let other: Vec<&str> = other.split(' ').collect();
    let line = format!("[127.0.0.1]:{} {} {}\n", host.port, other[0], other[1]);
    std::fs::write(host.directory.join("known_hosts"), line).unwrap();
    wanted(&project, &format!("ssh://{}@127.0.0.1:{}{}", host.user, host.port, path.display()), "");
    let ran = update(&project, &[], 8);
    assert!(ran.stderr.contains("host key differs from the known one"), "{}", ran.all());
    assert!(ran.stderr.contains(&format!("ssh-keygen -R '[127.0.0.1]:{}'", host.port)), "{}", ran.all());
}

#[test]
fn the_program_is_chosen_as_git_chooses_it() {
    let project = Project::empty();
    let (path, commit) = repository(&project);
    let log = project.path("log");
    // It notes the words that it was given, and runs the command here.
    let stand_in = |name: &str, options: &str| {
        let script = format!(
            "#!/bin/sh\nprintf '%s ' {name} \"$@\" >> {log}\necho >> {log}\n{options}\nfor last; do :; done\n\
             exec sh -c \"$last\"\n",
            log = log.display()
        );
        project.program(name, &script).display().to_string()
    };
    let said = || {
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        text.replace(path.to_str().unwrap(), "PATH")
    };
    // It knows the options of OpenSSH, and says so; the other one does not.
    let open = stand_in("open", "case \" $* \" in *' -G '*) exit 0 ;; esac");
    let simple = stand_in("simple", "case \" $* \" in *' -G '*) exit 1 ;; esac");
    let with_port = format!("ssh://git@h.example:2222{}", path.display());
    let without_port = format!("git@h.example:{}", path.display());
    let cases: &[Case] = &[
        (&with_port, &[("GIT_SSH_COMMAND", &format!("{open} -i 'a key'"))], "open -i a key -G host"),
        (&with_port, &[("GIT_SSH", &open), ("GIT_SSH_VARIANT", "plink")], "open -batch -P 2222 git@h.example"),
        (&without_port, &[("GIT_SSH_COMMAND", &simple)], "simple -G host"),
        (&without_port, &[("GIT_SSH", &simple), ("GIT_SSH_VARIANT", "simple")], "simple git@h.example"),
    ];
    for (url, variables, first) in cases {
        wanted(&project, url, "");
        update(&project, variables, 0);
        let said = said();
        assert!(said.starts_with(first), "{said}");
        assert!(said.contains(" git@h.example git-upload-pack 'PATH' \n"), "{said}");
        assert!(project.lock().contains(&commit) && project.lock().contains(*url), "{}", project.lock());
    }
    wanted(&project, &with_port, "");
    update(&project, &[("GIT_SSH_COMMAND", &open)], 0);
    assert!(said().contains("open -o BatchMode=yes -p 2222 git@h.example git-upload-pack 'PATH' \n"));
    let ran = update(&project, &[("GIT_SSH_COMMAND", &simple)], 8);
    assert!(ran.stderr.contains("takes no port") && ran.stderr.contains("GIT_SSH_VARIANT=ssh"), "{}", ran.all());
    // The hint works, and the user's configuration counts where no variable does.
    update(&project, &[("GIT_SSH_COMMAND", &simple), ("GIT_SSH_VARIANT", "ssh")], 0);
    let home = project.directory.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join(".gitconfig"), format!("[core]\nsshCommand = {open}\n[ssh]\nvariant = ssh\n")).unwrap();
    said();
    update(&project, &[], 0);
    assert!(said().starts_with("open -o BatchMode=yes -p 2222 "));
}

#[test]
fn a_missing_program_is_named_with_what_to_install() {
    let project = Project::empty();
    let update = |url: &str, variables: &[(&str, &str)]| {
        wanted(&project, url, "");
        let mut command = project.command(&["update"]);
        command.env("PATH", "/nowhere").envs(variables.iter().copied());
        project.finish(command.output().unwrap()).code(8).stderr
    };
    let ssh = update("git@h.example:r", &[]);
    assert!(ssh.contains("reached by ssh, which is not installed") && ssh.contains("openssh-client"), "{ssh}");
    let git = update("file:///srv/r", &[]);
    assert!(
        git.contains("git is not installed; it is needed to read a repository") && git.contains("apt install git"),
        "{git}"
    );
    let mut command = project.command(&["update"]);
    wanted(&project, "git@h.example:r", "");
    command.env("GIT_SSH_COMMAND", "/nowhere/myssh");
    let ran = project.finish(command.output().unwrap()).code(8);
    assert!(ran.stderr.contains("GIT_SSH_COMMAND names `/nowhere/myssh`"), "{}", ran.all());
}

#[test]
fn without_a_network_ssh_is_not_run() {
    let project = Project::empty();
    let (path, _) = repository(&project);
    wanted(&project, &format!("git@h.example:{}", path.display()), "");
    let canary = project.path("canary");
    let program = project.program("ssh", &format!("#!/bin/sh\ntouch {}\n", canary.display()));
    let mut command = project.command(&["update", "--offline"]);
    command.env("GIT_SSH", &program);
    let ran = project.finish(command.output().unwrap()).code(8);
    assert!(ran.stderr.contains("--offline forbids the network"), "{}", ran.all());
    assert!(!Path::new(&canary).exists());
}
