//! Options of llama.cpp's server whose names depend on the version.
//!
//! On Strix Halo the GPU's driver is slow to access a memory-mapped model. The option against that was `--no-mmap`
//! until September 2026 and is `--load-mode none` since; llama-server exits at an unknown option. The sources show
//! which one a version has: `common/arg.cpp` contains every option as a string literal.

use crate::error::Result;
use crate::llama_source;
use crate::store::StoredTree;

/// Source file of llama.cpp's options.
const OPTIONS: &str = "common/arg.cpp";
/// Forms of the option, newest first.
const UNMAPPED: [&[&str]; 2] = [&["--load-mode", "none"], &["--no-mmap"]];

/// Returns the option against memory-mapping a model in this version of llama.cpp, or no words if it has no such
/// option. Returns `None` for sources other than llama.cpp's.
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

    /// Lines from the sources of three versions.
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
