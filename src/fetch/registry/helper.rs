//! Programs that store credentials for podman and docker: `docker-credential-NAME get`.
//!
//! Protocol (docker-credential-helpers): the registry's name on stdin, `{"ServerURL", "Username", "Secret"}` on stdout;
//! the user `<token>` marks an identity token. A helper without credentials prints a fixed message and fails. Errors
//! never quote its stdout, which may be secret, but they quote the last line of its stderr. It stays in our process
//! group, so that it can ask the user for a passphrase at the terminal; therefore a timeout kills only the helper
//! itself.

use std::future::poll_fn;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

use super::repository::{self, server};
use super::stored::{Credentials, Helper, Stored};
use crate::error::{Error, Kind, Result};
use crate::host::on_path;
use crate::log::running;
use crate::text::{last_line, shell_word};

/// Time limit for a helper: the user may have to type a passphrase.
pub(in crate::fetch) const LIMIT: Duration = Duration::from_secs(30);

/// Time for which processes that the helper left behind may hold its stderr open.
const GRACE: Duration = Duration::from_millis(200);

/// Greatest length of an answer, in bytes.
const MOST: u64 = 1 << 20;

/// Number of bytes that are kept of the end of stderr.
const END: usize = 4096;

/// Number of characters of a line that are shown.
const LONGEST_LINE: usize = 300;

/// The message of helpers that have no credentials.
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Helper {
    /// Runs the helper for the registry of the repository at `base`. Returns a login, an identity token, or nothing.
    pub async fn ask(&self, base: &Url, limit: Duration) -> Result<Stored> {
        let ran = async { self.run(self.command(base)?, base, limit).await };
        ran.await.map_err(|error| {
            error.fact("registry", server(base)).fact("helper", self.program()).fact("named in", self.file())
        })
    }

    async fn run(&self, mut command: Command, base: &Url, limit: Duration) -> Result<Stored> {
        let bad = |why: &str| Error::new(Kind::Unreachable, why).hint(self.how_to_see(base));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = command.spawn();
        let mut child = started.map_err(|error| bad("the credential helper cannot be started").because(&error))?;
        let mut end = Vec::with_capacity(2 * END);
        let ran = {
            let talk = keep_end(child.stderr.take(), &mut end);
            let answer = converse(&mut child, server(base));
            let both = async {
                let (mut answer, mut talk, mut said_all) = (pin!(answer), pin!(talk), false);
                let ran = poll_fn(|context| {
                    said_all = said_all || talk.as_mut().poll(context).is_ready();
                    answer.as_mut().poll(context)
                })
                .await;
                if !said_all {
                    let _ = timeout(GRACE, talk).await;
                }
                ran
            };
            timeout(limit, both).await
        };
        let Ok(ran) = ran else {
            return Err(bad(&format!("the credential helper took more than {} s and was stopped", limit.as_secs())));
        };
        let (status, said) =
            ran.map_err(|error| bad("cannot communicate with the credential helper").because(&error))?;
        if said.len() as u64 > MOST {
            return Err(bad("the credential helper's answer is too long"));
        }
        if status.success() {
            return self.read(&said).ok_or_else(|| bad("invalid answer from the credential helper"));
        }
        if said.trim_ascii() == NOT_FOUND {
            return Ok(Stored::HelperWithout(self.clone()));
        }
        let error = bad("the credential helper failed").fact("status", status);
        let line: String = last_line(&end).chars().take(LONGEST_LINE).collect();
        Err(if line.is_empty() { error } else { error.fact("it said", line) })
    }

    /// Returns the command, which must be on PATH.
    fn command(&self, base: &Url) -> Result<Command> {
        let instead = format!("`podman login {}` stores a login in a file instead", repository::name(base));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(plain) {
            return Err(Error::new(Kind::Unreachable, "invalid credential helper name").hint(instead));
        }
        // A relative entry of PATH would run a program from the current directory, which anybody may have put there.
        let path = on_path(&self.program()).find(|path| path.is_absolute()).ok_or_else(|| {
            Error::new(Kind::Unreachable, "the credential helper is not on PATH")
                .hint(format!("install it; or {instead}"))
        })?;
        let mut command = Command::new(path);
        running(command.arg("get").as_std_mut());
        Ok(command)
    }

    /// Parses an answer. Returns `None` if it is invalid, without the parser's error, which would quote it.
    fn read(&self, said: &[u8]) -> Option<Stored> {
        let answer: Answer = serde_json::from_slice(said).ok()?;
        let place = format!("by `{}`, which {} names,", self.program(), self.file());
        match (answer.username.as_str(), answer.secret.as_str()) {
            ("", "") => Some(Stored::HelperWithout(self.clone())),
            ("<token>", _) => Some(Stored::IdentityToken(place)),
            (user, secret) => Credentials::new(user, secret).map(|credentials| Stored::Login(credentials, place)),
        }
    }

    fn how_to_see(&self, base: &Url) -> String {
        format!(
            "`echo {} | {} get` shows what it does; `podman login {}` stores a login in a file instead",
            shell_word(&server(base)),
            self.program(),
            repository::name(base)
        )
    }
}

/// Sends the registry's name, and reads the helper's answer until it exits.
async fn converse(child: &mut Child, server: String) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    if let Some(mut stdin) = child.stdin.take() {
        // Fails if a helper answers without reading its stdin.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST + 1).read_to_end(&mut said).await?;
    }
    Ok((child.wait().await?, said))
}

/// Reads stderr to its end, and keeps its last bytes.
async fn keep_end(stderr: Option<impl AsyncRead + Unpin>, end: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    while stderr.read_buf(end).await.is_ok_and(|read| read > 0) {
        end.drain(..end.len().saturating_sub(END));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn helper(name: &str) -> Helper {
        Helper::new(name, Path::new("/h/config.json"))
    }

    /// Returns a short form of stored credentials.
    fn shown(stored: &Stored) -> String {
        match stored {
            Stored::Login(credentials, place) => {
                let header = credentials.header().unwrap();
                format!("{} {place}", header.to_str().unwrap())
            }
            Stored::IdentityToken(place) => format!("identity token {place}"),
            Stored::HelperWithout(_) => "nothing".to_owned(),
            Stored::Helper(_) | Stored::Nothing => "not asked".to_owned(),
        }
    }

    #[test]
    fn answers_are_logins_identity_tokens_or_none() {
        for (said, wanted) in [
            (r#"{"ServerURL": "r.example", "Username": "me", "Secret": "p:w"}"#, "Basic bWU6cDp3 by"),
            (r#"{"Username": "<token>", "Secret": "t"}"#, "identity token by"),
            (r#"{"Username": "", "Secret": ""}"#, "nothing"),
        ] {
            let stored = helper("x").read(said.as_bytes()).unwrap();
            assert!(shown(&stored).starts_with(wanted), "{said}: {}", shown(&stored));
        }
        for none in ["", "null", "[]", "{}", r#"{"Username": "me"}"#, r#"{"Username": "a:b", "Secret": "p"}"#, "me:p"] {
            assert!(helper("x").read(none.as_bytes()).is_none(), "{none}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_run_nowhere() {
        for name in ["", "/bin/sh", "../x", "a b", "a\n", "\u{e9}", "a;b"] {
            let error = helper(name).command(&base()).err().unwrap().to_string();
            assert!(error.contains("invalid credential helper name"), "{name}: {error}");
        }
    }

    fn base() -> Url {
        "https://r.example/v2/a/".parse().unwrap()
    }

    /// Runs a script in a helper's place.
    fn run(script: &str, limit: Duration) -> Result<Stored> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        runtime.block_on(helper("x").run(command, &base(), limit))
    }

    #[test]
    fn a_helper_hears_the_registry_s_name_and_no_more() {
        let stored = run(r#"printf '{"Username": "%s", "Secret": "p"}' "$(cat)""#, LIMIT).unwrap();
        let wanted = Credentials::new("r.example", "p").unwrap().header().unwrap();
        assert!(shown(&stored).starts_with(wanted.to_str().unwrap()), "{}", shown(&stored));
    }

    #[test]
    fn none_is_no_failure() {
        assert_eq!(shown(&run("echo 'credentials not found in native keychain'; exit 1", LIMIT).unwrap()), "nothing");
    }

    #[test]
    fn a_helper_that_misbehaves_is_told_without_what_it_has() {
        let short = Duration::from_millis(300);
        for (script, limit, why) in [
            ("echo HIDDEN; echo a >&2; echo no store >&2; exit 3", LIMIT, "no store"),
            ("echo HIDDEN; exit 3", LIMIT, "exit status: 3"),
            ("echo HIDDEN; kill -9 $$", LIMIT, "signal: 9"),
            (
                "echo '{\"Username\": \"me\", \"Secret\": [\"HIDDEN\"]}'",
                LIMIT,
                "invalid answer from the credential helper",
            ),
            ("yes HIDDEN", LIMIT, "answer is too long"),
            ("yes HIDDEN >&2", short, "took more than 0 s and was stopped"),
            ("echo HIDDEN; exec sleep 60", short, "took more than 0 s and was stopped"),
        ] {
            let begun = std::time::Instant::now();
            let error = run(script, limit).err().unwrap().to_string();
            assert!(error.contains(why) && !error.contains("HIDDEN"), "{script}: {error}");
            assert!(error.contains("`echo r.example | docker-credential-x get`"), "{error}");
            assert!(begun.elapsed() < LIMIT, "{script}");
        }
    }

    #[test]
    fn what_a_helper_leaves_behind_holds_nobody_up() {
        let script = r#"sleep 2 > /dev/null & echo '{"Username": "me", "Secret": "p"}'"#;
        let begun = std::time::Instant::now();
        assert!(shown(&run(script, LIMIT).unwrap()).starts_with("Basic "));
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}
