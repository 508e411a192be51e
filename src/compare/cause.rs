//! Likely causes of a difference between two builds, guessed from the bytes around it, and their remedies.

use serde::Serialize;

use super::excerpt::Excerpt;

/// A likely cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// `__hip_cuid_<hash>`.
    HipCuid,
    /// The linker's build id.
    BuildId,
    /// A path below `/build`.
    BuildPath,
    /// Another absolute path.
    Path,
    /// A date or time.
    Time,
    /// Options or properties that name features of a processor.
    Cpu,
    /// The compiler's version.
    Compiler,
    /// Owner, group or mode in the header of an archive's member.
    Metadata,
    /// Bytes that look random.
    Random,
    /// A consequence of another difference: sizes and addresses moved.
    Consequence,
    /// An unknown cause.
    Unknown,
}

impl Cause {
    /// Returns a description with the remedy, for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::HipCuid => {
                "`__hip_cuid_`, which the HIP compiler derives from paths and options; a fixed -cuid for each object \
                 avoids it"
            }
            Self::BuildId => "the linker's build id; it follows from other differences unless it is random",
            Self::BuildPath => "a path of the build directory; -ffile-prefix-map avoids it",
            Self::Path => "an absolute path",
            Self::Time => "a date or time; programs should take it from SOURCE_DATE_EPOCH",
            Self::Cpu => "features of the processor that built it; -march or GGML_NATIVE=OFF avoids it",
            Self::Compiler => "another compiler",
            Self::Metadata => "owner, group or mode in an archive; `ar` in deterministic mode (D) avoids it",
            Self::Random => "bytes that look random",
            Self::Consequence => "it follows from another difference",
            Self::Unknown => "unknown",
        }
    }
}

/// Guesses the cause of one difference from both excerpts around it. `part` is the section or member that contains it.
pub(super) fn guess(part: &str, one: &Excerpt, other: &Excerpt, run: u64) -> Option<Cause> {
    let (a, b) = (one.text(), other.text());
    if part.ends_with(".note.gnu.build-id") {
        return Some(Cause::BuildId);
    }
    if part.ends_with(".note.gnu.property") {
        return Some(Cause::Cpu);
    }
    if a.contains("__hip_cuid_") || b.contains("__hip_cuid_") {
        return Some(Cause::HipCuid);
    }
    if part.ends_with(".comment") {
        return Some(Cause::Compiler);
    }
    if times(a) != times(b) {
        return Some(Cause::Time);
    }
    let (a_paths, b_paths) = (paths(a), paths(b));
    if a_paths != b_paths {
        let of_build = |paths: &[&str]| paths.iter().any(|path| *path == "/build" || path.starts_with("/build/"));
        let build = of_build(&a_paths) || of_build(&b_paths);
        return Some(if build { Cause::BuildPath } else { Cause::Path });
    }
    if names_cpu(a) || names_cpu(b) {
        return Some(Cause::Cpu);
    }
    // Code and tables of addresses have too many numbers that look like times.
    let data = part.is_empty() || part.ends_with("data");
    if data && is_binary_time(one, other, run) {
        return Some(Cause::Time);
    }
    looks_random(one.ahead(), other.ahead(), run).then_some(Cause::Random)
}

/// Returns the dates and times in a text: `Nov 24 2026`, `12:34:56`, `2026-11-24`, and seconds since 1970.
fn times(text: &str) -> Vec<&str> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let digits = |pattern: &str, at: usize| {
        let piece = text.get(at..at + pattern.len())?;
        let fits = piece.bytes().zip(pattern.bytes()).all(|(found, wanted)| match wanted {
            b'0' => found.is_ascii_digit(),
            b' ' => found == b' ' || found.is_ascii_digit(),
            other => found == other,
        });
        fits.then_some(piece)
    };
    let mut found = Vec::new();
    for at in 0..text.len() {
        let inside_number = at > 0 && text.as_bytes()[at - 1].is_ascii_digit();
        if inside_number || !text.is_char_boundary(at) {
            continue;
        }
        let month = text.get(at..at + 3).filter(|month| MONTHS.contains(month));
        let named = month.and_then(|_| digits("  0 0000", at + 3).map(|_| &text[at..at + 11]));
        let clock = digits("00:00:00", at).or_else(|| digits("0000-00-00", at));
        // A separate number, not part of a hexadecimal text.
        let apart = |piece: Option<char>| piece.is_none_or(|c| !c.is_ascii_alphanumeric());
        let epoch = digits("1000000000", at)
            .filter(|_| apart(text[..at].chars().next_back()) && apart(text[at + 10..].chars().next()));
        found.extend(named.or(clock).or(epoch));
    }
    found
}

/// Returns the absolute paths of at least two parts in a text.
fn paths(text: &str) -> Vec<&str> {
    let belongs = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    let words = text.split(|c: char| !belongs(c)).filter_map(|word| word.find('/').map(|at| &word[at..]));
    words.filter(|word| word.len() > 3 && word[1..].contains('/')).collect()
}

fn names_cpu(text: &str) -> bool {
    ["-march=", "-mtune=", "-mcpu=", "-mavx", "avx512", "znver"].iter().any(|word| text.contains(word))
}

/// Returns whether both have a binary number there that can be seconds since 1970: of this century, and not far apart.
fn is_binary_time(one: &Excerpt, other: &Excerpt, run: u64) -> bool {
    const PLAUSIBLE: std::ops::Range<u32> = 1_262_304_000..2_208_988_800;
    const NEAR: u32 = 400 * 86_400;
    let read = |around: &Excerpt, back: usize| {
        let (bytes, at) = around.all();
        let start = at.checked_sub(back)?;
        let four = bytes.get(start..start + 4).filter(|four| four.iter().any(|byte| !byte.is_ascii_graphic()))?;
        Some(u32::from_le_bytes(four.try_into().ok()?)).filter(|time| PLAUSIBLE.contains(time))
    };
    // The first differing byte may be any of the four.
    run <= 4
        && (0..4).any(|back| match (read(one, back), read(other, back)) {
            (Some(a), Some(b)) => a != b && a.abs_diff(b) < NEAR,
            _ => false,
        })
}

/// Returns whether both look like random bytes or hexadecimal digits: long, mostly different, and with varied values.
fn looks_random(one: &[u8], other: &[u8], run: u64) -> bool {
    let length = usize::try_from(run).unwrap_or(usize::MAX).min(one.len()).min(other.len()).min(64);
    if length < 8 {
        return false;
    }
    let (one, other) = (&one[..length], &other[..length]);
    let different = one.iter().zip(other).filter(|(a, b)| a != b).count();
    let varied = |bytes: &[u8]| {
        let mut sorted = bytes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let hexadecimal = bytes.iter().all(u8::is_ascii_hexdigit);
        sorted.len() >= if hexadecimal { (length / 4).min(6) } else { length / 2 }
    };
    different * 4 >= length * 3 && varied(one) && varied(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::FileBytes;

    fn judged(part: &str, one: &[u8], other: &[u8]) -> Option<Cause> {
        let differing =
            crate::compare::bytes::differing(&FileBytes::memory(one), &FileBytes::memory(other)).unwrap().unwrap();
        let (start, end) = differing.runs[0];
        let around = |bytes| Excerpt::read(&FileBytes::memory(bytes), start).unwrap();
        guess(part, &around(one), &around(other), end - start)
    }

    #[test]
    fn causes_are_told_apart() {
        for (part, one, other, cause) in [
            (".rodata", b"\0built Nov 24 2026\0".as_slice(), b"\0built Nov 25 2026\0".as_slice(), Some(Cause::Time)),
            (".rodata", b"on Nov  4 2026", b"on Nov  5 2026", Some(Cause::Time)),
            (".rodata", b"12:34:56", b"12:34:57", Some(Cause::Time)),
            ("", b"date 2026-11-24.", b"date 2026-11-25.", Some(Cause::Time)),
            ("", b"epoch=1764000000", b"epoch=1764000001", Some(Cause::Time)),
            ("", &1_764_000_000u32.to_le_bytes(), &1_764_003_600u32.to_le_bytes(), Some(Cause::Time)),
            (".rodata", b"/build/out-1/x.c", b"/build/out-2/x.c", Some(Cause::BuildPath)),
            (".rodata", b"\0/home/a/x.c\0", b"\0/home/b/x.c\0", Some(Cause::Path)),
            (".symtab", b"\0__hip_cuid_0123\0", b"\0__hip_cuid_4567\0", Some(Cause::HipCuid)),
            (".note.gnu.build-id", b"\x01", b"\x02", Some(Cause::BuildId)),
            (".comment", b"GCC: 12", b"GCC: 13", Some(Cause::Compiler)),
            (".rodata", b"gcc -march=znver4", b"gcc -march=znver5", Some(Cause::Cpu)),
            (
                ".data",
                b"\x91\x07\xe2\x33\x5a\xc8\x1f\x6d\x20",
                b"\x12\xd8\x03\xf4\x8b\x76\xae\x99\x41",
                Some(Cause::Random),
            ),
            ("", b"id 91f7e2335ac81f6d", b"id 12d803f48b76ae99", Some(Cause::Random)),
            ("", b"since 1764000000.", b"since 1764003600.", Some(Cause::Time)),
            ("", b"id c1764000000e8f2a", b"id 0b91f7e2335a61cd", Some(Cause::Random)),
            (".text", b"\x01\x02", b"\x01\x03", None),
            ("", b"some words", b"more words", None),
        ] {
            let text = String::from_utf8_lossy(one);
            assert_eq!(judged(part, one, other), cause, "{part} {text}");
            assert_eq!(judged(part, other, one), cause, "{part} {text}");
        }
    }
}
