use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::llama_source::Options as Known;

/// Output of llama.cpp, with and without the time stamps of its log.
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
        extent: Extent::Usual,
        profile_generation: Some(3),
        variant: None,
        versions: BTreeMap::from([("rocm".to_owned(), "10.1.0".to_owned())]),
        derivations: BTreeMap::new(),
        machine: None,
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
            libraries: BTreeSet::from(["/lib/libm.so.6".to_owned()]),
        }),
        bench: vec![Speed { test: "tg32".to_owned(), speed: 100.0, deviation: 1.0, backends: "CPU".to_owned() }],
    }
}

#[test]
fn load_time_and_speeds_of_llama_are_read() {
    use generate::number;
    assert_eq!(number(SAID, " load time", "ms"), Some(12.61));
    assert_eq!(number(SAID, " prompt eval time", "tokens per second"), Some(3562.34));
    assert_eq!(number(SAID, "  eval time", "tokens per second"), Some(2253.22));
    assert_eq!(number("eval time = inf tokens per second", "eval time", "tokens per second"), None);
    assert_eq!(number("nothing", " load time", "ms"), None);
}

#[test]
fn only_options_that_a_program_knows_are_given() {
    let known =
        Known::in_help("-ngl,  --gpu-layers, --n-gpu-layers N   layers\n-fa, --flash-attn [on|off|auto]   attention\n");
    assert_eq!(options::on(Device::Gpu, &known), ["-ngl", "999", "-fa", "1"]);
    assert_eq!(options::on(Device::Cpu, &known), ["-ngl", "0"]);
    assert!(options::on(Device::Cpu, &Known::in_help("usage: other")).is_empty());
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

/// Report that ld.so of glibc writes with LD_DEBUG=files,libs.
const REPORT: &str = "\
     12:	file=libllama.so.0 [0];  needed by /opt/llama/bin/llama-cli [0]
     12:	find library=libllama.so.0 [0]; searching
     12:	 search path=/opt/llama/bin/../lib/glibc-hwcaps/x86-64-v3:/opt/llama/bin/../lib	(RUNPATH from file /opt/llama/bin/llama-cli)
     12:	  trying file=/opt/llama/bin/../lib/glibc-hwcaps/x86-64-v3/libllama.so.0
     12:	  trying file=/opt/llama/bin/../lib/libllama.so.0
     12:	
     12:	file=libllama.so.0 [0];  generating link map
     12:	  dynamic: 0x00007f65f12e3b60  base: 0x00007f65f1111000   size: 0x00000000001e1f50
     12:	file=libdata.so [0];  needed by /opt/llama/bin/llama-cli [0]
     12:	 search cache=/etc/ld.so.cache
     12:	  trying file=/lib/x86_64-linux-gnu/libdata.so
     12:	file=libdata.so [0];  generating link map
     12:	calling init: /lib64/ld-linux-x86-64.so.2
     12:	calling init: /opt/llama/bin/../lib/libllama.so.0
     12:	file=/opt/rocm/lib/libhsa.so.1 [0];  dynamically loaded by /opt/llama/bin/llama-cli [0]
     12:	file=/opt/rocm/lib/libhsa.so.1 [0];  generating link map
     12:	opening file=/opt/rocm/lib/libhsa.so.1 [0]; direct_opencount=1
     12:	file=libgone.so [0];  dynamically loaded by /opt/rocm/lib/libhsa.so.1 [0]
     12:	  trying file=/opt/rocm/lib/libgone.so
     12:	calling fini: /opt/rocm/lib/libother.so [0]
";

#[test]
fn exactly_the_libraries_that_the_loader_reports_as_mapped_are_listed() {
    let expected = [
        "/lib/x86_64-linux-gnu/libdata.so",
        "/lib64/ld-linux-x86-64.so.2",
        "/opt/llama/lib/libllama.so.0",
        "/opt/rocm/lib/libhsa.so.1",
    ];
    assert_eq!(libraries::loaded(REPORT).into_iter().collect::<Vec<_>>(), expected);
    assert!(libraries::loaded("").is_empty());
}

/// Uses a program that links a library without initialisers, and opens another one for a moment.
#[test]
fn the_real_loader_reports_each_library_of_a_program_that_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let cc = |name: &str, code: &str, arguments: &[&str]| {
        fs_err::write(path("in.c"), code).unwrap();
        let mut command = std::process::Command::new("cc");
        command.arg("-o").arg(path(name)).arg(path("in.c")).args(arguments);
        assert!(command.status().unwrap().success(), "{name}");
    };
    cc("libone.so", "int one(void) { return 0; }", &["-shared", "-fPIC", "-nostdlib"]);
    cc("libtwo.so", "", &["-shared", "-fPIC"]);
    let code = "#include <dlfcn.h>\nint one(void); int main(int n, char **names) { \
                void *two = dlopen(names[1], RTLD_NOW); return !two || dlclose(two) || one(); }";
    let one = path("libone.so").display().to_string();
    cc("program", code, &[&one, "-ldl"]);
    let run = |number: usize| {
        let report = path(&format!("report{number}"));
        let mut command = std::process::Command::new(path("program"));
        command.arg(path("libtwo.so")).env("LD_DEBUG", "files,libs").env("LD_DEBUG_OUTPUT", &report);
        let mut child = command.spawn().unwrap();
        assert!(child.wait().unwrap().success());
        libraries::loaded(&fs_err::read_to_string(format!("{}.{}", report.display(), child.id())).unwrap())
    };
    let first = run(0);
    for name in ["libone.so", "libtwo.so"] {
        assert!(first.contains(&path(name).display().to_string()), "{name} in {first:?}");
    }
    assert!((1..20).all(|number| run(number) == first));
}

#[test]
fn libraries_from_unexpected_places_are_found() {
    let all = ["/opt/llama/lib/libllama.so.0", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libamdhip64.so.7"];
    let all = all.into_iter().chain(["/home/me/lib/libggml.so", "/opt/rocm-old/lib/libhsa.so", "plugins/libx.so"]);
    let loaded: BTreeSet<String> = all.map(str::to_owned).collect();
    let strays = libraries::strays(&loaded, &["/opt/llama", "/opt/rocm"], |name| name == "libamdhip64.so.7");
    assert_eq!(
        strays,
        ["/home/me/lib/libggml.so", "/opt/rocm-old/lib/libhsa.so", "/usr/lib/libamdhip64.so.7", "plugins/libx.so"]
    );
    let fine = BTreeSet::from(["/lib64/libm.so.6".to_owned()]);
    assert!(libraries::strays(&fine, &[], |_| false).is_empty());
}

#[test]
fn noise_is_ignored_and_differences_are_listed() {
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
        generation.libraries = BTreeSet::from(["/lib/libm.so.7".to_owned()]);
        generation.text = "a b x d".to_owned();
        generation.sha256 = Sha256Digest::of(generation.text.as_bytes());
    }
    assert_eq!(
        moved(&before, &after),
        [
            "generation: passed before, failed now",
            "the text differs from character 5 on",
            "load time: 100 ms before, 300 ms now",
            "libraries: /lib/libm.so.6 is no longer loaded",
            "libraries: /lib/libm.so.7 is newly loaded",
            "generation: 100.00 t/s before, 50.00 t/s now (-50 %)",
            "memory: 1.00 MB before, 2.00 MB now",
            "llama-bench tg32: 100.00 t/s before, 80.00 t/s now (-20 %)",
        ]
    );
}

#[test]
fn a_record_of_an_earlier_version_is_read_and_what_it_lacks_is_not_compared() {
    let mut value = serde_json::to_value(validation()).unwrap();
    value["generation"].as_object_mut().unwrap().remove("libraries");
    for name in ["extent", "profile_generation", "versions", "derivations", "machine"] {
        value.as_object_mut().unwrap().remove(name);
    }
    let old: Validation = serde_json::from_value(value).unwrap();
    assert_eq!(old.extent, Extent::Quick);
    assert_eq!(moved(&old, &validation()), Vec::<String>::new());
}

#[test]
fn a_check_that_a_quick_validation_leaves_out_has_not_changed() {
    let mut before = validation();
    before.checks.push(Check::passed("agreement", "fine"));
    let mut after = validation();
    after.extent = Extent::Quick;
    after.checks.push(Check::not_run("agreement", QUICK));
    assert_eq!(moved(&before, &after), Vec::<String>::new());
    after.extent = Extent::Usual;
    assert_eq!(moved(&before, &after), ["agreement: passed before, was not run now"]);
}

#[test]
fn the_last_one_with_the_same_model_and_device_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("validation");
    let first = validation();
    assert_eq!(last(&path, &first).unwrap(), None);
    let named = name(&path, first.time, Some(3), first.lock);
    assert_eq!(named, "2026-11-20-g3");
    let written = write(&path, &named, &first, None).unwrap();
    let page = fs_err::read_to_string(&written.page).unwrap();
    assert!(page.starts_with("# Validation on the CPU: passed\n"), "{page}");
    assert!(page.contains("| rocminfo | not run | `no ' GPU 'x'` |"), "{page}");
    assert!(page.contains("There is no earlier validation"), "{page}");
    assert_eq!(name(&path, first.time, Some(3), first.lock), "2026-11-20-g3-2");
    let newer = Validation { lock: Sha256Digest::of(b"other"), time: first.time + 1, ..first.clone() };
    let of_none = name(&path, newer.time, None, newer.lock);
    assert_eq!(of_none, format!("2026-11-20-{}", &newer.lock.hex()[..8]));
    write(&path, &of_none, &newer, Some(&["moved | `it`".to_owned()])).unwrap();
    fs_err::write(path.join("broken.json"), "{").unwrap();
    assert_eq!(last(&path, &first).unwrap(), Some(newer.clone()));
    assert_eq!(of(&path, first.lock), Some(first.clone()));
    assert_eq!(last(&path, &Validation { device: Device::Gpu, ..first.clone() }).unwrap(), None);
    let variant = Validation { variant: Some("stable".to_owned()), time: first.time + 2, ..first.clone() };
    assert_eq!(last(&path, &variant).unwrap(), None);
    let page = write(&path, &name(&path, variant.time, Some(3), variant.lock), &variant, None).unwrap().page;
    assert!(fs_err::read_to_string(page).unwrap().contains("Variant or output `stable`\n"));
    assert_eq!(last(&path, &variant).unwrap(), Some(variant));
    assert_eq!(of(&path, first.lock), Some(first.clone()), "a variant's record is not that of its lock");

    // Records of earlier versions lie beside it, and an index that is gone, damaged or newer is made anew.
    let old = Validation { lock: Sha256Digest::of(b"old"), time: first.time - 1, ..first.clone() };
    fs_err::write(path.join(format!("{}.json", old.lock.hex())), serde_json::to_vec(&old).unwrap()).unwrap();
    for index in ["", "{", "{\"version\":2,\"records\":{}}", "{\"version\":1,\"records\":{}}"] {
        fs_err::write(path.join("index.json"), index).unwrap();
        assert_eq!(of(&path, old.lock), Some(old.clone()), "{index}");
        assert_eq!(last(&path, &first).unwrap(), Some(newer.clone()), "{index}");
    }
    fs_err::remove_file(path.join(format!("{of_none}.json"))).unwrap();
    assert_eq!(last(&path, &first).unwrap(), Some(first));
}

#[test]
fn a_history_has_a_row_for_each_generation_and_names_what_it_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(history(path).unwrap().rows.is_empty());
    let at = |seconds: i64, lock: &[u8], speed: f64| {
        let mut one = validation();
        (one.time, one.lock) = (one.time + seconds, Sha256Digest::of(lock));
        one.bench[0].speed = speed;
        one
    };
    let mut all = [at(0, b"a", 100.0), at(1, b"b", 90.0), at(2, b"a", 104.0), at(3, b"c", 50.0)];
    all[2].checks.push(Check::failed("agreement", "wrong"));
    // Another machine's row stays apart.
    all[3].machine = Some(Machine { processor: Some("other".to_owned()), ..Machine::default() });
    for one in &all {
        write(path, &name(path, one.time, Some(3), one.lock), one, None).unwrap();
    }
    let whole = fs_err::read_to_string(path.join("2026-11-20-g3.json")).unwrap();
    fs_err::write(path.join("cut.json"), &whole[..whole.len() / 2]).unwrap();
    let found = history(path).unwrap();
    assert_eq!(found.unreadable, ["cut"]);
    let rows: Vec<_> = found.rows.iter().map(|row| (row.count, row.failed.len(), row.speeds["tg32"].speed)).collect();
    assert_eq!(rows, [(1, 0, 90.0), (2, 1, 102.0), (1, 0, 50.0)]);
    assert!((found.rows[1].speeds["tg32"].noise - 2.0).abs() < 1e-9);
    assert!(found.rows[0].is_comparable(&found.rows[1]) && !found.rows[1].is_comparable(&found.rows[2]));
}

#[test]
fn perplexities_are_read_and_odd_ones_are_named() {
    use perplexity::estimate;
    assert_eq!(estimate("[1]6.9,\nFinal estimate: PPL = 6.7943 +/- 0.12345\n"), Some(Ok(6.7943)));
    for odd in ["nan", "-nan", "inf", "0.5", "-3", "", "1e999"] {
        let read = estimate(&format!("Final estimate: PPL = {odd} +/- nan"));
        assert!(read.unwrap().unwrap_err().starts_with("the perplexity is `"), "{odd}");
    }
    assert_eq!(estimate("[1]6.9,"), None);
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
fn output_of_programs_is_shown_without_control_characters() {
    let check = Check::not_run("rocminfo", "\u{1b}[31mROCk module is NOT loaded\u{1b}[0m\nmore");
    assert_eq!(check.found, "ROCk module is NOT loaded");
}
