//! Every option that strixlock writes, against the options of four ages of llama.cpp.
//!
//! `STRIXLOCK_LLAMA_SOURCES` names further sources, separated by `:`, against which the same is tested: `scripts/e2e-llama`
//! names real ones.

use std::path::Path;

use super::*;

/// The form of `common/arg.cpp`, the help of llama-completion or llama-cli, and that of llama-bench.
const AGES: [(&str, &str, &str); 4] = [
    (
        include_str!("1-before-load-mode.cpp"),
        include_str!("1-before-load-mode.completion.txt"),
        include_str!("1-before-load-mode.bench.txt"),
    ),
    (include_str!("2-both.cpp"), include_str!("2-both.completion.txt"), include_str!("2-both.bench.txt")),
    (
        include_str!("3-no-mmap-gone.cpp"),
        include_str!("3-no-mmap-gone.completion.txt"),
        include_str!("3-no-mmap-gone.bench.txt"),
    ),
    (include_str!("4-v1.0.0.cpp"), include_str!("4-v1.0.0.completion.txt"), include_str!("4-v1.0.0.bench.txt")),
];

const SERVER: [Wish; 6] = [Wish::Host, Wish::Port, Wish::GpuLayers, Wish::FlashAttention, Wish::Unmapped, Wish::Model];
const COMPLETION: [Wish; 14] = [
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
    Wish::GpuLayers,
    Wish::FlashAttention,
    Wish::Unmapped,
];
const BENCH: [Wish; 8] = [
    Wish::Model,
    Wish::Output,
    Wish::Prompt,
    Wish::Generated,
    Wish::Repetitions,
    Wish::GpuLayers,
    Wish::FlashAttention,
    Wish::Unmapped,
];

/// Options that only real sources are asked for: the written forms leave them out.
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

/// Returns the options of a role in an age of llama.cpp's form.
fn added(text: &str, role: Role) -> Options {
    let Some(Place::Groups(groups)) = role.place() else { panic!("{role:?} has options of its own") };
    Options::added(text, groups)
}

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
    for (source, completion, bench) in AGES {
        accepts(&added(source, Role::Server), &SERVER);
        accepts(&added(source, Role::Completion), &COMPLETION);
        accepts(&Options::in_help(completion), &COMPLETION);
        accepts(&Options::in_help(bench), &BENCH);
    }
}

#[test]
fn an_option_is_spelled_as_the_version_has_it() {
    let spelled = |wish| AGES.map(|(source, _, _)| added(source, Role::Server).words(wish, "7").join(" "));
    assert_eq!(spelled(Wish::Unmapped), ["--no-mmap", "--load-mode none", "--load-mode none", "--load-mode none"]);
    assert_eq!(spelled(Wish::FlashAttention), ["-fa", "-fa 1", "-fa 1", "-fa 1"]);
    assert_eq!(spelled(Wish::Port), ["--port 7"; 4]);
    let bench = AGES.map(|(_, _, bench)| Options::in_help(bench).words(Wish::Unmapped, "").join(" "));
    assert_eq!(bench, ["--mmap 0", "--mmap 0", "--load-mode none", "--load-mode none"]);
}

#[test]
fn source_and_help_of_a_version_agree() {
    for (source, help, _) in AGES {
        let (source, help) = (added(source, Role::Completion), Options::in_help(help));
        for wish in TABLE.options.keys().filter(|wish| !matches!(wish, Wish::Host | Wish::Port)) {
            assert_eq!(source.words(*wish, "7"), help.words(*wish, "7"), "{wish:?}");
        }
    }
}

#[test]
fn an_option_of_other_programs_is_not_written() {
    for (source, _, _) in AGES {
        assert!(!added(source, Role::Server).has(Wish::NoConversation));
        assert!(!added(source, Role::Server).has(Wish::Prompt));
        assert!(!added(source, Role::Chat).has(Wish::Port));
    }
    assert!(!Options::in_help(AGES[0].2).has(Wish::ListDevices));
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
    }
    assert_eq!(Options::added("\"--known\" in another form", &[]).names.len(), 1);
}

#[test]
fn real_sources_have_every_option_that_is_written() {
    let Ok(all) = std::env::var("STRIXLOCK_LLAMA_SOURCES") else { return };
    for source in all.split(':') {
        let text = |path: &str| std::fs::read_to_string(format!("{source}/{path}")).unwrap();
        let shared = text(SHARED);
        accepts(&added(&shared, Role::Server), &[SERVER.as_slice(), &SLOTS].concat());
        accepts(&added(&shared, Role::Completion), &COMPLETION);
        accepts(&added(&shared, Role::Perplexity), &PERPLEXITY);
        assert!(shared.contains(super::super::socket_ending()), "{source}");
        accepts(&Options::compared(&text("tools/llama-bench/llama-bench.cpp")), &BENCH);
    }
}

/// The lines that the documents show are for the newest age.
#[test]
fn start_lines_of_the_documents_are_of_the_newest_age() {
    let (_, completion, bench) = AGES[AGES.len() - 1];
    let known = [("llama-completion", Options::in_help(completion)), ("llama-bench", Options::in_help(bench))];
    let mut documents = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), &mut documents);
    collect(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"), &mut documents);
    for line in documents.iter().flat_map(|text| text.lines()) {
        let Some((program, options)) = known.iter().find(|(name, _)| line.contains(&format!("{name} -"))) else {
            continue;
        };
        let words = line.split(program).nth(1).unwrap_or_default().split(['#', '`']).next().unwrap_or_default();
        for word in words.split_whitespace().filter(|word| is_option(word)) {
            assert!(options.names.contains_key(word), "{word} in {line}");
        }
    }
}

/// Reads a file, or all below a directory.
fn collect(path: std::path::PathBuf, texts: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(entry.unwrap().path(), texts);
        }
    } else if path.extension().is_some_and(|extension| extension == "md") {
        texts.push(std::fs::read_to_string(path).unwrap());
    }
}
