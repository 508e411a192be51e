//! The user's ssh: one command on another machine.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::error::{About, Error, Kind, Result};
use crate::log::running;
use crate::text::{shell_quoted, shell_word};

/// Most bytes of an answer.
const MOST_ANSWER: u64 = 64 << 20;
/// Most bytes of messages that are kept.
const MOST_MESSAGES: u64 = 64 << 10;
/// Options for a program that nobody watches: no prompts, and an end if the other machine falls silent. Options in the
/// user's command come first, and so win.
const OPTIONS: [&str; 4] = ["BatchMode=yes", "ConnectTimeout=30", "ServerAliveInterval=20", "ServerAliveCountMax=3"];

/// The command that reaches other machines, as git reads `GIT_SSH_COMMAND`: a line for the shell.
#[derive(Debug, Clone)]
pub struct Ssh(pub String);

/// Result of a command on another machine.
#[derive(Debug)]
pub struct Answer {
    /// Exit code. 255 stands for ssh's own failures.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The beginning of standard error.
    pub stderr: Vec<u8>,
}

impl Ssh {
    /// Runs a script of the Bourne shell on `host`. Its input is a file, from its position on, or nothing.
    pub fn run(&self, host: &str, script: &str, input: Option<File>) -> Result<Answer> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec {} \"$@\"", self.0)).arg("sh");
        command.args(OPTIONS.iter().flat_map(|option| ["-o", option]));
        // Whatever the login shell is, it passes one quoted word on.
        command.arg(host).arg(format!("exec sh -c {}", shell_quoted(script)));
        command.stdin(input.map_or_else(Stdio::null, Stdio::from));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = running(&mut command).spawn().about(host)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let read = std::thread::scope(|scope| {
            let messages = scope.spawn(move || {
                let Some(mut err) = err else { return Ok(Vec::new()) };
                let mut kept = Vec::new();
                (&mut err).take(MOST_MESSAGES).read_to_end(&mut kept)?;
                std::io::copy(&mut err, &mut std::io::sink())?;
                Ok::<_, std::io::Error>(kept)
            });
            let mut stdout = Vec::new();
            let read = out.map_or(Ok(0), |out| out.take(MOST_ANSWER + 1).read_to_end(&mut stdout));
            if read.is_err() || stdout.len() as u64 > MOST_ANSWER {
                // Reported below.
                let _ = child.kill();
            }
            let stderr = messages.join().unwrap_or_else(|_| Ok(Vec::new()));
            read.and_then(|_| Ok((stdout, stderr?)))
        });
        let status = child.wait()?;
        let (stdout, stderr) = read.about(host)?;
        if stdout.len() as u64 > MOST_ANSWER {
            return Err(Error::new(Kind::Invalid, "the answer is too long").about(host));
        }
        Ok(Answer { code: status.code().unwrap_or(255), stdout, stderr })
    }

    /// Returns the command that a person types to reach a host.
    pub fn by_hand(&self, host: &str) -> String {
        format!("{} {}", self.0, shell_word(host))
    }
}

/// Fails for a name that ssh would not take for a host, such as an option.
pub fn demand_host(name: &str) -> Result<()> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.starts_with('-') || name.contains(odd) {
        return Err(Error::new(Kind::Usage, "invalid host name")
            .fact("name", name.escape_debug())
            .fact("expected", "a host as in `ssh HOST`, without spaces and without `-` at its beginning"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_arrives_as_it_is_and_its_end_is_told() {
        // The stand-in for ssh does with the last word what sshd does with it.
        let ssh = Ssh("sh -c 'shift 8; exec sh -c \"$2\"' sh".to_owned());
        let answer = ssh.run("box", "printf '%s\\n' \"it's\" 'a  b' \\$HOME; echo no >&2; exit 7", None).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "it's\na  b\n$HOME\n");
        assert_eq!((answer.code, answer.stderr.as_slice()), (7, b"no\n".as_slice()));
    }

    #[test]
    fn options_are_no_hosts() {
        for good in ["box", "me@box", "ssh://me@box:2222", "[::1]"] {
            demand_host(good).unwrap();
        }
        for bad in ["", "-oProxyCommand=x", "a b", "a\n", "-"] {
            assert_eq!(demand_host(bad).unwrap_err().kind(), Kind::Usage, "{bad}");
        }
    }
}
