//! Addresses and commits as git writes them.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::urls::has_login;

/// Returns whether a text is a commit id: 40 lower-case hexadecimal digits.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether a text is an address that git accepts: a URL without a password, or `user@host:path`.
#[must_use]
pub fn is_git_url(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric())
        || text.contains(|c: char| c.is_control() || c.is_whitespace())
    {
        return false;
    }
    match Address::parse(text) {
        Some(Address::Http(url)) => !has_login(&url),
        Some(Address::Local(_)) => Url::parse(text).is_ok_and(|url| !has_login(&url)),
        // Without a user it could as well be a URL with an unknown scheme.
        Some(Address::Ssh(_)) => text.contains("://") || text.contains('@'),
        None => false,
    }
}

/// The parsed address of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A URL of scheme http or https.
    Http(Url),
    /// A host that is reached by ssh.
    Ssh(SshAddress),
    /// A directory on this machine.
    Local(PathBuf),
}

/// A repository on a host that is reached by ssh. No part of it can be mistaken for a command-line option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshAddress {
    /// `host` or `user@host`.
    pub destination: String,
    pub port: Option<u16>,
    pub path: String,
}

impl Address {
    /// Parses a URL, or `user@host:path` as scp writes it.
    pub fn parse(text: &str) -> Option<Self> {
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Some(Self::Http(url)),
            Ok(url) if url.scheme() == "file" => url.to_file_path().ok().map(Self::Local),
            Ok(url) if url.scheme() == "ssh" => SshAddress::of_url(&url).map(Self::Ssh),
            _ if text.contains("://") => None,
            _ => SshAddress::of_scp(text).map(Self::Ssh),
        }
    }

    /// Returns the server, or the path on this machine, for progress.
    pub fn server(&self) -> String {
        match self {
            Self::Http(url) => crate::urls::server(url),
            Self::Ssh(address) => address.destination.rsplit('@').next().unwrap_or_default().to_owned(),
            Self::Local(path) => path.display().to_string(),
        }
    }
}

impl SshAddress {
    fn of_url(url: &Url) -> Option<Self> {
        if url.password().is_some() {
            return None;
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        let host = decoded(url.host_str()?)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let user = decoded(url.username())?;
        let path = decoded(url.path())?;
        // `/~user/...` is below a home directory.
        let path = path.strip_prefix('/').filter(|rest| rest.starts_with('~')).unwrap_or(&path);
        Self::new(Some(user.as_str()).filter(|user| !user.is_empty()), host, url.port(), path)
    }

    fn of_scp(text: &str) -> Option<Self> {
        let bracket = text.split_once(':')?.0.contains('[');
        let (place, path) = text.split_once(if bracket { "]:" } else { ":" })?;
        let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
        let host = if bracket { host.strip_prefix('[')? } else { host };
        Self::new(user, host, None, path)
    }

    fn new(user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Option<Self> {
        let sound = |text: &str| {
            !text.is_empty() && !text.starts_with('-') && !text.contains(|c: char| c.is_control() || c == '\u{7f}')
        };
        let host_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        // The characters that OpenSSH accepts in a user name on its command line.
        let user_letter = |byte: u8| byte.is_ascii_graphic() && !b"'`\"$\\;&<>|(){}[]/:".contains(&byte);
        let good = sound(host)
            && host.bytes().all(host_letter)
            && user.is_none_or(|user| sound(user) && user.bytes().all(user_letter))
            && sound(path);
        let destination = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        good.then(|| Self { destination, port, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ssh_are_read_as_git_reads_them() {
        for (text, destination, port, path) in [
            ("ssh://git@h.example/o/r.git", "git@h.example", None, "/o/r.git"),
            ("ssh://h.example:2222/o/r%20s", "h.example", Some(2222), "/o/r s"),
            ("ssh://git@[::1]:22/o", "git@::1", Some(22), "/o"),
            ("ssh://h/~me/r", "h", None, "~me/r"),
            ("git@h.example:o/r.git", "git@h.example", None, "o/r.git"),
            ("git@h.example:/srv/r", "git@h.example", None, "/srv/r"),
            ("git@[::1]:r", "git@::1", None, "r"),
            ("alias:r@2", "alias", None, "r@2"),
        ] {
            let expected = SshAddress { destination: destination.to_owned(), port, path: path.to_owned() };
            assert_eq!(Address::parse(text), Some(Address::Ssh(expected)), "{text}");
            assert!(is_git_url(text), "{text}");
        }
    }

    #[test]
    fn no_part_of_an_address_becomes_an_option_or_a_command() {
        for text in [
            "ssh://-oProxyCommand=x/r",
            "ssh://-l@h/r",
            "ssh://%2doProxyCommand=x/r",
            "ssh://a%3bb/r",
            "ssh://a$(b)@h/r",
            "ssh://me:secret@h/r",
            "ssh://h",
            "ssh://h/a%0ab",
            "x@-oProxyCommand=y:r",
            "git@h:-r",
            "git@h:",
            "git@h;x:r",
            "x/y@z:w",
            "--upload-pack=x:@y",
            "ftp://h/r",
            "https://me:secret@h/r",
            "https://me@h/r",
            "host:path",
        ] {
            assert!(!is_git_url(text), "{text}");
        }
    }
}
