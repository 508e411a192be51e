//! The key to sign with: a file, git's setting, an agent, a passphrase.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use strixlock::parts::SigningKey;
use strixlock_ground::error::{Kind, Result};

use super::{Desk, statement};

/// An `ssh-agent`, which is ended with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns git's key, with these settings.
fn of_git(settings: &[(&str, &str)]) -> Result<Option<SigningKey>> {
    let setting = |name: &str| {
        let found = settings.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, value)| (*value).to_owned()))
    };
    SigningKey::of_git(setting, |path: &Path| Ok::<PathBuf, String>(path.to_path_buf()))
}

/// Writes a program that sets variables and then becomes `ssh-keygen`.
fn program(desk: &Desk, variables: &str) -> String {
    let path = desk.path("keygen");
    let script = format!("#!/bin/sh\n{variables} exec ssh-keygen \"$@\"\n");
    // Another process writes it: no child of another test's thread can hold it open while it is to be run.
    let mut sh = Command::new("sh");
    sh.args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", &script]).arg(&path);
    assert!(sh.status().unwrap().success());
    path.display().to_string()
}

#[test]
fn git_says_which_key_signs_if_it_signs_with_ssh() {
    let desk = Desk::new();
    desk.trusted_key("ann");
    let path = desk.path("ann").display().to_string();
    assert!(of_git(&[("user.signingkey", &path)]).unwrap().is_none());
    assert!(of_git(&[("user.signingkey", "0xABCD"), ("gpg.format", "openpgp")]).unwrap().is_none());
    assert!(of_git(&[("gpg.format", "ssh")]).unwrap().is_none());
    let key = of_git(&[("user.signingkey", &path), ("gpg.format", "ssh")]).unwrap().unwrap();
    let (bytes, signature) = statement().sign(&key).unwrap();
    assert_eq!(desk.check(&bytes, signature.as_bytes()).unwrap().fingerprint, key.public().unwrap().fingerprint());
}

#[test]
fn an_agent_signs_where_only_the_public_half_is_here() {
    let desk = Desk::new();
    let key = desk.trusted_key("ann");
    let socket = desk.path("agent").display().to_string();
    let mut agent = Command::new("ssh-agent");
    let mut agent = Agent(agent.args(["-D", "-a", &socket]).stdout(Stdio::piped()).spawn().unwrap());
    // It prints its address once it listens there.
    let mut line = String::new();
    BufReader::new(agent.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(&socket), "{line}");
    let mut add = Command::new("ssh-add");
    add.env("SSH_AUTH_SOCK", &socket).arg("-q").arg(desk.path("ann"));
    assert!(add.status().unwrap().success());
    std::fs::remove_file(desk.path("ann")).unwrap();
    let program = program(&desk, &format!("SSH_AUTH_SOCK={socket}"));
    let file = desk.path("ann.pub").display().to_string();
    for written in [&file, &key, &format!("key::{key}")] {
        let settings = [("user.signingkey", written.as_str()), ("gpg.format", "ssh"), ("gpg.ssh.program", &program)];
        let signer = of_git(&settings).unwrap().unwrap();
        let (bytes, signature) = statement().sign(&signer).unwrap();
        assert_eq!(desk.check(&bytes, signature.as_bytes()).unwrap().signer, "ann");
        assert!(signer.public().unwrap().to_string().starts_with("ssh-ed25519 AAAA"));
    }
    drop(agent);
}

#[test]
fn a_passphrase_is_asked_for_by_ssh_keygen() {
    let desk = Desk::new();
    let key = desk.key("ann", "ed25519", "256", "open sesame");
    desk.trust(&format!("ann {key}\n"));
    let ask = desk.write("ask", "#!/bin/sh\necho open sesame\n");
    std::fs::set_permissions(&ask, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let sign = |variables: &str| {
        let (program, path) = (program(&desk, variables), desk.path("ann").display().to_string());
        let settings = [("user.signingkey", path.as_str()), ("gpg.format", "ssh"), ("gpg.ssh.program", &program)];
        statement().sign(&of_git(&settings).unwrap().unwrap())
    };
    let (bytes, signature) = sign(&format!("SSH_ASKPASS={} SSH_ASKPASS_REQUIRE=force", ask.display())).unwrap();
    assert_eq!(desk.check(&bytes, signature.as_bytes()).unwrap().signer, "ann");
    // Nobody who could be asked: the error has what ssh-keygen says, and nothing waits.
    let error = sign("SSH_ASKPASS=/bin/false SSH_ASKPASS_REQUIRE=force").unwrap_err().to_string();
    assert!(error.contains("did not sign") && error.contains("passphrase"), "{error}");
}

#[test]
fn keys_and_programs_that_are_missing_are_named() {
    let desk = Desk::new();
    let missing = statement().sign(&SigningKey::file(desk.path("nobody"))).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    assert!(missing.to_string().contains("nobody"), "{missing}");
    desk.key("ann", "ed25519", "256", "");
    let path = desk.path("ann").display().to_string();
    let with = |program: &str| {
        let settings = [("user.signingkey", path.as_str()), ("gpg.format", "ssh"), ("gpg.ssh.program", program)];
        statement().sign(&of_git(&settings).unwrap().unwrap()).unwrap_err()
    };
    assert_eq!(with("/nonexistent/ssh-keygen").kind(), Kind::Unfit);
    // A program that says nothing, and one that returns what is no signature.
    assert!(with("/bin/true").to_string().contains("did not sign"));
    assert!(with("/bin/echo").to_string().contains("did not sign"));
    let not_a_key = desk.write("text", "no key");
    let error = statement().sign(&SigningKey::file(not_a_key)).unwrap_err().to_string();
    assert!(error.contains("did not sign"), "{error}");
}
