//! Addresses of submodules: `.gitmodules`, parsed like git's configuration, and the resolution of relative addresses.

use std::collections::BTreeMap;
use std::io::Write as _;

use git2::Tree;

use super::address::Address;
use super::{Repository, bounds, is_git_url, names};
use crate::error::{Error, Kind, Result};
use crate::tree::named;

const FILE: &str = ".gitmodules";

/// Returns the URLs of the submodules at these paths of a tree. Fails if `.gitmodules` has no address for one of them.
/// Its entries for other paths are ignored.
pub(super) fn urls(
    repository: &Repository,
    tree: &Tree,
    links: &[(Vec<u8>, String)],
) -> Result<BTreeMap<Vec<u8>, String>> {
    if links.is_empty() {
        return Ok(BTreeMap::new());
    }
    let known = modules(repository, tree)?;
    let base = repository.base();
    let mut urls = BTreeMap::new();
    for (path, commit) in links {
        let error = |message: &str| {
            Error::new(Kind::Invalid, message).fact("path", named(path)).fact("repository", repository.shown())
        };
        let said = match known.get(path).map(Vec::as_slice) {
            Some([one]) => one,
            Some(several) if !several.is_empty() => {
                return Err(error("`.gitmodules` has several addresses for one submodule")
                    .fact("addresses", several.join(", ")));
            }
            _ => {
                return Err(error("a submodule has no address: `.gitmodules` does not say where it comes from")
                    .fact("commit", commit)
                    .hint("git cannot fetch it either; name another commit of the repository"));
            }
        };
        let url = absolute(&base, said);
        let refused =
            || error("a submodule has an address that cannot be used").fact("url", said).fact("relative to", &base);
        let url = url.ok_or_else(refused)?;
        // Only a repository on this machine may name another one on this machine.
        if is_local(&url) && !is_local(&base) || !is_git_url(&url) {
            return Err(refused());
        }
        urls.insert(path.clone(), url);
    }
    Ok(urls)
}

/// Returns whether an address names a repository on this machine, however its scheme is written.
fn is_local(address: &str) -> bool {
    matches!(Address::parse(address), Some(Address::Local(_)))
}

/// Returns the addresses in a tree's `.gitmodules`, by path.
fn modules(repository: &Repository, tree: &Tree) -> Result<BTreeMap<Vec<u8>, Vec<String>>> {
    let trouble = |error: git2::Error| repository.trouble(&error);
    let Some(entry) = tree.get_name(FILE) else { return Ok(BTreeMap::new()) };
    let error = |why: &str| Error::new(Kind::Invalid, format!("`{FILE}` {why}")).fact("repository", repository.shown());
    if [names::TREE, names::LINK, names::COMMIT].contains(&entry.filemode_raw()) {
        return Err(error("is not a file"));
    }
    let size = repository.cache.odb().and_then(|odb| odb.read_header(entry.id())).map_err(trouble)?.0;
    if size as u64 > bounds::MODULES {
        return Err(error("is too long").fact("limit", format!("{} bytes", bounds::MODULES)));
    }
    let blob = repository.cache.find_blob(entry.id()).map_err(trouble)?;
    parse(blob.content(), repository.cache.path())
        .map_err(|why| error("cannot be read as git's configuration").because(&why))
}

/// A section of `.gitmodules`.
#[derive(Default)]
struct Module {
    path: Option<Vec<u8>>,
    url: Option<String>,
}

/// Returns the addresses in the text of `.gitmodules`, by path. libgit2 parses it; since it parses only files, the text
/// is written to a temporary file in `scratch`.
fn parse(text: &[u8], scratch: &std::path::Path) -> Result<BTreeMap<Vec<u8>, Vec<String>>, git2::Error> {
    // In a file, `[include]` would read other files of this machine; git itself ignores it in a repository. Section
    // names have no escapes, so every such section contains exactly these bytes.
    let include = b"[include";
    if text.windows(include.len()).any(|part| part.eq_ignore_ascii_case(include)) {
        return Err(git2::Error::from_str("it has a section `include`, which is not allowed"));
    }
    let failed = |error: std::io::Error| git2::Error::from_str(&error.to_string());
    let mut file = tempfile::NamedTempFile::new_in(scratch).map_err(failed)?;
    file.write_all(text).map_err(failed)?;
    let config = git2::Config::open(file.path())?;
    let mut by_name: BTreeMap<Vec<u8>, Module> = BTreeMap::new();
    config.entries(None)?.for_each(|entry| {
        let Some(rest) = entry.name_bytes().strip_prefix(b"submodule.") else { return };
        let Some(dot) = rest.iter().rposition(|byte| *byte == b'.').filter(|_| entry.has_value()) else { return };
        let (name, key) = (&rest[..dot], &rest[dot + 1..]);
        let module = by_name.entry(name.to_vec()).or_default();
        // The last of several values wins.
        match key {
            b"path" => module.path = Some(entry.value_bytes().to_vec()),
            b"url" => module.url = Some(String::from_utf8_lossy(entry.value_bytes()).into_owned()),
            _ => {}
        }
    })?;
    let mut by_path: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    for module in by_name.into_values() {
        if let (Some(path), Some(url)) = (module.path, module.url) {
            let urls = by_path.entry(path).or_default();
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    Ok(by_path)
}

/// Resolves an address as git does, textually: each `../` removes the last part of the base, after a slash or, in
/// `user@host:path`, after the colon. Returns `None` if that would remove the host.
fn absolute(base: &str, url: &str) -> Option<String> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return Some(url.to_owned());
    }
    let begin = base.find("://").map_or(0, |at| at + 3);
    let (scheme, mut rest) = base.split_at(begin);
    rest = rest.strip_suffix('/').unwrap_or(rest);
    let (mut url, mut separator) = (url, '/');
    loop {
        if let Some(left) = url.strip_prefix("../") {
            let cut = match (rest.rfind('/'), rest.rfind(':')) {
                // In a URL with a host, the slash after the host is the first that counts.
                (Some(slash), _) if scheme.is_empty() || slash > 0 || scheme == "file://" => slash,
                (None, Some(colon)) if scheme.is_empty() && separator == '/' => {
                    separator = ':';
                    colon
                }
                _ => return None,
            };
            (rest, url) = (&rest[..cut], left);
        } else if let Some(left) = url.strip_prefix("./") {
            url = left;
        } else {
            break;
        }
    }
    let url = url.strip_suffix('/').unwrap_or(url);
    Some(format!("{scheme}{rest}{separator}{url}"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_local_address_is_known_however_its_scheme_is_written() {
        for local in ["file:///o/r", "FILE:///o/r", "File:///o/r", "file:/o/r"] {
            assert!(is_local(local), "{local}");
        }
        for remote in ["https://h.example/o/r", "ssh://git@h.example/o/r", "git@h.example:o/r"] {
            assert!(!is_local(remote), "{remote}");
        }
    }

    fn git(directory: &std::path::Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(directory).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = command.env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn gitmodules_are_read_as_git_reads_its_configuration() {
        let directory = tempfile::tempdir().unwrap();
        for (text, path, url) in [
            ("[submodule \"a\"]\n\tpath = vendor/a\n\turl = ../a.git\n", "vendor/a", "../a.git"),
            ("[submodule \"a\"] path = a # comment\nurl = https://h/a ; more\n", "a", "https://h/a"),
            ("[SubModule \"a\"]\nPATH=a\nURL=\"https://h/a#b\"\n", "a", "https://h/a#b"),
            ("[submodule \"a\"]\nurl = https://h/\\\na\npath = \"a \" # c\n", "a ", "https://h/a"),
            ("[submodule \"a\"]\npath = one\npath = a\nurl = x\nurl = https://h/a\n", "a", "https://h/a"),
            (
                "[submodule \"a\"]\npath = a\n[core]\nurl = b\n[submodule \"a\"]\nurl = https://h/a\n",
                "a",
                "https://h/a",
            ),
            ("\u{feff}[submodule \"a\"]\r\n\tpath = a\r\n\turl = https://h/a\r\n", "a", "https://h/a"),
            ("[submodule \"a\"]\npath = \"a\\tb\"\nurl = https://h/a\n", "a\tb", "https://h/a"),
        ] {
            let found = parse(text.as_bytes(), directory.path()).unwrap();
            assert_eq!(found, BTreeMap::from([(path.as_bytes().to_vec(), vec![url.to_owned()])]), "{text}");
            // Git's own opinion.
            std::fs::write(directory.path().join("modules"), text).unwrap();
            let ask = |key: &str| git(directory.path(), &["config", "-f", "modules", &format!("submodule.a.{key}")]);
            assert_eq!((ask("path").as_str(), ask("url").as_str()), (path.trim(), url), "{text}");
        }
        let others = "[submodule \"x\"]\nurl = https://h/x\n[submodule]\npath = y\n[submodule \"z\"]\npath\nurl = z\n";
        assert_eq!(parse(others.as_bytes(), directory.path()).unwrap(), BTreeMap::new());
        let twice = "[submodule \"x\"]\npath=a\nurl=u\n[submodule \"y\"]\npath=a\nurl=v\n";
        assert_eq!(parse(twice.as_bytes(), directory.path()).unwrap()[b"a".as_slice()], ["u", "v"]);
    }

    #[test]
    fn nothing_is_included_and_damage_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let other = directory.path().join("other");
        std::fs::write(&other, "[submodule \"a\"]\npath = a\nurl = https://h/a\n").unwrap();
        for text in [
            format!("[include]\n\tpath = {}\n", other.display()),
            format!("[core] a = b\n  [InClude]path = {}\n", other.display()),
            format!("[includeIf \"gitdir:/\"]\n\tpath = {}\n", other.display()),
        ] {
            let error = parse(text.as_bytes(), directory.path()).unwrap_err();
            assert!(error.message().contains("section `include`"), "{error}");
        }
        for damaged in ["[submodule \"a\n", "[submodule \"a\"]\n=x\n"] {
            assert!(parse(damaged.as_bytes(), directory.path()).is_err(), "{damaged}");
        }
    }

    #[test]
    fn relative_addresses_are_resolved_as_git_resolves_them() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        git(here, &["init", "-q", "."]);
        git(here, &["update-index", "--add", "--cacheinfo", "160000,0123456789012345678901234567890123456789,a"]);
        for (base, relative, expected) in [
            ("https://h.example/o/r.git", "../a.git", "https://h.example/o/a.git"),
            ("https://h.example/o/r.git/", "../a.git/", "https://h.example/o/a.git"),
            ("https://h.example/o/r", "../../p/a", "https://h.example/p/a"),
            ("https://h.example/o/r", "./a", "https://h.example/o/r/a"),
            ("https://h.example/o/r", "./../a", "https://h.example/o/a"),
            ("https://h.example:8443/o/r", "../a", "https://h.example:8443/o/a"),
            ("ssh://git@h.example:22/o/r", "../a", "ssh://git@h.example:22/o/a"),
            ("git@h.example:o/r", "../a.git", "git@h.example:o/a.git"),
            ("git@h.example:o/r", "../../a.git", "git@h.example:a.git"),
            ("git@h.example:r.git", "../a.git", "git@h.example:a.git"),
            ("git@h.example:/srv/r.git", "../a.git", "git@h.example:/srv/a.git"),
            ("git@h.example:o/p/r", "./a", "git@h.example:o/p/r/a"),
            ("file:///srv/r", "../a", "file:///srv/a"),
            ("https://h.example/o/r", "https://x.example/a", "https://x.example/a"),
        ] {
            assert_eq!(absolute(base, relative).as_deref(), Some(expected), "{base} {relative}");
            std::fs::write(here.join(FILE), format!("[submodule \"a\"]\npath = a\nurl = {relative}\n")).unwrap();
            git(here, &["config", "--remove-section", "submodule.a"]);
            git(here, &["config", "remote.origin.url", base]);
            git(here, &["submodule", "-q", "init"]);
            assert_eq!(git(here, &["config", "submodule.a.url"]), expected, "git of {base} {relative}");
        }
        for (base, relative) in
            [("https://h.example/r", "../../a"), ("git@h.example:r", "../../a"), ("ssh://h.example", "../a")]
        {
            assert_eq!(absolute(base, relative), None, "{base} {relative}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_addresses_give_an_answer(base in "([a-z]{1,5}://)?[a-z@:/.]{0,12}", url in "[./a]{0,12}") {
            let _ = absolute(&base, &url);
        }
    }
}
