//! The start options of llama.cpp's server, as far as they have other names in other versions.
//!
//! On Strix Halo a model that is mapped into memory is slow to reach for the GPU's driver. The option that prevents it was
//! `--no-mmap` until September 2026 and is `--load-mode none` since; either ends a program that does not know it. Which one
//! a version has, its sources say: `common/arg.cpp` holds every option as a string literal.

use crate::error::Result;
use crate::llama_source;
use crate::store::StoredTree;

/// File in which llama.cpp's options are.
const OPTIONS: &str = "common/arg.cpp";
/// The forms of the option, the newest first.
const UNMAPPED: [&[&str]; 2] = [&["--load-mode", "none"], &["--no-mmap"]];

/// Returns the words that keep a model out of memory maps in this version of llama.cpp: no words where it has no such option.
/// Nothing is returned for sources that are not llama.cpp's.
pub fn unmapped(source: &StoredTree) -> Result<Option<Vec<String>>> {
    Ok(llama_source::read(source, OPTIONS)?.map(|text| in_source(&text)))
}

fn in_source(text: &str) -> Vec<String> {
    let known = UNMAPPED.iter().find(|words| text.contains(&format!("\"{}\"", words[0])));
    known.map(|words| words.iter().map(|word| (*word).to_owned()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as they stand in the sources of three ages, and of one that might come.
    #[test]
    fn the_words_are_those_of_the_version() {
        let old = r#"add_opt(common_arg({"--mmap"}, {"--no-mmap"}, "whether to memory-map model", "#;
        let both = r#"{"-lm", "--load-mode"}, "MODE", {"--mmap"}, {"--no-mmap"}, "DEPRECATED in favor of --load-mode""#;
        let new = r#"add_opt(common_arg({"-lm", "--load-mode"}, "MODE", "model loading mode (default: auto)","#;
        assert_eq!(in_source(old), ["--no-mmap"]);
        assert_eq!(in_source(both), ["--load-mode", "none"]);
        assert_eq!(in_source(new), ["--load-mode", "none"]);
        assert_eq!(in_source("the text speaks of --no-mmap, and has no such option"), Vec::<String>::new());
    }
}
