//! Lists of mirrors: `mirror+file:/etc/apt/mirrors.txt`, one URL a line, best first or with a `priority:`.

use std::path::Path;

use url::Url;

use super::{Left, archive};

/// Reads the URLs of a list of mirrors. The error says why its source is left out.
pub(super) fn read(path: &str, architecture: &str) -> Result<Vec<Url>, String> {
    let path = format!("/{}", path.trim_start_matches('/'));
    let unread = |why: &dyn std::fmt::Display| format!("its list of mirrors cannot be read: {why}");
    let bytes = fs_err::read(Path::new(&path)).map_err(|error| unread(&error))?;
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&bytes).lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let url = words.next().unwrap_or_default().replace("$(ARCH)", architecture);
        let mut priority = u64::MAX;
        for word in words {
            match word.split_once(':') {
                Some(("priority", number)) => priority = number.parse().map_err(|_| unread(&format!("`{word}`")))?,
                _ => return Err(unread(&format!("`{}` for one of them is not followed", word.escape_debug()))),
            }
        }
        let url = archive(&url).map_err(|left| match left {
            Left::Out(why) => unread(&why),
            Left::Wrong(error) => unread(&error.message()),
        })?;
        found.push((priority, url));
    }
    found.sort_by_key(|(priority, _)| *priority);
    if found.is_empty() { Err(unread(&"it is empty")) } else { Ok(found.into_iter().map(|(_, url)| url).collect()) }
}
