//! `~/.netrc`: logins by host, for hosts without another login.
//!
//! Format, as ftp and curl read it: words separated by blanks. `machine NAME` is followed by `login`, `password` and
//! `account`, each with a value; `#` begins a comment, and `macdef` a macro that ends with an empty line. A word in
//! quotes may contain blanks, and a backslash escapes the next character. `default` is ignored: no login is sent to a
//! host that the file does not name.
//!
//! This is our own parser, since the crates for netrc depend on ten others to find the home directory.

use std::collections::HashMap;
use std::path::PathBuf;

/// A user and a password.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub user: String,
    pub password: String,
}

/// The logins of a netrc file, by host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Netrc(HashMap<String, Login>);

impl Netrc {
    /// Reads the file that `NETRC` names, else `~/.netrc`. A missing or broken file has no login: it must not stop
    /// downloads that need none.
    pub fn of_user() -> Self {
        let bytes = file().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_default()
    }

    /// Returns the login for a host.
    pub fn login(&self, host: &str) -> Option<&Login> {
        self.0.get(host)
    }

    /// Parses a netrc file. Returns `None` if it is invalid. The last of several entries for a host wins.
    fn parse(text: &str) -> Option<Self> {
        let mut words = Words(text);
        let mut entries: Vec<(Option<String>, Login)> = Vec::new();
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default();
            match word.as_str() {
                "machine" => {
                    let name = Some(value()).filter(|name| !name.is_empty())?;
                    entries.push((Some(name), Login::default()));
                }
                "default" => entries.push((None, Login::default())),
                "login" | "user" => entries.last_mut()?.1.user = value(),
                "password" => entries.last_mut()?.1.password = value(),
                "account" => {
                    value();
                    entries.last()?;
                }
                "macdef" => words.skip_macro(),
                comment if comment.starts_with('#') => words.skip_line(),
                _ => return None,
            }
        }
        Some(Self(entries.into_iter().filter_map(|(name, login)| Some((name?, login))).collect()))
    }
}

fn file() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let named = std::env::var_os("NETRC").map(PathBuf::from).map(|path| match (path.strip_prefix("~"), home()) {
        (Ok(below), Some(home)) => home.join(below),
        _ => path,
    });
    named.into_iter().chain(home().map(|home| home.join(".netrc"))).find(|path| path.exists())
}

/// The unread rest of a text, as an iterator over its words.
struct Words<'t>(&'t str);

impl Words<'_> {
    fn skip_line(&mut self) {
        self.0 = self.0.split_once('\n').map_or("", |(_, rest)| rest);
    }

    /// Skips the rest of the line, with the macro's name, and all lines up to an empty one.
    fn skip_macro(&mut self) {
        self.skip_line();
        while !self.0.lines().next().unwrap_or_default().trim().is_empty() {
            self.skip_line();
        }
    }
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
        let text = self.0.trim_start_matches(BLANKS);
        let (text, quoted) = text.strip_prefix('"').map_or((text, false), |text| (text, true));
        let mut word = String::new();
        let mut characters = text.char_indices();
        let mut end = text.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => word.extend(characters.next().map(|(_, taken)| taken)),
                '"' if quoted => {
                    end = at + 1;
                    break;
                }
                blank if !quoted && BLANKS.contains(&blank) => {
                    end = at;
                    break;
                }
                other => word.push(other),
            }
        }
        self.0 = &text[end..];
        (quoted || !word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn login(text: &str) -> Option<(String, String)> {
        let netrc = Netrc::parse(text)?;
        netrc.login("a.example").map(|login| (login.user.clone(), login.password.clone()))
    }

    #[test]
    fn logins_are_found_however_they_are_written() {
        for text in [
            "machine a.example login me password secret",
            "machine a.example\n\tpassword secret\r\n\taccount x\n\tuser me\n",
            "# logins\n#more, with words\nmachine a.example # of mine\nlogin me password secret",
            "machine b.example login x password y\nmachine a.example login me password secret\ndefault login u \
             password p",
            "macdef init\ncd /pub\nmachine a.example login no password no\n\nmachine a.example login me password \
             secret",
            "machine \"a.example\" login \"me\" password \"se\\cret\"",
            "machine a.example login no password no machine a.example login me password secret",
        ] {
            assert_eq!(login(text), Some(("me".to_owned(), "secret".to_owned())), "{text}");
        }
        let odd = login("machine a.example login \"m e\\\"\" password a#b\\ c").unwrap();
        assert_eq!(odd, ("m e\"".to_owned(), "a#b c".to_owned()));
    }

    #[test]
    fn what_names_no_host_gives_no_login() {
        for text in [
            "",
            "default login me password secret",
            "machine",
            "machine \"\" login me",
            "login me",
            "a.example me secret",
        ] {
            assert_eq!(login(text), None, "{text}");
        }
    }

    #[test]
    fn a_broken_file_holds_no_login() {
        for text in ["machine a.example login me password secret port 1", "machine a.example me secret", "account x"] {
            assert_eq!(Netrc::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(machine|login|macdef|#|[a\"\\\\ \n\u{e9}]){0,40}") {
            let _ = Netrc::parse(&text);
        }
    }
}
