//! The opposite of a patch: it applies where the patch has been applied already.

/// Returns a patch that undoes a patch. What is no part of a diff, such as a mail's head, is left out.
pub(super) fn reversed(patch: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // Lines of the current hunk that are still to come, of the old and of the new file.
    let (mut old, mut new) = (0_u64, 0_u64);
    let mut before: Option<&[u8]> = None;
    for line in patch.split_inclusive(|byte| *byte == b'\n') {
        let swapped = |first: u8| [&[first], &line[1..]].concat();
        match line.first() {
            Some(b'+') if new > 0 => {
                new -= 1;
                out.extend(swapped(b'-'));
            }
            Some(b'-') if old > 0 => {
                old -= 1;
                out.extend(swapped(b'+'));
            }
            Some(b' ' | b'\n') if old > 0 && new > 0 => {
                (old, new) = (old - 1, new - 1);
                out.extend(line);
            }
            Some(b'\\') => out.extend(line),
            _ => match head(line) {
                Head::Old(name) => before = Some(name),
                Head::New(name) => {
                    out.extend(
                        [b"--- ", &other(name, b"a/")[..], b"\n+++ ", &other(before.unwrap_or_default(), b"b/"), b"\n"]
                            .concat(),
                    );
                }
                Head::Hunk(from, to) => {
                    (old, new) = (from.1, to.1);
                    out.extend(format!("@@ -{},{} +{},{} @@\n", to.0, to.1, from.0, from.1).into_bytes());
                }
                Head::Line(text) => out.extend(text),
                Head::Other => {}
            },
        }
    }
    out
}

/// A line outside of the lines of a hunk.
enum Head<'l> {
    Old(&'l [u8]),
    New(&'l [u8]),
    /// Starts and lengths in the old and the new file.
    Hunk((u64, u64), (u64, u64)),
    /// A line that stands in the opposite.
    Line(Vec<u8>),
    Other,
}

/// Beginnings of lines, and those in their place in the opposite.
const PAIRS: [(&str, &str); 6] = [
    ("new file mode ", "deleted file mode "),
    ("deleted file mode ", "new file mode "),
    ("old mode ", "new mode "),
    ("new mode ", "old mode "),
    ("rename from ", "rename to "),
    ("rename to ", "rename from "),
];

fn head(line: &[u8]) -> Head<'_> {
    let plain = line.strip_suffix(b"\n").unwrap_or(line);
    if let Some(name) = plain.strip_prefix(b"--- ") {
        return Head::Old(name);
    }
    if let Some(name) = plain.strip_prefix(b"+++ ") {
        return Head::New(name);
    }
    if let Some(hunk) = hunk(plain) {
        return Head::Hunk(hunk.0, hunk.1);
    }
    let pair = PAIRS.iter().find_map(|(this, that)| Some((that, line.strip_prefix(this.as_bytes())?)));
    if let Some((that, rest)) = pair {
        return Head::Line([that.as_bytes(), rest].concat());
    }
    // Names with spaces are ambiguous here; the lines that follow name them again.
    let names = plain.strip_prefix(b"diff --git a/").map(String::from_utf8_lossy);
    if let Some((old, new)) = names.as_ref().and_then(|names| names.split_once(" b/")) {
        return Head::Line(format!("diff --git a/{new} b/{old}\n").into_bytes());
    }
    if plain.starts_with(b"similarity index ") { Head::Line(line.to_vec()) } else { Head::Other }
}

/// Returns a name in the other file of the pair: `a/x` for `b/x`. `/dev/null` stays.
fn other(name: &[u8], side: &[u8]) -> Vec<u8> {
    match name {
        [b'a' | b'b', b'/', rest @ ..] => [side, rest].concat(),
        _ => name.to_vec(),
    }
}

/// Parses `@@ -1,2 +3,4 @@`, where a missing length is 1.
fn hunk(line: &[u8]) -> Option<((u64, u64), (u64, u64))> {
    let text = String::from_utf8_lossy(line);
    let (ranges, _) = text.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let range = |text: &str| match text.split_once(',') {
        Some((start, length)) => Some((start.parse().ok()?, length.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    };
    Some((range(old)?, range(new)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "From: somebody\n\n---\n a | 2 +-\n\ndiff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n\
                         @@ -1,3 +1,2 @@ text\n one\n---- a/dash\n-two\n+three\n\\ No newline at end of file\n\
                         diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\n-- \n2.47\n";

    #[test]
    fn the_opposite_of_a_patch_has_its_lines_swapped() {
        let text = String::from_utf8(reversed(PATCH.as_bytes())).unwrap();
        assert_eq!(
            text,
            "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,3 @@\n one\n+--- a/dash\n+two\n-three\n\
             \\ No newline at end of file\ndiff --git a/n b/n\ndeleted file mode 100644\n--- b/n\n+++ /dev/null\n\
             @@ -1,1 +0,0 @@\n-new\n"
                .replace("--- b/n", "--- a/n")
        );
    }

    #[test]
    fn odd_patches_have_an_opposite_too() {
        for text in ["", "@@ -1 +1 @@\n", "@@ -99999999999999999999 +1 @@\n+\n", "+++ b/x", "+", "diff --git a/x"] {
            assert!(reversed(text.as_bytes()).len() < 64, "{text}");
        }
    }
}
