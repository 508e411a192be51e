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

/// The last line of messages of a script that failed on the other machine. Without it, ssh itself failed.
const REACHED: &str = "strixlock: this came from the host";

/// The command that reaches other machines, as git reads `GIT_SSH_COMMAND`: a line for the shell.
#[derive(Debug, Clone)]
pub struct Ssh(pub String);

/// Result of a command on another machine.
#[derive(Debug)]
pub struct Answer {
    /// Exit code.
    pub code: i32,
    /// True if it is the code of the script, and not that of ssh.
    pub reached: bool,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The end of standard error.
    pub stderr: Vec<u8>,
}

impl Ssh {
    /// Runs a script of the Bourne shell on `host`. Its input is a file, from its position on, or nothing.
    pub fn run(&self, host: &str, script: &str, input: Option<File>) -> Result<Answer> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec {} \"$@\"", self.0)).arg("sh");
        command.args(OPTIONS.iter().flat_map(|option| ["-o", option]));
        let told = format!("({script}\n) || {{ code=$?; echo '{REACHED}' >&2; exit $code; }}");
        // Whatever the login shell is, it passes one quoted word on.
        command.arg(host).arg(format!("exec sh -c {}", shell_quoted(&told)));
        command.stdin(input.map_or_else(Stdio::null, Stdio::from));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = running(&mut command).spawn().about(host)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let read = std::thread::scope(|scope| {
            let messages = scope.spawn(move || {
                let Some(mut err) = err else { return Ok(Vec::new()) };
                let mut kept = Vec::new();
                while (&mut err).take(MOST_MESSAGES).read_to_end(&mut kept)? > 0 {
                    let more = kept.len().saturating_sub(MOST_MESSAGES as usize);
                    kept.drain(..more);
                }
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
        let code = status.code().unwrap_or(255);
        let end = format!("{REACHED}\n");
        let messages = stderr.strip_suffix(end.as_bytes());
        Ok(Answer {
            code,
            reached: code == 0 || messages.is_some(),
            stderr: messages.unwrap_or(&stderr).to_vec(),
            stdout,
        })
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
        assert_eq!((answer.code, answer.reached, answer.stderr.as_slice()), (7, true, b"no\n".as_slice()));
        let long = ssh.run("box", "head -c 200000 /dev/zero >&2; exit 127", None).unwrap();
        assert_eq!((long.code, long.reached), (127, true));
        assert!(long.stderr.len() as u64 <= MOST_MESSAGES);
        let none = Ssh("no-such-program".to_owned()).run("box", "true", None).unwrap();
        assert_eq!((none.code, none.reached), (127, false));
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
