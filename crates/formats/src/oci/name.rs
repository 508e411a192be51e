//! The names of images: `[HOST[:PORT]/]REPOSITORY[:TAG]`.
//!
//! The grammar is that of <https://github.com/distribution/reference>, as every engine reads it: the text before the
//! first slash is a host if it has a dot, a port or a capital, or is `localhost`.

use std::net::Ipv6Addr;

/// Longest name; registries refuse longer ones.
const LONGEST: usize = 255;

/// The parts of an image's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageName<'a> {
    /// The registry, with its port if it has one.
    pub host: Option<&'a str>,
    /// The repository.
    pub repository: &'a str,
    /// The tag.
    pub tag: Option<&'a str>,
}

impl<'a> ImageName<'a> {
    /// Parses a name without a digest. The error tells which part is wrong.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let begins_with_host = |first: &str| {
            first == "localhost" || first.contains(['.', ':', '[']) || first.contains(|c: char| c.is_ascii_uppercase())
        };
        let (host, rest) = match text.split_once('/') {
            Some((first, rest)) if begins_with_host(first) => (Some(first), rest),
            _ => (None, text),
        };
        if host.is_some_and(|host| !is_host(host)) {
            return Err("invalid host: expected a name or an address, optionally with `:` and a port");
        }
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if !is_repository(repository) {
            return Err(
                "invalid repository: expected lower-case letters and digits with `.`, `_`, `-` and `/` between them",
            );
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err("invalid tag");
        }
        if text.len() > LONGEST { Err("the name is too long") } else { Ok(Self { host, repository, tag }) }
    }
}

/// Returns whether this can be the host of a registry, with an optional port: a name, an IPv4 address, or an IPv6
/// address in brackets.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let ends = |c: char| c.is_ascii_alphanumeric();
        label.starts_with(ends)
            && label.ends_with(ends)
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|number| number > 0)
    };
    let (named, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return false,
        Some(Some((address, ""))) => (address.parse::<Ipv6Addr>().is_ok(), None),
        Some(Some((address, after))) => match after.strip_prefix(':') {
            Some(port) => (address.parse::<Ipv6Addr>().is_ok(), Some(port)),
            None => return false,
        },
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            (host.split('.').all(label), port)
        }
    };
    named && text.len() <= LONGEST && port.is_none_or(is_port)
}

/// Returns whether this is the name of a repository: parts of lower-case letters and digits, with a single separator
/// (`.`, `_`, `__` or any number of `-`) between them.
#[must_use]
pub fn is_repository(text: &str) -> bool {
    let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator = |part: &str| matches!(part, "" | "." | "_" | "__") || part.bytes().all(|byte| byte == b'-');
    let part = |part: &str| part.starts_with(small) && part.ends_with(small) && part.split(small).all(separator);
    text.len() <= LONGEST && text.split('/').all(part)
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
        && text.bytes().next().is_some_and(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_port_is_a_host() {
        for (text, host, repository, tag) in [
            ("ubuntu", None, "ubuntu", None),
            ("ubuntu:24.04", None, "ubuntu", Some("24.04")),
            ("library/ubuntu:24.04", None, "library/ubuntu", Some("24.04")),
            ("r.example/a/b", Some("r.example"), "a/b", None),
            ("localhost/a", Some("localhost"), "a", None),
            ("localhost:5000/a:t", Some("localhost:5000"), "a", Some("t")),
            ("registry:5000/team/base:1", Some("registry:5000"), "team/base", Some("1")),
            ("[::1]:5000/a:t", Some("[::1]:5000"), "a", Some("t")),
            ("[2001:db8::7]/a", Some("[2001:db8::7]"), "a", None),
            ("127.0.0.1:1/a", Some("127.0.0.1:1"), "a", None),
            ("Registry/a", Some("Registry"), "a", None),
            ("docker.io/library/a-b--c__d.e_f", Some("docker.io"), "library/a-b--c__d.e_f", None),
        ] {
            assert_eq!(ImageName::parse(text), Ok(ImageName { host, repository, tag }), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a/B",
            "a b",
            "a:",
            "a:.x",
            "a:-x",
            "a--",
            "-a",
            "a..b",
            "a.-b",
            "a___b",
            "a;b",
            "$(id)",
            "registry:/a",
            "registry:0/a",
            "registry:99999/a",
            "registry:+5/a",
            "registry:5000/",
            "h:x/a",
            "[::1/a",
            "[]/a",
            "[::1]5000/a",
            "[::g]:1/a",
            "::1/a",
            "::1:5000/a",
            "r.example-/a",
            "-r.example/a",
            "r..example/a",
            "r.example:443:1/a",
            "https://r.example/a",
            "user@r.example/a",
            "r.ex ample/a",
            "r.example/../a",
            "[fe80::1%eth0]/a",
        ] {
            assert!(ImageName::parse(text).is_err(), "{text}");
        }
        assert!(
            ImageName::parse(&"a/".repeat(200)).is_err() && ImageName::parse(&format!("{}a", "a/".repeat(127))).is_ok()
        );
        assert!(ImageName::parse(&format!("{}a", "a/".repeat(128))).is_err());
    }
}
