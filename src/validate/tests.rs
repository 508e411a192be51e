use std::collections::BTreeSet;

use super::*;

/// As llama.cpp prints it, with and without the time stamps of its log.
const SAID: &str = "\
0.00.055.208 I llama_model_load_from_file_impl: using device ROCm0 (AMD Radeon Graphics) (0000:c5:00.0) - 98304 MiB free
common_perf_print:        load time =      12.61 ms
common_perf_print: prompt eval time =       3.93 ms /    14 tokens (    0.28 ms per token,  3562.34 tokens per second)
common_perf_print:        eval time =      20.86 ms /    47 runs   (    0.44 ms per token,  2253.22 tokens per second)
common_perf_print:       total time =      40.00 ms /    61 tokens
";

fn validation() -> Validation {
    let text = "a b c d".to_owned();
    Validation {
        lock: Sha256Digest::of(b"lock"),
        time: 1_795_132_800,
        device: Device::Cpu,
        model: Model {
            input: "model".to_owned(),
            version: "m (0)".to_owned(),
            sha256: Sha256Digest::of(b"m"),
            gguf: None,
        },
        checks: vec![Check::passed("generation", "fine"), Check::not_run("rocminfo", "no | GPU `x`")],
        generation: Some(Generation {
            command: Vec::new(),
            sha256: Sha256Digest::of(text.as_bytes()),
            text,
            devices: Vec::new(),
            memory: Some(1_000_000),
            load: Some(100.0),
            prompt_speed: Some(1000.0),
            speed: Some(100.0),
        }),
        bench: vec![Speed { test: "tg32".to_owned(), speed: 100.0, deviation: 1.0, backends: "CPU".to_owned() }],
    }
}

#[test]
fn what_llama_says_of_itself_is_read() {
    use generate::number;
    assert_eq!(number(SAID, " load time", "ms"), Some(12.61));
    assert_eq!(number(SAID, " prompt eval time", "tokens per second"), Some(3562.34));
    assert_eq!(number(SAID, "  eval time", "tokens per second"), Some(2253.22));
    assert_eq!(number("eval time = inf tokens per second", "eval time", "tokens per second"), None);
    assert_eq!(number("nothing", " load time", "ms"), None);
}

#[test]
fn only_options_that_a_program_knows_are_given() {
    let known = options::Known::in_help(
        "-n,    --predict, --n-predict N\n--conversation, --no-conversation\n-fa, --flash-attn [on|off|auto]\n",
    );
    assert_eq!(
        known.of(&[&["--seed", "1"], &["--no-conversation"], &["--flash-attn", "1"]]),
        ["--no-conversation", "--flash-attn", "1"]
    );
    assert_eq!(known.of(options::device(Device::Cpu)), Vec::<String>::new());
}

#[test]
fn a_benchmark_is_read() {
    let text = r#"[{"n_prompt": 128, "n_gen": 0, "avg_ts": 10.5, "stddev_ts": 0.25, "backends": "CPU"},
        {"n_prompt": 0, "n_gen": 32, "avg_ts": 5, "stddev_ts": 0}]"#;
    let speeds = bench::parse(text).unwrap();
    assert_eq!(
        speeds.iter().map(|one| (one.test.as_str(), one.speed)).collect::<Vec<_>>(),
        [("pp128", 10.5), ("tg32", 5.0)]
    );
    assert_eq!(bench::parse("| model | t/s |"), None);
    assert_eq!(bench::parse("[{}]"), None);
}

#[test]
fn libraries_from_elsewhere_are_found() {
    let report = "        12:\tfile=libllama.so.0 [0];  needed by /opt/llama/bin/llama-cli [0]\n        \
        12:\tcalling init: /opt/llama/lib/libllama.so.0\n12:\tcalling init: /lib/x86_64-linux-gnu/libc.so.6\n\
        12:\tcalling init: /usr/lib/libamdhip64.so.7\n12:\tcalling init: /home/me/lib/libggml.so\n\
        12:\tcalling init: /opt/rocm-old/lib/libhsa.so\n12:\tcalling fini: /x\n";
    let mut loaded = libraries::loaded(report);
    assert_eq!(loaded.len(), 5);
    loaded.extend(libraries::mapped("/opt/rocm/lib/libhsa.so.1\n/opt/rocm/lib/libhsa.so.1\n[vdso]\n"));
    assert_eq!(loaded.len(), 6);
    let strays = libraries::strays(&loaded, &["/opt/llama", "/opt/rocm"], |name| name == "libamdhip64.so.7");
    assert_eq!(strays, ["/home/me/lib/libggml.so", "/opt/rocm-old/lib/libhsa.so", "/usr/lib/libamdhip64.so.7"]);
    let fine = BTreeSet::from(["/lib64/libm.so.6".to_owned()]);
    assert!(libraries::strays(&fine, &[], |_| false).is_empty());
}

#[test]
fn noise_does_not_move_and_what_moves_is_told() {
    let before = validation();
    let mut after = before.clone();
    after.bench[0].speed = 103.5;
    if let Some(generation) = &mut after.generation {
        (generation.speed, generation.load, generation.memory) = (Some(110.0), Some(180.0), Some(1_030_000));
    }
    assert_eq!(moved(&before, &after), Vec::<String>::new());
    after.bench[0].speed = 80.0;
    after.checks[0].outcome = Outcome::Failed;
    if let Some(generation) = &mut after.generation {
        (generation.speed, generation.load, generation.memory) = (Some(50.0), Some(300.0), Some(2_000_000));
        generation.text = "a b x d".to_owned();
        generation.sha256 = Sha256Digest::of(generation.text.as_bytes());
    }
    assert_eq!(
        moved(&before, &after),
        [
            "generation: passed before, failed now",
            "the text is another one from character 5 on",
            "load time: 100 ms before, 300 ms now",
            "generation: 100.00 t/s before, 50.00 t/s now (-50 %)",
            "memory: 1.00 MB before, 2.00 MB now",
            "llama-bench tg32: 100.00 t/s before, 80.00 t/s now (-20 %)",
        ]
    );
}

#[test]
fn the_last_one_with_the_same_model_and_device_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("validation");
    let first = validation();
    assert_eq!(last(&path, &first).unwrap(), None);
    let written = write(&path, &first, None).unwrap();
    let page = fs_err::read_to_string(&written.page).unwrap();
    assert!(page.starts_with("# Validation on the CPU: passed\n"), "{page}");
    assert!(page.contains("| rocminfo | not run | `no ' GPU 'x'` |") && page.contains("There was none"), "{page}");
    let newer = Validation { lock: Sha256Digest::of(b"other"), time: first.time + 1, ..first.clone() };
    write(&path, &newer, Some(&["moved | `it`".to_owned()])).unwrap();
    fs_err::write(path.join("broken.json"), "{").unwrap();
    assert_eq!(last(&path, &first).unwrap(), Some(newer));
    assert_eq!(last(&path, &Validation { device: Device::Gpu, ..first }).unwrap(), None);
}

#[test]
fn one_failure_is_a_failure() {
    let mut found = validation();
    assert!(found.passed());
    found.checks.push(Check::failed("libraries", "two\nlines\u{7}"));
    assert!(!found.passed());
    assert_eq!(found.checks.last().unwrap().found, "two");
}

#[test]
fn what_programs_say_is_shown_without_what_moves_a_terminal() {
    let check = Check::not_run("rocminfo", "\u{1b}[31mROCk module is NOT loaded\u{1b}[0m\nmore");
    assert_eq!(check.found, "ROCk module is NOT loaded");
}

#[test]
fn the_loaders_cache_is_no_library() {
    let mapped = libraries::mapped("/opt/llama/lib/libllama.so\n/etc/ld.so.cache\n[heap]\n");
    assert_eq!(mapped.into_iter().collect::<Vec<_>>(), ["/opt/llama/lib/libllama.so"]);
}
