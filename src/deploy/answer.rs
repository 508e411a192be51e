//! Answers of strixlock on a host: JSON documents, or an error.

use serde_json::Value;

use super::ssh::{Answer, Ssh};
use crate::error::{Error, Kind, Result};
use crate::text::last_line;

/// Exit codes of shells for a program that is missing, or cannot be run.
const NO_PROGRAM: [i32; 2] = [126, 127];

/// Returns the documents that commands of strixlock printed one after the other. A failed validation is an answer too.
pub fn documents(answer: &Answer, (ssh, host): (&Ssh, &str), program: &str) -> Result<Vec<Value>> {
    let stream = serde_json::Deserializer::from_slice(&answer.stdout).into_iter::<Value>();
    let parsed: Result<Vec<Value>, _> = stream.collect();
    let said = || last_line(&answer.stderr);
    match (answer.code, parsed) {
        (code, _) if !answer.reached && NO_PROGRAM.contains(&code) => {
            return Err(Error::new(Kind::NotFound, "the command that reaches hosts cannot be run on this machine")
                .about(host)
                .fact("command", &ssh.0)
                .fact("shell", said())
                .hint("install ssh, or name another command with `--ssh` or STRIXLOCK_SSH"));
        }
        (0, Ok(all)) => return Ok(all),
        (10, Ok(all)) if all.last().is_some_and(|last| last["passed"] == false) => return Ok(all),
        (0, Err(error)) => {
            return Err(Error::new(Kind::Invalid, "the answer of strixlock on the host is not JSON")
                .about(host)
                .because(&error)
                .hint(format!("a login script of the host may print something: see `{} true`", ssh.by_hand(host))));
        }
        (255, _) if !answer.reached => {
            return Err(Error::new(Kind::Unreachable, "the host cannot be reached by ssh")
                .about(host)
                .fact("ssh", said())
                .hint(format!("connect once with `{}`", ssh.by_hand(host))));
        }
        (code, _) if NO_PROGRAM.contains(&code) => {
            return Err(Error::new(Kind::NotFound, "the host has no strixlock")
                .about(host)
                .fact("program", program)
                .fact("shell", said())
                .hint("install it there, or name its path on the host with `--program .local/bin/strixlock`"));
        }
        (code, Ok(all)) => {
            if let Some(error) = all.last().map(|last| &last["error"]).filter(|error| error.is_object()) {
                return Err(repeated(host, code, error));
            }
        }
        _ => {}
    }
    Err(Error::new(kind(answer.code), "a step failed on the host").about(host).fact("said", said()))
}

/// Returns the error that strixlock on the host printed.
fn repeated(host: &str, code: i32, error: &Value) -> Error {
    let text = |value: &Value| value.as_str().map(crate::text::visible);
    let message = text(&error["message"]).unwrap_or_else(|| "a step failed on the host".to_owned());
    let message = match text(&error["subject"]) {
        Some(subject) => format!("{subject}: {message}"),
        None => message,
    };
    let mut repeated = Error::new(kind(code), message).about(host);
    for fact in error["facts"].as_array().into_iter().flatten() {
        if let (Some(label), Some(value)) = (text(&fact["label"]), text(&fact["value"])) {
            repeated = repeated.fact("there", format!("{label}  {value}"));
        }
    }
    match text(&error["hint"]) {
        Some(hint) => repeated.hint(format!("on {host}: {hint}")),
        None => repeated,
    }
}

fn kind(code: i32) -> Kind {
    let kinds = [
        Kind::Usage,
        Kind::Invalid,
        Kind::Stale,
        Kind::Mismatch,
        Kind::NotReproducible,
        Kind::Damaged,
        Kind::Unreachable,
        Kind::NotFound,
        Kind::Unfit,
        Kind::Busy,
    ];
    kinds.into_iter().find(|kind| *kind as i32 == code).unwrap_or(Kind::Failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: i32, stdout: &str, stderr: &str) -> Result<Vec<Value>> {
        let answer = Answer { code, reached: code != 255, stdout: stdout.into(), stderr: stderr.into() };
        documents(&answer, (&Ssh("ssh".to_owned()), "box"), "strixlock")
    }

    #[test]
    fn answers_and_refusals_are_told_apart() {
        assert_eq!(read(0, "{\"a\": 1}\n{\"b\": 2}\n", "").unwrap().len(), 2);
        assert_eq!(read(10, "{\"passed\": false}", "").unwrap().len(), 1);
        let kind = |code, stdout, stderr| read(code, stdout, stderr).unwrap_err().kind();
        assert_eq!(kind(0, "Welcome!\n{}", ""), Kind::Invalid);
        assert_eq!(kind(255, "", "Connection refused"), Kind::Unreachable);
        assert_eq!(kind(127, "", "sh: 1: strixlock: not found"), Kind::NotFound);
        assert_eq!(kind(10, "{}", ""), Kind::Unfit);
        assert_eq!(kind(7, "garbage", "x"), Kind::Damaged);
        assert_eq!(kind(99, "", ""), Kind::Failure);
        let error = "{\"error\": {\"subject\": \"llama\", \"message\": \"no\", \"facts\": [{\"label\": \"a\", \"value\": \"b\"}], \
                     \"hint\": \"`x`\"}}";
        let error = read(6, error, "").unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::NotReproducible, "box: llama: no\n  there  a  b\nhint: on box: `x`")
        );
    }
}
