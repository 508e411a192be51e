//! Programs that keep credentials for podman and docker: `docker-credential-NAME get`.
//!
//! Protocol (docker-credential-helpers): the registry's name on stdin, `{"ServerURL", "Username", "Secret"}` on stdout; the
//! user `<token>` stands for an identity token. A helper that has none says so in words that are always the same, and fails.
//! What one prints on stdout is in no error, since it may be a secret; the last line of its stderr is. It stays in our group
//! of processes, to ask a person for a passphrase at the terminal, so that only itself is stopped when its time is over.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

use super::credentials::{self, Credentials, Kept};
use super::refusal;
use crate::error::{Error, Kind, Result};
use crate::host::on_path;
use crate::log::running;
use crate::text::{last_line, shell_word, visible};

/// How long a helper may take: a person may have to type a passphrase.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// How long something that the helper left behind may hold its stderr open.
const GRACE: Duration = Duration::from_millis(200);

/// The longest answer, in bytes.
const MOST: u64 = 1 << 20;

/// How much of the end of stderr is kept, in bytes.
const END: usize = 4096;

/// How much of a line is shown, in characters.
const LONGEST_LINE: usize = 300;

/// Printed by helpers that have no login.
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";

/// A helper, and the file that names it.
#[derive(Clone)]
pub(super) struct Helper {
    name: String,
    file: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Helper {
    pub fn new(name: &str, file: &Path) -> Self {
        Self { name: name.to_owned(), file: file.to_owned() }
    }

    /// The program, as it can be shown.
    pub fn program(&self) -> String {
        format!("docker-credential-{}", visible(&self.name))
    }

    /// The file that names it.
    pub fn file(&self) -> impl std::fmt::Display {
        self.file.display()
    }

    /// What it has for the registry of the repository at `base`: a login, an identity token, or nothing.
    pub async fn ask(&self, base: &Url, limit: Duration) -> Result<Kept> {
        let ran = async { self.run(self.command(base)?, base, limit).await };
        ran.await.map_err(|error| {
            error
                .fact("registry", credentials::server(base))
                .fact("helper", self.program())
                .fact("named in", self.file())
        })
    }

    async fn run(&self, mut command: Command, base: &Url, limit: Duration) -> Result<Kept> {
        let bad = |why: &str| Error::new(Kind::Unreachable, why).hint(self.how_to_see(base));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = command.spawn();
        let mut child = started.map_err(|error| bad("the credential helper cannot be started").because(&error))?;
        let mut end = Vec::with_capacity(2 * END);
        let ran = {
            let talk = keep_end(child.stderr.take(), &mut end);
            let answer = converse(&mut child, credentials::server(base));
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
            return Err(bad(&format!("the credential helper took more than {} s, and was stopped", limit.as_secs())));
        };
        let (status, said) = ran.map_err(|error| bad("the credential helper cannot be talked to").because(&error))?;
        if said.len() as u64 > MOST {
            return Err(bad("the credential helper talks without end"));
        }
        if status.success() {
            return self.read(&said).ok_or_else(|| bad("the credential helper's answer is no login"));
        }
        if said.trim_ascii() == NOT_FOUND {
            return Ok(Kept::HelperWithout(self.clone()));
        }
        let error = bad("the credential helper failed").fact("status", status);
        let line: String = last_line(&end).chars().take(LONGEST_LINE).collect();
        Err(if line.is_empty() { error } else { error.fact("it said", line) })
    }

    /// The program, which is on PATH and nowhere else.
    fn command(&self, base: &Url) -> Result<Command> {
        let instead = format!("`podman login {}` keeps a login in a file instead", refusal::name(base));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(plain) {
            return Err(Error::new(Kind::Unreachable, "the name of the credential helper is none").hint(instead));
        }
        // Relative to where one happens to be, anybody may have put it there.
        let path = on_path(&self.program()).find(|path| path.is_absolute()).ok_or_else(|| {
            Error::new(Kind::Unreachable, "the credential helper is not on PATH")
                .hint(format!("install it; or {instead}"))
        })?;
        let mut command = Command::new(path);
        running(command.arg("get").as_std_mut());
        Ok(command)
    }

    /// What an answer means; `None` for what is none. Errors of the parser would quote it.
    fn read(&self, said: &[u8]) -> Option<Kept> {
        let answer: Answer = serde_json::from_slice(said).ok()?;
        let place = format!("by `{}`, which {} names,", self.program(), self.file());
        match (answer.username.as_str(), answer.secret.as_str()) {
            ("", "") => Some(Kept::HelperWithout(self.clone())),
            ("<token>", _) => Some(Kept::IdentityToken(place)),
            (user, secret) => Credentials::new(user, secret).map(|credentials| Kept::Login(credentials, place)),
        }
    }

    fn how_to_see(&self, base: &Url) -> String {
        format!(
            "`echo {} | {} get` shows what it does; `podman login {}` keeps a login in a file instead",
            shell_word(&credentials::server(base)),
            self.program(),
            refusal::name(base)
        )
    }
}

/// Says the registry's name, and hears what the helper has to say until it ends.
async fn converse(child: &mut Child, server: String) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    if let Some(mut stdin) = child.stdin.take() {
        // One that knows its answer without reading has closed its end.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST + 1).read_to_end(&mut said).await?;
    }
    Ok((child.wait().await?, said))
}

/// Reads to the end of stderr, and keeps the last of it.
async fn keep_end(stderr: Option<impl AsyncRead + Unpin>, end: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    while stderr.read_buf(end).await.is_ok_and(|read| read > 0) {
        end.drain(..end.len().saturating_sub(END));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helper(name: &str) -> Helper {
        Helper::new(name, Path::new("/h/config.json"))
    }

    /// What is kept, in short.
    fn shown(kept: &Kept) -> String {
        match kept {
            Kept::Login(credentials, place) => {
                let header = credentials.header().unwrap();
                format!("{} {place}", header.to_str().unwrap())
            }
            Kept::IdentityToken(place) => format!("identity token {place}"),
            Kept::HelperWithout(_) => "nothing".to_owned(),
            Kept::Helper(_) | Kept::Nothing => "not asked".to_owned(),
        }
    }

    #[test]
    fn answers_are_logins_identity_tokens_or_none() {
        for (said, wanted) in [
            (r#"{"ServerURL": "r.example", "Username": "me", "Secret": "p:w"}"#, "Basic bWU6cDp3 by"),
            (r#"{"Username": "<token>", "Secret": "t"}"#, "identity token by"),
            (r#"{"Username": "", "Secret": ""}"#, "nothing"),
        ] {
            let kept = helper("x").read(said.as_bytes()).unwrap();
            assert!(shown(&kept).starts_with(wanted), "{said}: {}", shown(&kept));
        }
        for none in ["", "null", "[]", "{}", r#"{"Username": "me"}"#, r#"{"Username": "a:b", "Secret": "p"}"#, "me:p"] {
            assert!(helper("x").read(none.as_bytes()).is_none(), "{none}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_run_nowhere() {
        for name in ["", "/bin/sh", "../x", "a b", "a\n", "\u{e9}", "a;b"] {
            let error = helper(name).command(&base()).err().unwrap().to_string();
            assert!(error.contains("name of the credential helper"), "{name}: {error}");
        }
    }

    fn base() -> Url {
        "https://r.example/v2/a/".parse().unwrap()
    }

    /// Runs a script in a helper's place.
    fn run(script: &str, limit: Duration) -> Result<Kept> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        runtime.block_on(helper("x").run(command, &base(), limit))
    }

    #[test]
    fn a_helper_hears_the_registry_s_name_and_no_more() {
        let kept = run(r#"printf '{"Username": "%s", "Secret": "p"}' "$(cat)""#, LIMIT).unwrap();
        let wanted = Credentials::new("r.example", "p").unwrap().header().unwrap();
        assert!(shown(&kept).starts_with(wanted.to_str().unwrap()), "{}", shown(&kept));
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
            ("echo '{\"Username\": \"me\", \"Secret\": [\"HIDDEN\"]}'", LIMIT, "answer is no login"),
            ("yes HIDDEN", LIMIT, "talks without end"),
            ("yes HIDDEN >&2", short, "took more than 0 s, and was stopped"),
            ("echo HIDDEN; exec sleep 60", short, "took more than 0 s, and was stopped"),
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
