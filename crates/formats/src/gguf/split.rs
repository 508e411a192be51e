//! Models in several files: as llama.cpp's `llama-gguf-split` writes them, and as people cut them by hand.
//!
//! The tool names parts `NAME-00001-of-00003.gguf`, and puts into each header the part's number (`split.no`, from 0),
//! the number of parts (`split.count`), and the number of tensors in all of them (`split.tensors.count`). Only the
//! first has the rest of the metadata. llama.cpp goes by the headers: with a wrong one it reads less than the model,
//! or nothing.

use super::Header;

/// The place of a part, by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u64,
    /// Number of parts.
    pub of: u64,
    /// Number of tensors in all of them.
    pub tensors: Option<u64>,
}

/// The place of a part, by its file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartName<'a> {
    /// Text before the numbers.
    pub stem: &'a str,
    /// Its number, from 1.
    pub number: u32,
    /// Number of parts.
    pub of: u32,
}

impl<'a> PartName<'a> {
    /// Parses `...-00002-of-00004.gguf`.
    #[must_use]
    pub fn parse(path: &'a str) -> Option<Self> {
        let stem = path.strip_suffix(".gguf")?;
        let (rest, of) = stem.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| {
            let plain = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse::<u32>().ok())?
        };
        let (number, of) = (digits(number)?, digits(of)?);
        (1..=of).contains(&number).then_some(Self { stem, number, of })
    }
}

/// A piece of a file that was cut at arbitrary offsets: `x.gguf.part1of2`, `x.gguf-split-a`, `x.gguf.001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The name of the whole file.
    pub whole: &'a str,
    /// Number of pieces, if the name tells.
    pub of: Option<u32>,
}

impl<'a> Piece<'a> {
    /// Parses the name of a piece.
    #[must_use]
    pub fn parse(path: &'a str) -> Option<Self> {
        let lower = path.to_ascii_lowercase();
        // The lower-case text has the same bytes at the same offsets.
        let end = lower.rfind(".gguf")? + ".gguf".len();
        let (whole, rest) = (path.get(..end)?, lower.get(end..)?);
        let rest = rest.strip_prefix(['.', '-', '_'])?;
        let word = ["part", "split", "chunk", "piece"].iter().find_map(|word| rest.strip_prefix(word));
        let number = word.unwrap_or(rest).trim_start_matches(['.', '-', '_']);
        let (number, of) = number.split_once("of").map_or((number, None), |(number, of)| {
            (number.trim_end_matches(['.', '-', '_']), Some(of.trim_start_matches(['.', '-', '_'])))
        });
        let is_number = |text: &str| !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
        let is_letters =
            |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_lowercase());
        let fits = match (word, of) {
            (_, Some(of)) => is_number(number) && is_number(of),
            (Some(_), None) => is_number(number) || is_letters(number),
            // `split` names pieces `aa`, `ab`; other endings of two letters are types of files.
            (None, None) => {
                number.len() >= 2
                    && (is_number(number) || is_letters(number) && number.starts_with('a') && number.len() == 2)
            }
        };
        fits.then(|| Self { whole, of: of.and_then(|of| of.parse().ok()) })
    }

    /// Returns a warning that this file is only a piece.
    #[must_use]
    pub fn warning(&self) -> String {
        let of = self.of.map_or_else(|| "several".to_owned(), |of| of.to_string());
        format!("this is one of {of} pieces of `{}`, which must be joined: nothing reads a piece alone", self.whole)
    }
}

/// Describes a contradiction among the headers of a model's files, or a missing part; `None` if they form a whole
/// model.
#[must_use]
pub fn contradiction(files: &[(&str, &Header)]) -> Option<String> {
    let count = files.len() as u64;
    for ((path, header), number) in files.iter().zip(1..) {
        let why = match header.part {
            None if count == 1 => continue,
            None => format!("`{path}` is part {number} of {count} by its name, but its header does not name a part"),
            Some(part) if part.of != count && count == 1 => {
                format!(
                    "`{path}` is part {} of {} by its header, and no other part is beside it under such a name",
                    part.number, part.of
                )
            }
            Some(part) if part.of != count => {
                format!("`{path}` is one of {} parts by its header, but one of {count} by its name", part.of)
            }
            Some(part) if part.number != number => {
                format!("`{path}` is part {} by its header, but part {number} by its name", part.number)
            }
            Some(_) => continue,
        };
        return Some(why);
    }
    let together = files.iter().fold(0u64, |sum, (_, header)| sum.saturating_add(header.tensors));
    files.iter().find_map(|(path, header)| {
        let said = header.part?.tensors?;
        (said != together).then(|| format!("the parts have {together} tensors in total, but `{path}` declares {said}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_known_by_their_names() {
        for (name, whole, of) in [
            ("a/m-Q4_K_M.gguf.part1of2", "a/m-Q4_K_M.gguf", Some(2)),
            ("m.i1-Q6_K.gguf.part2of3", "m.i1-Q6_K.gguf", Some(3)),
            ("m.gguf-split-a", "m.gguf", None),
            ("m.gguf-split-ab", "m.gguf", None),
            ("m.GGUF.Part-1-of-2", "m.GGUF", Some(2)),
            ("m.gguf.part_aa", "m.gguf", None),
            ("m.gguf.part1", "m.gguf", None),
            ("m.gguf.00", "m.gguf", None),
            ("m.gguf.001", "m.gguf", None),
            ("m.gguf.aa", "m.gguf", None),
        ] {
            assert_eq!(Piece::parse(name), Some(Piece { whole, of }), "{name}");
        }
        for other in [
            "m.gguf",
            "imatrix_unsloth.gguf_file",
            "m.gguf.json",
            "m.gguf.sha256",
            "m.gguf.md",
            "m.gguf.gz",
            "m.gguf.",
            "m.gguf.partial",
            "m.gguf.part",
            "part1of2",
            "m-00001-of-00002.gguf",
            "m.gguf.1",
            "m.gguf.partofx",
        ] {
            assert_eq!(Piece::parse(other), None, "{other}");
        }
        assert_eq!(
            Piece::parse("m.gguf.part1of2").unwrap().warning(),
            "this is one of 2 pieces of `m.gguf`, which must be joined: nothing reads a piece alone"
        );
    }

    #[test]
    fn names_of_parts_have_five_digits() {
        let name = PartName { stem: "a/m", number: 2, of: 4 };
        assert_eq!(PartName::parse("a/m-00002-of-00004.gguf"), Some(name));
        for other in
            ["m-00005-of-00004.gguf", "m-00000-of-00004.gguf", "m-2-of-4.gguf", "m-+0002-of-00004.gguf", "m.gguf"]
        {
            assert_eq!(PartName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_parts_say_against_each_other_is_found() {
        let header = |part: Option<(u64, u64, Option<u64>)>, tensors| Header {
            part: part.map(|(number, of, tensors)| Part { number, of, tensors }),
            tensors,
            ..Header::default()
        };
        let (none, one, two) = (header(None, 3), header(Some((1, 2, Some(5))), 3), header(Some((2, 2, Some(5))), 2));
        let alone = header(Some((1, 1, Some(3))), 3);
        // With `--no-tensor-first-split` the first part holds metadata alone.
        let (bare, rest) = (header(Some((1, 2, Some(5))), 0), header(Some((2, 2, Some(5))), 5));
        for good in
            [&[("a", &none)] as &[_], &[("a", &one), ("b", &two)], &[("a", &alone)], &[("a", &bare), ("b", &rest)]]
        {
            assert_eq!(contradiction(good), None);
        }
        let four = header(Some((1, 4, None)), 3);
        let short = header(Some((2, 2, None)), 1);
        for (bad, why) in [
            (
                &[("a", &one)] as &[_],
                "`a` is part 1 of 2 by its header, and no other part is beside it under such a name",
            ),
            (&[("a", &two), ("b", &one)], "`a` is part 2 by its header, but part 1 by its name"),
            (&[("a", &four), ("b", &two)], "`a` is one of 4 parts by its header, but one of 2 by its name"),
            (&[("a", &one), ("b", &none)], "`b` is part 2 of 2 by its name, but its header does not name a part"),
            (&[("a", &one), ("b", &short)], "the parts have 4 tensors in total, but `a` declares 5"),
        ] {
            assert_eq!(contradiction(bad).as_deref(), Some(why));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_gives_an_answer(name in "\\PC{0,12}(\\.gguf)?[-._]?(part|split)?\\PC{0,12}") {
            let _ = (Piece::parse(&name), PartName::parse(&name));
        }
    }
}
