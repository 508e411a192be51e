//! Explains error messages of ssh, and of git on the server, and what to do about them.
//!
//! ssh has one exit status for all its own failures, 255, so only its messages tell them apart. It does not translate
//! them.

use super::address::SshAddress;
use super::program::LastWords;
use crate::error::{Error, Kind};

/// Explains why a conversation over ssh ended. `by_hand` is the command by which the user can reach the host,
/// `named_in` the setting that names the program, if there is one.
pub(super) fn explain(words: &LastWords, address: &SshAddress, by_hand: &str, named_in: Option<&'static str>) -> Error {
    let has = |any: &[&str]| any.iter().any(|part| words.said.contains(part));
    let error = |message: &str| Error::new(Kind::Unreachable, message).fact("host", &address.destination);
    let (code, host) = (words.status.and_then(|status| status.code()), host_key_name(address));
    if has(&["IDENTIFICATION HAS CHANGED"]) {
        return error("the ssh server's host key differs from the known one").hint(format!(
            "somebody may be in between; if its owner confirms the new key, forget the old one with `ssh-keygen -R \
             '{host}'` and connect once with `{by_hand}`"
        ));
    }
    if has(&["Host key verification failed", "host key is known for"]) {
        return words.add_to(error("the host key of the ssh server is not known")).hint(format!(
            "connect once with `{by_hand}`: it shows the key's fingerprint, to be compared with the published one, and \
             keeps it"
        ));
    }
    if has(&["Permission denied (", "Too many authentication failures"]) {
        return words.add_to(error("the ssh server accepted none of the offered keys")).hint(format!(
            "load the key (`ssh-add FILE`) or name it for this host in ~/.ssh/config; `{by_hand} -v` shows which ones \
             are offered"
        ));
    }
    if has(&["not appear to be a git repository", "epository not found", "No such file or directory", "not a git repo"])
        // 255 is ssh's own failure: it may say of a key that there is no such file.
        && !matches!(code, Some(127 | 255))
    {
        return words
            .add_to(Error::new(Kind::NotFound, "there is no git repository at this address"))
            .fact("host", &address.destination)
            .fact("path", &address.path)
            .hint(
                "check the address, and that this user may read it: some servers answer like this for private \
                repositories",
            );
    }
    if code == Some(127) || code == Some(126) {
        let error = words.add_to(error("git cannot be run on the server"));
        return match named_in {
            Some(place) if !words.said.contains("git-upload-pack") => {
                words.add_to(Error::new(Kind::Unreachable, "the program in place of ssh cannot be run")).hint(format!(
                    "{place} names `{}`: correct it, or unset it to use ssh",
                    by_hand.split_whitespace().next().unwrap_or_default()
                ))
            }
            _ => error.hint("install git there, or check the address"),
        };
    }
    if let Some(late) = words.late {
        let message = format!("the git server behind ssh {late}");
        return words.add_to(error(&message)).hint(format!("see whether `{by_hand}` answers, and run again"));
    }
    if has(&["Could not resolve hostname"]) {
        return words.add_to(error("the host name cannot be resolved")).hint("check the address, and ~/.ssh/config");
    }
    if code == Some(255) {
        return words
            .add_to(error("the ssh server cannot be reached"))
            .hint(format!("`{by_hand} -v` shows how far it gets"));
    }
    words.add_to(error("the git server behind ssh ended the conversation")).hint(format!("`{by_hand}` may say more"))
}

/// Returns the name under which ssh stores a host's key.
fn host_key_name(address: &SshAddress) -> String {
    let host = address.destination.rsplit('@').next().unwrap_or_default();
    match address.port {
        Some(port) if port != 22 => format!("[{host}]:{port}"),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::super::program::Late;
    use super::*;

    #[test]
    fn last_words_are_told_apart() {
        let address = SshAddress { destination: "git@h".to_owned(), port: Some(2222), path: "/o/r".to_owned() };
        let late = Some(Late::Silent(Duration::from_secs(300)));
        for (said, code, late, message, hint) in [
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n",
                255,
                None,
                "host key differs from the known one",
                "ssh-keygen -R '[h]:2222'",
            ),
            (
                "Host key verification failed.\n",
                255,
                None,
                "host key of the ssh server is not known",
                "`ssh -p 2222 git@h`",
            ),
            ("git@h: Permission denied (publickey).\n", 255, None, "accepted none of the offered keys", "ssh-add"),
            (
                "fatal: '/o/r' does not appear to be a git repository\n",
                128,
                None,
                "no git repository",
                "check the address",
            ),
            ("ERROR: Repository not found.\n", 1, None, "no git repository", "check the address"),
            (
                "Warning: Identity file k not accessible: No such file or directory.\nssh: connect to host h port \
                 2222: Connection refused\n",
                255,
                None,
                "cannot be reached",
                "-v` shows",
            ),
            (
                "bash: line 1: git-upload-pack: command not found\n",
                127,
                None,
                "git cannot be run on the server",
                "install git there",
            ),
            ("ssh: Could not resolve hostname h: x\n", 255, None, "host name cannot be resolved", "check the address"),
            ("ssh: connect to host h port 2222: Connection refused\n", 255, None, "cannot be reached", "-v` shows"),
            ("Connection timed out\n", 255, None, "cannot be reached", "git@h -v"),
            ("", 255, late, "was silent for 300 s", "run again"),
            ("killed\n", 1, None, "ended the conversation", "may say more"),
        ] {
            let status = Some(ExitStatus::from_raw(code << 8));
            let words = LastWords { said: said.to_owned(), status, late };
            let error = explain(&words, &address, "ssh -p 2222 git@h", None).to_string();
            assert!(error.contains(message) && error.contains(hint), "{said}: {error}");
        }
        let words = LastWords {
            said: "sh: 1: myssh: not found\n".to_owned(),
            status: Some(ExitStatus::from_raw(127 << 8)),
            late: None,
        };
        let error = explain(&words, &address, "myssh git@h", Some("GIT_SSH_COMMAND")).to_string();
        assert!(error.contains("GIT_SSH_COMMAND names `myssh`"), "{error}");
    }
}
