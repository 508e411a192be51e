//! `strixlock runtime` and `why`: the files of a trimmed runtime, with a reason for each.

mod traps;

use std::collections::BTreeMap;
use std::sync::Arc;

use strixlock::parts::{FetchSettings, Fetcher, Intake, Lock, Processor, RealizeSettings, Realizer, Store};
use strixlock_ground::progress::Silent;

use crate::support::Project;

fn realized() -> Project {
    let project = Project::new();
    project.full_manifest("10.1.0a20260901");
    project.run(&["update"]).code(0);
    project
}

#[test]
fn every_file_has_a_reason_and_the_reasons_add_up() {
    let project = realized();
    let ran = project.run(&["why", "lib/librocblas.so.5"]).code(9);
    assert!(ran.stderr.contains("`rocm` is not realized"), "{}", ran.all());
    project.run(&["realize"]).code(0);

    let json = project.run(&["--offline", "runtime", "--explain", "--json"]).code(0).json();
    let tree = std::fs::canonicalize(project.store("main").join("current/runtime")).unwrap();
    let (mut files, mut links, mut bytes) = (BTreeMap::new(), 0, 0);
    let mut open = vec![tree.clone()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let found = std::fs::symlink_metadata(&path).unwrap();
            if found.is_dir() {
                open.push(path);
                continue;
            }
            links += u64::from(found.is_symlink());
            bytes += if found.is_symlink() { 0 } else { found.len() };
            files.insert(path.strip_prefix(&tree).unwrap().to_str().unwrap().to_owned(), found.is_symlink());
        }
    }
    let sum = |rows: &str, field: &str| -> u64 {
        json[rows].as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).sum()
    };
    assert_eq!(sum("reasons", "bytes"), bytes);
    assert_eq!(sum("reasons", "links"), links);
    assert_eq!(sum("reasons", "files") + links, files.len() as u64);
    assert_eq!(json["trimmed"]["bytes"], bytes);
    assert_eq!(json["full"]["bytes"], sum("reasons", "bytes") + sum("left_out", "bytes"));
    let explained: Vec<&String> = json["files"].as_object().unwrap().keys().collect();
    assert_eq!(explained, files.keys().collect::<Vec<_>>());
    for path in files.keys() {
        let why = project.run(&["why", path, "--json"]).code(0).json();
        let chain = why["chain"].as_array().unwrap();
        assert_eq!(chain.last().unwrap()["path"], format!("/opt/rocm/{path}"));
        assert!(matches!(chain[0]["rule"].as_str().unwrap(), "root" | "tool" | "provenance"), "{why}");
    }

    let text = project.run(&["runtime", "--explain"]).code(0).stdout;
    for part in ["the whole ROCm tree", "kernels", "other GPU", "libc.so.6", "from the host: the build has no sysroot"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let short = project.run(&["runtime"]).code(0).stdout;
    assert_eq!(short.lines().count(), 3, "{short}");
    project.run(&["runtime", "--output", "rocm"]).code(2);

    let ran = project.run(&["why", "lib/rocm_sysdeps/lib/librocm_sysdeps_drm.so.2"]).code(0);
    let rules: Vec<&str> = ran.stdout.lines().skip(2).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(rules.first(), Some(&"root"), "{}", ran.all());
    assert!(rules.len() > 4 && rules[1..].iter().all(|rule| *rule == "needs" || *rule == "links"), "{}", ran.all());
    project.run(&["why", "/opt/llama/bin/llama-cli"]).code(0);

    let out = |path: &str| project.run(&["why", path]).code(0).stdout;
    assert!(out("lib/rocblas/library/TensileLibrary_lazy_gfx1100.dat").contains("is for another GPU"));
    assert!(out("/opt/rocm/include/hip/hip_runtime.h").contains("is for building against ROCm"));
    assert!(out("./lib/libMIOpen.so.1.0").contains("is a library that no root needs"));
    assert!(out("/opt/llama/include/llama.h").contains("is a part of the llama.cpp build"));
    let ran = project.run(&["why", "lib/MIOpen.so"]).code(9);
    assert!(
        ran.stderr
            .contains("missing from both trees: `lib/MIOpen.so`\nhint: did you mean `/opt/rocm/lib/libMIOpen.so`?"),
        "{}",
        ran.all()
    );
    // The suggestion of each message works.
    for wrong in ["lib/MIOpen.so", "lib/librocblas.s", "librocblas.so", "bin/lama-cli"] {
        let ran = project.run(&["why", wrong]).code(9);
        let path = ran
            .stderr
            .split(['`', ' ', '\n'])
            .find(|word| word.starts_with("/opt/"))
            .unwrap_or_else(|| panic!("{}", ran.all()));
        project.run(&["why", path]).code(0);
    }
    let ran = project.run(&["why", "librocblas.so.5"]).code(9);
    assert!(ran.stderr.contains("there is  /opt/rocm/lib/librocblas.so.5\n"), "{}", ran.all());
    let ran = project.run(&["why", "lib/rocblas"]).code(2);
    assert!(ran.stderr.contains("`lib/rocblas` is a directory"), "{}", ran.all());
}

/// Bugs of trimming recipes are lost files. Whichever file is lost here, the proof fails.
#[test]
fn whichever_file_is_missing_the_proof_fails() {
    let project = realized();
    project.run(&["realize"]).code(0);
    project.run(&["realize", "runtime", "--to", "out", "--link-mode", "copy"]).code(0);
    let tree = project.path("out/runtime");
    let (lock, store) =
        (Lock::read(&project.path("lock/strix.lock")).unwrap(), Store::open(&project.store("main")).unwrap());
    let fetcher = Fetcher::new(FetchSettings::default(), Arc::new(Silent)).unwrap();
    let intake = Intake { store: &store, fetcher: &fetcher };
    let runtime = Realizer::new(&lock, intake, RealizeSettings::default()).explain("runtime").unwrap();
    let prove = || {
        let work = tempfile::tempdir().unwrap();
        runtime.prove(&tree, work.path(), &mut std::io::sink())
    };

    let proof = prove().unwrap();
    let about = project.run(&["log", "runtime", "--about", "--json"]).code(0).json();
    assert_eq!(about["about"]["proof"], serde_json::to_value(&proof).unwrap());
    assert_eq!(proof.demanded, runtime.trimmed.kept.len());
    assert!(proof.loaded > 20 && proof.resolved > proof.loaded && proof.names > 10, "{proof:?}");
    assert_eq!(proof.newer, 1);
    assert!(proof.answers["/opt/llama/bin/llama-cli --version"].starts_with("version: "), "{proof:?}");
    assert!(proof.answers["/opt/rocm/bin/hipconfig --version"].starts_with("10.1.0"), "{proof:?}");
    for (program, files) in &proof.mapped {
        assert_eq!(*files, runtime.trimmed.linked[program.as_bytes()][&Processor::PLAIN].len(), "{program}");
    }

    let aside = project.path("out/aside");
    for path in runtime.trimmed.kept.keys() {
        let path = std::str::from_utf8(path).unwrap();
        let there = tree.join(path);
        std::fs::rename(&there, &aside).unwrap();
        let error = prove().expect_err(path).to_string();
        let system = format!("/opt/rocm/{path}");
        assert!(error.contains(&system), "{path}: {error}");
        // A file that the loader opens on any machine must be missed by ld.so itself.
        let is_elf = runtime.trimmed.elf.contains_key(system.as_bytes());
        let is_elf = is_elf && !runtime.trimmed.newer.contains(system.as_bytes());
        assert!(!is_elf || error.contains("ld.so says"), "{path}: {error}");
        std::fs::rename(&aside, &there).unwrap();
    }
    // A surplus file, and one with other contents.
    std::fs::write(tree.join("lib/more"), "x").unwrap();
    assert!(prove().unwrap_err().to_string().contains("has a file that no other file demands"));
    std::fs::remove_file(tree.join("lib/more")).unwrap();
    let kpack = tree.join(".kpack/blas_lib_gfx1151.kpack");
    let bytes = std::fs::read(&kpack).unwrap();
    std::fs::write(&kpack, "x").unwrap();
    assert!(prove().unwrap_err().to_string().contains("differs from that in the whole tree"));
    std::fs::write(&kpack, bytes).unwrap();
    assert_eq!(prove().unwrap(), proof);
}

/// The embedded upstream has every known trap for trimming recipes.
#[test]
fn the_runtime_has_what_every_trap_needs_and_nothing_else() {
    let project = realized();
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}\n[outputs.llama.cmake]\nGGML_BACKEND_DL = true\n"));
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    // The backends, and with them all of ROCm, are opened by rules.
    let about = project.run(&["log", "runtime", "--about", "--json"]).code(0).json();
    let proof = &about["about"]["proof"];
    let count = |field: &str| proof[field]["/opt/llama/bin/llama-cli"].as_u64().unwrap();
    assert!(count("opened") > 10 && count("mapped") < 8, "{proof}");
    let rule = |path: &str| -> String {
        let why = project.run(&["why", path, "--json"]).code(0).json();
        let last = why["chain"].as_array().and_then(|chain| chain.last()).map(|step| step["rule"].clone());
        last.unwrap_or_else(|| why["left_out"]["rule"].clone()).as_str().unwrap().to_owned()
    };
    for (path, expected) in [
        // Opened with dlopen only: by a constant, or by an edge if the name is put together at run time.
        ("lib/libhiprtc.so.7", "opens"),
        ("lib/libhsa-amd-aqlprofile64.so", "edge"),
        // A reference to an archive.
        (".kpack/blas_lib_gfx1151.kpack", "kpack"),
        (".kpack/blas_lib_gfx1100.kpack", "other GPU"),
        // Flat and per-GPU kernels, for the target and for all.
        ("lib/rocblas/library/TensileLibrary_lazy_gfx1151.dat", "kernels"),
        ("lib/rocblas/library/TensileLibrary_Type_SS_Contraction_l_Ailk_Bljk_Cijk_Dijk_fallback.dat", "kernels"),
        ("lib/hipblaslt/library/gfx1151/extop_gfx1151.co", "kernels"),
        ("lib/hipblaslt/library/gfx1100/extop_gfx1100.co", "other GPU"),
        // RUNPATH by $ORIGIN two levels deep, in a private directory.
        ("lib/rocm_sysdeps/lib/librocm_sysdeps_drm_amdgpu.so.1", "needs"),
        ("lib/host-math/lib/librocm-openblas.so.0", "needs"),
        // Used instead of another file on newer processors.
        ("lib/rocm_sysdeps/lib/glibc-hwcaps/x86-64-v3/librocm_sysdeps_numa.so.1", "needs"),
        // A chain of links.
        ("lib/libhsa-runtime64.so.1", "needs"),
        ("lib/libhsa-runtime64.so.1.18.0", "links to"),
        ("lib/libhsa-runtime64.so", "link"),
        ("lib/libamd_comgr.so", "link"),
        ("lib/libtensilelite-host.so.1", "needs"),
        ("lib/llvm/amdgcn/bitcode/ocml.bc", "data"),
        ("amdgcn", "data"),
        ("bin/rocminfo", "tool"),
        ("share/hip/version", "data"),
        (".info/version", "provenance"),
        ("lib/libMIOpen.so.1.0", "library"),
        ("lib/llvm/bin/clang", "compiler"),
    ] {
        assert_eq!(rule(path), expected, "{path}");
    }
}

#[test]
fn a_build_that_does_not_run_gives_no_runtime() {
    let project = realized();
    // A search path without ROCm's libraries: they are in the tree, but ld.so does not find them.
    let manifest = project.read("manifests/strix.toml");
    let lost = "[outputs.llama.cmake]\nCMAKE_INSTALL_RPATH = \"$ORIGIN;$ORIGIN/../lib\"\n";
    project.write("manifests/strix.toml", &format!("{manifest}\n{lost}"));
    project.run(&["update"]).code(0);
    project.run(&["realize", "llama"]).code(0);
    // Without a sandbox there is no proof.
    let ran = project.finish(project.command(&["realize"]).env("PATH", "/nonexistent").output().unwrap()).code(1);
    assert!(ran.stderr.contains("cannot start bubblewrap") && ran.stderr.contains("hint: "), "{}", ran.all());
    let ran = project.run(&["realize"]).code(1);
    assert!(
        ran.stderr.contains(
            "error: runtime: a file of the runtime needs a library or version that ld.so does not find there\n"
        ),
        "{}",
        ran.all()
    );
    for part in ["  ld.so says  ", "librocblas.so.5", "  root        /opt/llama/bin/llama-", "  log         "] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.all());
    }
    assert!(project.run(&["log", "runtime"]).code(0).stdout.contains("@proof 1\n"));
    assert!(!project.store("main").join("current/runtime").exists());
}

#[test]
fn an_edge_of_the_manifest_counts_and_changes_the_derivation() {
    let project = realized();
    let id = || project.run(&["lock", "digest", "runtime"]).code(0).stdout;
    let (before, manifest) = (id(), project.read("manifests/strix.toml"));
    let edge = |more: &str| {
        let edge = "[[outputs.runtime.edges]]\nfrom = \"librocblas.so\"\nreason = \"tests need it\"\n";
        project.write("manifests/strix.toml", &format!("{manifest}{edge}{more}"));
        project.run(&["update"]).code(0);
    };
    edge("library = \"libMIOpen.so\"\n");
    assert_ne!(before, id());
    project.run(&["realize"]).code(0);
    let why = project.run(&["why", "lib/libMIOpen.so.1"]).code(0).stdout;
    assert!(why.contains("tests need it (edge of librocblas.so)"), "{why}");
    edge("path = \"share/nowhere\"\nrequired = true\n");
    let ran = project.run(&["realize"]).code(1);
    assert!(
        ran.stderr.contains("missing   share/nowhere") || ran.stderr.contains("missing  share/nowhere"),
        "{}",
        ran.all()
    );
}
