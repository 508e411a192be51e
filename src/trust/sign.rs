//! Signing with the user's SSH key, by the user's `ssh-keygen`, as git does it with `gpg.format = ssh`.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::key::PublicKey;
use super::signature::Signature;
use super::{NAMESPACE, public_keys};
use crate::error::{Error, Kind, Result};
use crate::log::running;
use crate::text::last_line;

/// The usual program.
const PROGRAM: &str = "ssh-keygen";

/// A key to sign with.
#[derive(Debug, Clone)]
pub struct SigningKey {
    place: Place,
    program: String,
}

/// The place of a key.
#[derive(Debug, Clone)]
enum Place {
    /// A private key, or a public one whose private half an agent has.
    File(PathBuf),
    /// A public key whose private half an agent has.
    Agent(String),
}

impl SigningKey {
    /// Returns the key of a file.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self { place: Place::File(path), program: PROGRAM.to_owned() }
    }

    /// Returns the key that git signs with: `user.signingkey`, if `gpg.format` is `ssh`. `setting` returns a setting of
    /// git, `expand` replaces `~` in a path.
    pub fn of_git(
        setting: impl Fn(&str) -> Result<Option<String>>,
        expand: impl Fn(&Path) -> Result<PathBuf, String>,
    ) -> Result<Option<Self>> {
        let (Some(key), Some("ssh")) = (setting("user.signingkey")?, setting("gpg.format")?.as_deref()) else {
            return Ok(None);
        };
        let place = match key.strip_prefix("key::") {
            Some(key) => Place::Agent(key.to_owned()),
            None if key.starts_with("ssh-") => Place::Agent(key),
            None => Place::File(expand(Path::new(&key)).map_err(|fault| {
                Error::new(Kind::Invalid, "invalid path in git's `user.signingkey`").fact("path", &key).hint(fault)
            })?),
        };
        let program = setting("gpg.ssh.program")?.unwrap_or_else(|| PROGRAM.to_owned());
        Ok(Some(Self { place, program }))
    }

    /// Returns the public half: that of the agent's key, of the file, or of the file beside it with `.pub`.
    pub fn public(&self) -> Result<PublicKey> {
        let (text, path) = match &self.place {
            Place::Agent(text) => (text.clone(), None),
            Place::File(path) => {
                let mut beside = path.clone().into_os_string();
                beside.push(".pub");
                let found = [PathBuf::from(beside), path.clone()].into_iter().find(|path| path.is_file());
                let found = found.ok_or_else(|| missing(path))?;
                (fs_err::read_to_string(&found)?, Some(found))
            }
        };
        let (mut keys, faults) = public_keys(&text);
        if keys.len() == 1 && faults.is_empty() {
            return Ok(keys.remove(0));
        }
        let error = Error::new(Kind::Invalid, "cannot read the public half of the key to sign with");
        let error = match path {
            Some(path) => error.fact("path", path.display()),
            None => error,
        };
        Err(error.fact("found", faults.first().cloned().unwrap_or_else(|| format!("{} keys", keys.len()))))
    }

    /// Signs bytes. Returns the signature as `ssh-keygen -Y sign` writes it, which was verified.
    pub fn sign(&self, bytes: &[u8]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(["-q", "-Y", "sign", "-n", NAMESPACE]);
        let scratch;
        match &self.place {
            Place::File(path) if !path.is_file() => return Err(missing(path)),
            Place::File(path) => command.arg("-f").arg(path),
            Place::Agent(text) => {
                scratch = tempfile::NamedTempFile::new()?;
                std::fs::write(scratch.path(), format!("{text}\n"))?;
                command.args(["-U", "-f"]).arg(scratch.path())
            }
        };
        let (signature, said) = run(&mut command, bytes)?;
        let refused = |cause: &Error| {
            let error = Error::failure(format!("{} did not sign", self.program)).because(cause);
            let error = if said.is_empty() { error } else { error.fact("said", &said) };
            error.hint("`ssh-add -l` lists the keys of an agent; `git config --get user.signingkey` is git's key")
        };
        let parsed = Signature::parse(signature.as_bytes());
        parsed.and_then(|parsed| parsed.verify(bytes)).map_err(|error| refused(&error))?;
        Ok(signature)
    }
}

/// Runs a program with bytes on its standard input. Returns its standard output, and the last line of its messages.
///
/// A terminal gets the messages itself: they ask for a passphrase, or for a touch of a security key.
fn run(command: &mut Command, input: &[u8]) -> Result<(String, String)> {
    let messages = if std::io::stderr().is_terminal() { Stdio::inherit() } else { Stdio::piped() };
    running(command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(messages);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| {
        Error::new(Kind::Unfit, format!("cannot run {program}, which signs"))
            .because(&error)
            .hint("install OpenSSH's client: `sudo apt install openssh-client` on Debian and Ubuntu")
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read all says why on stderr.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output()?;
    let said = last_line(&output.stderr);
    let out =
        if output.status.success() { String::from_utf8_lossy(&output.stdout).into_owned() } else { String::new() };
    Ok((out, said))
}

fn missing(path: &Path) -> Error {
    Error::new(Kind::NotFound, "missing key to sign with").fact("path", path.display())
}
