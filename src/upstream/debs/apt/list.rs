//! The one-line format of source lists: `deb [options] URL SUITE COMPONENT...`

use super::{Entry, SourceReader, wrong};
use crate::error::Result;
use crate::upstream::debs::sources::SignedBy;

pub(super) fn read(reader: &mut SourceReader, text: &str) -> Result<()> {
    for line in text.lines() {
        let line = without_comment(line).trim();
        let (kind, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        match kind {
            "" | "deb-src" => continue,
            "deb" => {}
            _ => return Err(wrong(line).hint("apt refuses such a file too")),
        }
        if line.contains('"') {
            let told =
                format!("a line of the apt configuration with quoted words is left out: {}", line.escape_debug());
            reader.left_out.push(told.chars().take(200).collect());
            continue;
        }
        let (options, rest) = match rest.trim_start().strip_prefix('[') {
            None => ("", rest),
            Some(rest) => rest.split_once(']').ok_or_else(|| wrong(line))?,
        };
        let mut words = rest.split_ascii_whitespace();
        let (url, suite) = (words.next().ok_or_else(|| wrong(line))?, words.next().ok_or_else(|| wrong(line))?);
        let mut entry = Entry {
            url,
            suite,
            components: words.map(str::to_owned).collect(),
            signed_by: SignedBy::default(),
            options: Vec::new(),
        };
        let mut wanted = true;
        for option in options.split_ascii_whitespace() {
            let (name, value) = option.split_once('=').ok_or_else(|| wrong(line))?;
            let has = value.split(',').any(|one| one == reader.architecture);
            match name.to_ascii_lowercase().as_str() {
                "arch" => wanted &= has,
                "arch-" => wanted &= !has,
                "arch+" | "lang+" | "lang-" => {}
                "signed-by" => entry.signed_by = SignedBy::parse(value),
                name => entry.options.push((name.to_owned(), value.to_owned())),
            }
        }
        if wanted {
            reader.add(entry)?;
        }
    }
    Ok(())
}

/// Removes a comment from a line. A `#` within brackets does not begin one.
fn without_comment(line: &str) -> &str {
    let mut within = false;
    let end = line.find(|c| {
        within = (within || c == '[') && c != ']';
        c == '#' && !within
    });
    &line[..end.unwrap_or(line.len())]
}
