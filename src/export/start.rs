//! The start line of llama-server.

use super::container::PORT;
use crate::llama_source::{Options, Role, Wish};

/// Returns the program and its arguments, in the words of the version that has these options. This GPU needs all layers
/// of the model, flash attention, and a model that is read into memory.
#[must_use]
pub fn server(options: &Options, model: &str) -> Vec<String> {
    let port = PORT.to_string();
    let wishes = [
        (Wish::Host, "0.0.0.0"),
        (Wish::Port, port.as_str()),
        (Wish::GpuLayers, "999"),
        (Wish::FlashAttention, ""),
        (Wish::Unmapped, ""),
        (Wish::Model, model),
    ];
    let words = wishes.into_iter().flat_map(|(wish, value)| options.words(wish, value));
    std::iter::once(Role::Server.name().to_owned()).chain(words).collect()
}

#[cfg(test)]
mod tests {
    use crate::export::tests::{ALL, steps, wanted};
    use crate::export::{Steps, Wanted};
    use crate::llama_source::testing::{ages, unknown};

    /// Returns everything that an engine is told, as words without the quotes of its format.
    fn words(steps: &Steps) -> Vec<String> {
        let commands = [&steps.create, &steps.next, &steps.exists].into_iter().flatten().flatten().cloned();
        let text = steps.file.iter().map(|file| file.text.clone()).chain(commands).collect::<Vec<_>>().join("\n");
        let word = |word: &str| word.trim_matches(['"', '\'', ',', '[', ']']).to_owned();
        text.split_whitespace()
            .map(|text| word(text.trim_start_matches("Exec=")))
            .filter(|word| !matches!(word.as_str(), "" | "-"))
            .collect()
    }

    #[test]
    fn every_engine_starts_the_server_with_options_that_its_age_knows() {
        for age in ages() {
            for engine in ALL {
                let models = wanted(engine).models.filter(|_| engine.is_server());
                let told = Wanted { options: age.server.clone(), models, ..wanted(engine) };
                let told = words(&steps(&told).unwrap());
                let line = super::server(&age.server, "/models/gemma.gguf");
                let arguments = &line[1..];
                assert_eq!(unknown(&age.server, arguments), Vec::<String>::new(), "{}: {line:?}", age.name);
                let found = told.windows(arguments.len()).position(|part| part == arguments);
                assert_eq!(found.is_some(), engine.is_server(), "{engine:?}: {told:?}");
                // No option of llama.cpp stands anywhere else. Short ones are those of other programs too.
                let kept = found.map_or(0..0, |at| at..at + arguments.len());
                let others = told.iter().enumerate().filter(|(at, word)| !kept.contains(at) && word.len() > 3);
                let others: Vec<_> = others.filter(|(_, word)| age.server.has_name(word)).collect();
                assert!(others.is_empty(), "{engine:?}: {others:?}");
            }
        }
    }
}
