//! Every option that strixlock writes, against the options of four ages of llama.cpp.
//!
//! `STRIXLOCK_LLAMA_SOURCES` names further sources, separated by `:`, against which the same is tested:
//! `scripts/e2e-llama` names real ones.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::llama_source::first_commands;
use crate::llama_source::testing::{Age, ages, unknown};

/// Options of llama-server that are written by `provision`.
const SERVER: [Wish; 6] = [Wish::Host, Wish::Port, Wish::GpuLayers, Wish::FlashAttention, Wish::Unmapped, Wish::Model];
/// Options of all programs that are asked without a model.
const ASKED: [Wish; 3] = [Wish::Help, Wish::ListDevices, Wish::Version];
const COMPLETION: [Wish; 15] = [
    Wish::Model,
    Wish::Prompt,
    Wish::Generated,
    Wish::Seed,
    Wish::Temperature,
    Wish::IgnoreEnd,
    Wish::Context,
    Wish::NoConversation,
    Wish::NoPromptShown,
    Wish::SimpleTerminal,
    Wish::NoWarmUp,
    Wish::Device,
    Wish::GpuLayers,
    Wish::FlashAttention,
    Wish::Unmapped,
];
/// Options that some versions neither have nor need: speed is reported without being asked.
const SOMETIMES: [Wish; 1] = [Wish::Speed];
const BENCH: [Wish; 9] = [
    Wish::Model,
    Wish::Output,
    Wish::Prompt,
    Wish::Generated,
    Wish::Repetitions,
    Wish::GpuLayers,
    Wish::FlashAttention,
    Wish::Unmapped,
    Wish::Help,
];

/// Options of llama-server that are written by `validate`.
const SLOTS: [Wish; 5] = [Wish::Batch, Wish::Context, Wish::MicroBatch, Wish::Parallel, Wish::Threads];
const PERPLEXITY: [Wish; 9] = [
    Wish::Batch,
    Wish::Chunks,
    Wish::Context,
    Wish::Device,
    Wish::File,
    Wish::GpuLayers,
    Wish::MicroBatch,
    Wish::Model,
    Wish::Threads,
];

/// Fails unless the program has each wish, in words that it accepts.
#[track_caller]
fn accepts(options: &Options, wishes: &[Wish]) {
    for wish in wishes {
        let words = options.words(*wish, "7");
        let [name, values @ ..] = words.as_slice() else { panic!("{wish:?} is not in {options:?}") };
        assert_ne!(options.names[name], Some(values.is_empty()), "{words:?}");
    }
}

#[test]
fn every_option_that_is_written_is_known_in_every_age() {
    for Age { source, server, chat, completion, bench, .. } in ages() {
        accepts(&server, &[SERVER.as_slice(), &SLOTS].concat());
        accepts(&Options::in_text(source, Role::Completion), &COMPLETION);
        accepts(&Options::in_text(source, Role::Perplexity), &PERPLEXITY);
        assert!(source.contains(super::super::socket_ending()), "{source}");
        accepts(&completion, &COMPLETION);
        accepts(&bench, &BENCH);
        for options in [server, chat, completion] {
            accepts(&options, &ASKED);
        }
    }
}

/// A new wish belongs into a list above, so that it is compared with every age.
#[test]
fn every_wish_is_compared_with_every_age() {
    let all = [&SERVER[..], &SLOTS, &ASKED, &COMPLETION, &PERPLEXITY, &BENCH, &SOMETIMES].concat();
    let compared: BTreeSet<_> = all.into_iter().collect();
    assert_eq!(TABLE.options.keys().filter(|wish| !compared.contains(wish)).collect::<Vec<_>>(), Vec::<&Wish>::new());
}

/// `Wish::name` is the first spelling, whatever the version.
#[test]
fn questions_without_a_model_have_one_spelling() {
    for wish in ASKED {
        assert_eq!(TABLE.options[&wish].len(), 1, "{wish:?}");
    }
    for words in first_commands().iter().filter(|words| words.len() > 1) {
        for Age { name, chat, server, bench, .. } in ages() {
            let options = match Role::of(&words[0]) {
                Some(Role::Bench) => bench,
                Some(Role::Server) => server,
                _ => chat,
            };
            assert_eq!(unknown(&options, &words[1..]), Vec::<String>::new(), "{name}: {words:?}");
        }
    }
}

#[test]
fn an_option_is_spelled_as_the_version_has_it() {
    let spelled = |wish| ages().map(|age| age.server.words(wish, "7").join(" "));
    assert_eq!(spelled(Wish::Unmapped), ["--no-mmap", "--load-mode none", "--load-mode none", "--load-mode none"]);
    assert_eq!(spelled(Wish::FlashAttention), ["-fa", "-fa 1", "-fa 1", "-fa 1"]);
    assert_eq!(spelled(Wish::Port), ["--port 7"; 4]);
    let bench = ages().map(|age| age.bench.words(Wish::Unmapped, "").join(" "));
    assert_eq!(bench, ["--mmap 0", "--mmap 0", "--load-mode none", "--load-mode none"]);
}

#[test]
fn source_and_help_of_a_version_agree() {
    for Age { source, completion: help, .. } in ages() {
        let source = Options::in_text(source, Role::Completion);
        for wish in TABLE.options.keys().filter(|wish| !matches!(wish, Wish::Host | Wish::Port)) {
            assert_eq!(source.words(*wish, "7"), help.words(*wish, "7"), "{wish:?}");
        }
    }
}

#[test]
fn an_option_of_other_programs_is_not_written() {
    for age in ages() {
        assert!(!age.server.has(Wish::NoConversation));
        assert!(!age.server.has(Wish::Prompt));
        assert!(!age.chat.has(Wish::Port));
    }
    assert!(!ages()[0].bench.has(Wish::ListDevices));
}

#[test]
fn a_program_with_a_parser_of_its_own_is_read() {
    let text =
        r#"if (arg == "-ngl" || arg == "--n-gpu-layers") { } else if (arg == "-p" && c != '"') {} "-1" "-fa is odd""#;
    let options = Options::compared(text);
    assert_eq!(options.names.keys().collect::<Vec<_>>(), ["--n-gpu-layers", "-ngl", "-p"]);
    assert_eq!(options.words(Wish::GpuLayers, "0"), ["-ngl", "0"]);
}

#[test]
fn of_an_unknown_version_only_names_that_have_lasted_are_taken() {
    let unknown = Options::unknown();
    assert_eq!(unknown.words(Wish::GpuLayers, "999"), ["-ngl", "999"]);
    assert!(unknown.words(Wish::Unmapped, "").is_empty());
}

#[test]
fn odd_sources_and_help_give_no_options() {
    for text in
        ["", "common_arg(", "common_arg({", "common_arg({\"x\"", "common_arg({\"x\"}, \"A\\", "\"-", "- ,", "--"]
    {
        assert!(Options::added(text, &[]).names.is_empty(), "{text}");
        assert!(Options::in_help(text).names.is_empty(), "{text}");
        assert_eq!(crate::llama_source::read_as_any(text), [0, 0, 0], "{text}");
    }
    assert_eq!(Options::added("\"--known\" in another form", &[]).names.len(), 1);
}

#[test]
fn an_option_that_a_wrapped_explanation_mentions_is_no_other_one() {
    let help = "-f,    --file FNAME                     a file containing the prompt (default: none)\n\
                --prompt-cache                          where to keep the prompt; it cannot be used with\n\
                \u{20}                                       -f\n";
    let options = Options::in_help(help);
    assert_eq!(options.words(Wish::File, "text"), ["-f", "text"]);
}

/// Variables of llama.cpp that strixlock's texts name, and the file of each age that reads it.
#[test]
fn variables_that_are_written_are_known_in_every_age() {
    let named = variables();
    assert!(named.contains("LLAMA_ARG_HOST") && named.contains("LLAMA_ARG_PORT"), "{named:?}");
    for Age { name, source, .. } in ages() {
        for variable in &named {
            assert!(source.contains(&format!(".set_env(\"{variable}\")")), "{name}: {variable}");
        }
    }
}

/// Returns the variables `LLAMA_ARG_...` in the program and its documents.
fn variables() -> BTreeSet<String> {
    let texts = texts(&["src", "docs", "README.md", "manifests", "examples"]);
    let all = texts.iter().flat_map(|(_, text)| text.split("LLAMA_ARG_").skip(1));
    let names = all.map(|rest| rest.split(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap_or_default());
    names.filter(|name| !name.is_empty()).map(|name| format!("LLAMA_ARG_{name}")).collect()
}

#[test]
fn real_sources_have_every_option_that_is_written() {
    let Ok(all) = std::env::var("STRIXLOCK_LLAMA_SOURCES") else { return };
    for source in all.split(':') {
        let text = |path: &str| std::fs::read_to_string(format!("{source}/{path}")).unwrap();
        let shared = text(SHARED);
        accepts(&Options::in_text(&shared, Role::Server), &[SERVER.as_slice(), &SLOTS].concat());
        accepts(&Options::in_text(&shared, Role::Completion), &COMPLETION);
        accepts(&Options::in_text(&shared, Role::Perplexity), &PERPLEXITY);
        assert!(shared.contains(super::super::socket_ending()), "{source}");
        accepts(&Options::compared(&text("tools/llama-bench/llama-bench.cpp")), &BENCH);
        for role in [Role::Server, Role::Completion, Role::Chat] {
            accepts(&Options::in_text(&shared, role), &ASKED);
        }
        for variable in variables() {
            assert!(shared.contains(&format!(".set_env(\"{variable}\")")), "{source}: {variable}");
        }
        // Of the health check of images.
        assert!(text("tools/server/server.cpp").contains("\"/health\""), "{source}");
    }
}

/// The lines that the program and its documents show are for the newest age.
#[test]
fn start_lines_that_are_shown_are_of_the_newest_age() {
    let [.., newest] = ages();
    let known = [
        ("llama-completion", &newest.completion),
        ("llama-bench", &newest.bench),
        ("llama-server", &newest.server),
        ("llama-cli", &newest.chat),
    ];
    let (mut wrong, mut lines) = (Vec::new(), 0);
    for (path, text) in texts(&["README.md", "docs", "manifests", "examples", "scripts", "src/cli", "packaging"]) {
        for (line, (program, options)) in text.lines().flat_map(|line| known.iter().map(move |one| (line, one))) {
            let Some((_, words)) = line.split_once(&format!("{program} -")) else { continue };
            lines += 1;
            let words = format!("-{words}");
            let words = words.split(['#', '`', '"', ';', '&', '|', ')', '>', '\'']).next().unwrap_or_default();
            let options = words.split_whitespace().filter(|word| is_option(word) && !options.has_name(word));
            wrong.extend(options.map(|word| format!("{}: {word} in {}", path.display(), line.trim())));
        }
    }
    assert!(wrong.is_empty() && lines > 20, "{lines} lines: {wrong:#?}");
}

/// Names of options of llama.cpp that mean something else where they stand.
const OTHERS: [&str; 9] =
    ["--device", "--file", "--help", "--host", "--model", "--output", "--parallel", "--port", "--version"];

/// No code writes an option but through `Options::words`.
#[test]
fn no_option_of_llama_cpp_is_a_literal_of_the_program() {
    let ages = ages();
    let is_known = |word: &str| {
        let all =
            |age: &Age| [&age.server, &age.chat, &age.completion, &age.bench].iter().any(|all| all.has_name(word));
        word.len() > 3 && !OTHERS.contains(&word) && ages.iter().any(all)
    };
    let mut found = Vec::new();
    for (path, text) in texts(&["src"]) {
        let is_test = path.components().any(|part| {
            ["tests", "tests.rs", "testing.rs", "llama_source", "help"].iter().any(|name| part.as_os_str() == *name)
        });
        if is_test || path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let words = line.split(['"', '`', ' ', '=', ',']).filter(|word| is_known(word));
            found.extend(words.map(|word| format!("{}: {word}", path.display())));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Reads the text files of the repository at or below these paths.
fn texts(paths: &[&str]) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for path in paths {
        collect(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), &mut all);
    }
    all
}

/// Reads a file, or all below a directory.
fn collect(path: PathBuf, texts: &mut Vec<(PathBuf, String)>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(entry.unwrap().path(), texts);
        }
    } else if let Ok(text) = std::fs::read_to_string(&path) {
        texts.push((path, text));
    }
}
