//! Environment variables of the settings that have no option. Those that have one are read with the command line.

use std::ffi::OsString;
use std::path::Path;

use url::Url;

use super::super::switch;
use super::builder::{BuilderFile, property};
use super::{Config, MirrorSetting, Number, Origin, RemoteSetting, Set, Switch, remote_name, variable};
use crate::cli::paths::{address, expand, usual_archive};
use crate::error::{Error, Kind, Result};

/// Reads the settings that are in the environment. An empty variable counts as unset.
pub(super) fn read(environment: impl Fn(&str) -> Option<OsString>) -> Result<Config> {
    let mut config = Config::default();
    let read = |setting: &str| -> Result<Option<Variable>> {
        let name = variable(setting);
        let Some(text) = environment(&name).filter(|text| !text.is_empty()) else { return Ok(None) };
        match text.into_string() {
            Ok(text) => Ok(Some(Variable { name, text })),
            Err(text) => Err(Variable { name, text: text.to_string_lossy().into_owned() }.invalid("not UTF-8")),
        }
    };
    for number in Number::ALL {
        let Some(found) = read(number.name())? else { continue };
        let value = found.text.trim().parse().map_err(|_| found.invalid("expected a number"))?;
        if let Some(fault) = number.fault(value) {
            return Err(found.invalid(&fault));
        }
        config.numbers.insert(number, found.set(value));
    }
    for one in Switch::ALL {
        let Some(found) = read(one.name())? else { continue };
        config.switches.insert(one, found.set(switch(&found.text).map_err(|fault| found.invalid(&fault))?));
    }
    if let Some(found) = read("archive")? {
        let path = usual_archive(&found.text).and_then(|path| std::path::absolute(path).map_err(|e| e.to_string()));
        config.archive = Some(found.set(path.map_err(|fault| found.invalid(&fault))?));
    }
    if let Some(found) = read("remotes")? {
        for pair in found.text.split_whitespace() {
            config.remotes.push(found.set(remote(pair).map_err(|fault| found.invalid(&fault))?));
        }
    }
    if let Some(found) = read("builder")? {
        config.builder.builder = Some(found.set(found.text.parse().map_err(|fault: String| found.invalid(&fault))?));
    }
    for file in BuilderFile::ALL {
        let Some(found) = read(file.name())? else { continue };
        let path = expand(Path::new(&found.text)).map_err(|fault| found.invalid(&fault))?;
        config.builder.files.insert(file, found.set(std::path::absolute(path)?));
    }
    if let Some(found) = read("builder-platform")? {
        for pair in found.text.split_whitespace() {
            config.builder.platform.push(found.set(property(pair).map_err(|fault| found.invalid(&fault))?));
        }
    }
    if let Some(found) = read("insecure-hosts")? {
        config.insecure_hosts = found.text.split_whitespace().map(|host| found.set(host.to_owned())).collect();
    }
    if let Some(found) = read("mirrors")? {
        for pair in found.text.split_whitespace() {
            config.mirrors.push(found.set(mirror(pair).map_err(|fault| found.invalid(&fault))?));
        }
    }
    Ok(config)
}

/// Parses `NAME=ADDRESS`.
fn remote(pair: &str) -> Result<RemoteSetting, String> {
    let (name, address) = pair.split_once('=').ok_or("expected NAME=ADDRESS, with blanks between several")?;
    Ok(RemoteSetting { name: remote_name(name)?, address: address.parse()? })
}

/// Parses `OF=AT`. A path is relative to the current directory.
fn mirror(pair: &str) -> Result<MirrorSetting, String> {
    let (of, at) = pair.split_once('=').ok_or("expected OF=AT, with blanks between several")?;
    let of = Url::parse(of).map_err(|error| error.to_string())?;
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    Ok(MirrorSetting { of, at: address(at, Path::new(&here))? })
}

/// An environment variable that is set.
struct Variable {
    name: String,
    text: String,
}

impl Variable {
    fn set<T>(&self, value: T) -> Set<T> {
        Set { value, origin: Origin::Environment { variable: self.name.clone() } }
    }

    fn invalid(&self, fault: &str) -> Error {
        Error::new(Kind::Invalid, format!("invalid environment variable: {fault}"))
            .about(&self.name)
            .fact("value", &self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, value: &'static str) -> Result<Config> {
        read(|asked| (asked == name).then(|| value.into()))
    }

    #[test]
    fn each_setting_has_a_variable() {
        assert_eq!(of("STRIXLOCK_ROUNDS", " 7 ").unwrap().number(Number::Rounds), 7);
        assert_eq!(of("STRIXLOCK_ROUNDS", "").unwrap().number(Number::Rounds), Number::Rounds.usual());
        assert_eq!(of("STRIXLOCK_BUSY_SECONDS", "0").unwrap().number(Number::BusySeconds), 0);
        for (text, expected) in [("off", false), ("1", true), ("", true)] {
            assert_eq!(of("STRIXLOCK_COMPILE_CACHE", text).unwrap().is_on(Switch::CompileCache), expected);
        }
        let archive = of("STRIXLOCK_ARCHIVE", "/srv/archive").unwrap().archive.unwrap();
        assert_eq!(archive.value, Path::new("/srv/archive"));
        let hosts = of("STRIXLOCK_INSECURE_HOSTS", "a b").unwrap().insecure_hosts;
        assert_eq!(hosts.iter().map(|host| host.value.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let remotes = of("STRIXLOCK_REMOTES", "a=oci://r.example/a b=oci://r.example/b").unwrap().remotes;
        assert_eq!(remotes.iter().map(|set| set.value.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(!of("STRIXLOCK_ASK_REMOTES", "no").unwrap().is_on(Switch::AskRemotes));
        let mirrors = of("STRIXLOCK_MIRRORS", "https://a/=https://b/c?d=e\nhttps://f/=/srv/g").unwrap().mirrors;
        let at: Vec<&str> = mirrors.iter().map(|mirror| mirror.value.at.as_str()).collect();
        assert_eq!(at, ["https://b/c?d=e", "file:///srv/g/"]);
    }

    #[test]
    fn an_invalid_variable_is_named() {
        for (name, value) in [
            ("STRIXLOCK_ROUNDS", "0"),
            ("STRIXLOCK_ROUNDS", "4294967296"),
            ("STRIXLOCK_LOG_BYTES", "-1"),
            ("STRIXLOCK_LOG_BYTES", "1M"),
            ("STRIXLOCK_COMPILE_CACHE", "maybe"),
            ("STRIXLOCK_COMPILE_CACHE_BYTES", "5"),
            ("STRIXLOCK_ARCHIVE", "~you/archive"),
            ("STRIXLOCK_ARCHIVE", "oci://r.example/a"),
            ("STRIXLOCK_REMOTES", "oci://r.example/a"),
            ("STRIXLOCK_REMOTES", "a=https://r.example/a b"),
            ("STRIXLOCK_BUILDER", "build.lan:8980"),
            ("STRIXLOCK_BUILDER_PLATFORM", "linux"),
            ("STRIXLOCK_BUILDER_TOKEN", "~you/token"),
            ("STRIXLOCK_MIRRORS", "https://a/"),
            ("STRIXLOCK_MIRRORS", "a=b"),
            ("STRIXLOCK_MIRRORS", "https://a/=~you/b"),
        ] {
            let error = of(name, value).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }
}
