//! The program with which podman runs containers, which decides whether a container can keep the caller's groups.
//!
//! `--group-add keep-groups` sets an annotation that crun obeys. runc and others ignore it, and the container cannot
//! open the GPU.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::log::running;

/// The longest answer of podman that is read, in bytes; its own has about 5 kB.
const MOST: u64 = 1 << 20;

/// Podman's runtime, as far as it matters for groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Runtime {
    /// crun, which keeps groups.
    Crun,
    /// Another one, by its name, which drops groups.
    Other(String),
    /// Not known: podman is missing, or did not say.
    #[default]
    Unknown,
}

impl Runtime {
    /// Asks podman.
    #[must_use]
    pub fn of_podman() -> Self {
        let mut podman = Command::new("podman");
        podman.args(["info", "--format", "json"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut child) = running(&mut podman).spawn() else { return Self::Unknown };
        let mut answer = Vec::new();
        let read = child.stdout.take().map(|output| output.take(MOST).read_to_end(&mut answer));
        match child.wait() {
            Ok(status) if status.success() && matches!(read, Some(Ok(_))) => Self::in_answer(&answer),
            _ => Self::Unknown,
        }
    }

    /// Reads the answer of `podman info --format json`: `host.ociRuntime.name`.
    fn in_answer(answer: &[u8]) -> Self {
        let value: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
        match value.pointer("/host/ociRuntime/name").and_then(serde_json::Value::as_str) {
            Some("crun") => Self::Crun,
            Some(name) if is_name(name) => Self::Other(name.to_owned()),
            _ => Self::Unknown,
        }
    }
}

/// Returns whether a text can be a runtime's name and be shown.
fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_is_read_from_podmans_answer() {
        let answer =
            |name: &str| format!(r#"{{"host": {{"arch": "amd64", "ociRuntime": {{"name": {name}, "path": "/x"}}}}}}"#);
        assert_eq!(Runtime::in_answer(answer("\"crun\"").as_bytes()), Runtime::Crun);
        assert_eq!(Runtime::in_answer(answer("\"runc\"").as_bytes()), Runtime::Other("runc".to_owned()));
        for odd in ["7", "null", "\"\"", "\"a\\u001bb\"", "\"crun or another\""] {
            assert_eq!(Runtime::in_answer(answer(odd).as_bytes()), Runtime::Unknown, "{odd}");
        }
        for odd in ["", "[]", r#"{"host": "crun"}"#, "crun"] {
            assert_eq!(Runtime::in_answer(odd.as_bytes()), Runtime::Unknown, "{odd}");
        }
    }
}
