//! Options of four ages of llama.cpp, against which everything is tested that writes some.

use super::names::Role;
use super::options::{Options, is_option};

/// An age of llama.cpp.
pub struct Age {
    pub name: &'static str,
    /// Text in the form of `common/arg.cpp`.
    pub source: &'static str,
    /// Options of llama-server, as its source has them.
    pub server: Options,
    /// Options of llama-cli, as its source has them.
    pub chat: Options,
    /// Options of llama-completion, as its help has them.
    pub completion: Options,
    /// Options of llama-bench, as its help has them.
    pub bench: Options,
}

macro_rules! age {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("ages/", $name, ".cpp")),
            include_str!(concat!("ages/", $name, ".completion.txt")),
            include_str!(concat!("ages/", $name, ".bench.txt")),
        )
    };
}

/// Returns the ages, the oldest first.
pub fn ages() -> [Age; 4] {
    let texts = [age!("1-before-load-mode"), age!("2-both"), age!("3-no-mmap-gone"), age!("4-v1.0.0")];
    texts.map(|(name, source, completion, bench)| Age {
        name,
        source,
        server: Options::in_text(source, Role::Server),
        chat: Options::in_text(source, Role::Chat),
        completion: Options::in_help(completion),
        bench: Options::in_help(bench),
    })
}

impl Options {
    /// Returns true if the program has an option of this name.
    pub fn has_name(&self, name: &str) -> bool {
        is_option(name) && self.names.contains_key(name)
    }
}

/// Returns the words of a command line that the program would refuse: options that it does not have, values that no
/// option takes, and options whose value is missing.
pub fn unknown(options: &Options, words: &[String]) -> Vec<String> {
    let (mut refused, mut at) = (Vec::new(), 0);
    while let Some(word) = words.get(at) {
        at += 1;
        match options.names.get(word).copied() {
            Some(Some(true)) if at < words.len() => at += 1,
            // It is not known which options take a value.
            Some(None) if words.get(at).is_some_and(|next| !is_option(next)) => at += 1,
            Some(Some(false) | None) => {}
            _ => refused.push(word.clone()),
        }
    }
    refused
}

#[test]
fn a_program_refuses_unknown_options_and_values_in_the_wrong_place() {
    let [before, .., newest] = ages();
    let refused = |options: &Options, line: &str| {
        unknown(options, &line.split(' ').map(str::to_owned).collect::<Vec<_>>()).join(" ")
    };
    assert_eq!(refused(&newest.server, "-fa 1 --load-mode none --port 7"), "");
    assert_eq!(refused(&newest.server, "--no-mmap -ngl"), "--no-mmap -ngl");
    assert_eq!(refused(&before.server, "-fa 1 --load-mode none"), "1 --load-mode none");
}
