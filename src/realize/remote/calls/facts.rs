//! Facts about the text of a file that is compiled.

use std::collections::BTreeSet;

/// Macros that stand for the time of the compilation.
const TIMES: [&[u8]; 3] = [b"__DATE__", b"__TIME__", b"__TIMESTAMP__"];
/// The words that ask whether a file is there, and that read one as data.
const ASKS: [&[u8]; 2] = [b"__has_include", b"__has_embed"];
const READS: [&[u8]; 2] = [b".incbin", b"#embed"];

/// Facts about a file that is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// True if it mentions a macro for the time.
    pub uses_time: bool,
    /// Names of files that it asks for; `None` if they cannot be told from its text.
    pub asked: Option<BTreeSet<String>>,
    /// Names of files that it includes under any condition.
    pub included: BTreeSet<String>,
}

impl Facts {
    /// Reads the text of a file.
    pub fn of(text: &[u8]) -> Self {
        let has = |word: &[u8]| memchr::memmem::find(text, word).is_some();
        let asked = if READS.iter().any(|word| has(word)) { None } else { asked(text) };
        let lines = text.split(|byte| *byte == b'\n');
        let included = lines.filter_map(included).map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        Self { uses_time: TIMES.iter().any(|word| has(word)), asked, included }
    }
}

/// Returns the name in a line that includes a file.
fn included(line: &[u8]) -> Option<&[u8]> {
    let directive = line.trim_ascii_start().strip_prefix(b"#")?.trim_ascii_start().strip_prefix(b"include")?;
    name(directive.strip_prefix(b"_next").unwrap_or(directive).trim_ascii_start())
}

/// Returns the name between angle brackets or quotation marks at the beginning of a text.
fn name(text: &[u8]) -> Option<&[u8]> {
    let end = match text.first()? {
        b'<' => b'>',
        b'"' => b'"',
        _ => return None,
    };
    text[1..].split(|byte| *byte == end).next()
}

fn asked(text: &[u8]) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for word in ASKS {
        for at in memchr::memmem::find_iter(text, word) {
            let rest = text[at + word.len()..].strip_prefix(b"_next").unwrap_or(&text[at + word.len()..]);
            let rest = rest.trim_ascii_start();
            let Some(argument) = rest.strip_prefix(b"(").map(<[u8]>::trim_ascii_start) else {
                // It asks whether the compiler knows the word, or gives it another name.
                let before = text[..at].trim_ascii_end();
                let before = before.strip_suffix(b"(").map_or(before, <[u8]>::trim_ascii_end);
                let asks = [&b"defined"[..], b"ifdef", b"ifndef", b"elifdef"].iter().any(|word| before.ends_with(word));
                if !asks {
                    return None;
                }
                continue;
            };
            let name = name(argument)?;
            all.insert(String::from_utf8(name.to_vec()).ok()?);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_found_and_other_uses_of_the_word_are_not() {
        let text = "#ifdef __has_include\n#if defined(__has_include) && __has_include (<a/b.h>)\n#if \
                    __has_include_next(\"c.h\")\n";
        assert_eq!(Facts::of(text.as_bytes()).asked, Some(["a/b.h", "c.h"].map(str::to_owned).into()));
        for unknown in
            ["__has_include(NAME)", "#define HAS __has_include\n", "__asm__(\".incbin \\\"x\\\"\")", "#embed \"x\""]
        {
            assert_eq!(Facts::of(unknown.as_bytes()).asked, None, "{unknown}");
        }
        let includes = "  #  include <a/b.h> // c\n#include \"d.h\"\n#include_next <e.h>\n#include NAME\n// #include <f.h>\n#includes";
        assert_eq!(Facts::of(includes.as_bytes()).included, ["a/b.h", "d.h", "e.h"].map(str::to_owned).into());
        assert!(Facts::of(b"puts(__DATE__)").uses_time && !Facts::of(b"puts(__FILE__)").uses_time);
    }
}
