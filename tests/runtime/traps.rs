//! Libraries that are opened under names that no file has: they are kept all the same, or reported with a working edge.

use std::path::Path;
use std::process::Command;

use strixlock_demo::Nightly;

use crate::support::Project;

const VERSION: &str = "10.1.0a20260901";
const SOLVER: &str = "lib/librocsolver.so.0.8.0";
/// Directories that ROCm's own libraries search.
const RUNPATH: &str = "-Wl,--enable-new-dtags,-rpath,$ORIGIN:$ORIGIN/rocm_sysdeps/lib:$ORIGIN/host-math/lib";

/// Returns a project with a changed nightly.
pub(super) fn with_tree(change: impl Fn(&Path)) -> Project {
    let project = Project::new();
    let tarball = project.upstream().tarball(&Nightly::new(VERSION)).unwrap();
    let tree = tempfile::tempdir().unwrap();
    let tar = |arguments: &[&str]| {
        let done = Command::new("tar").args(arguments).arg("-C").arg(tree.path()).arg(".").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let path = tarball.to_str().unwrap();
    tar(&["-xzf", path]);
    change(tree.path());
    std::fs::remove_file(&tarball).unwrap();
    tar(&["-czf", path]);
    project.full_manifest(VERSION);
    project.run(&["update"]).code(0);
    project
}

/// Compiles a library of the tree. Replaces an existing one.
fn library(tree: &Path, path: &str, source: &str, options: &[&str]) {
    let at = tree.join(path);
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("in.c"), source).unwrap();
    let mut cc = Command::new("cc");
    cc.current_dir(dir.path()).args(["-O1", "-fPIC", "-shared", "in.c", "-Wl,--no-as-needed,--allow-shlib-undefined"]);
    let done = cc.args(options).arg("-o").arg(&at).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Compiles a library without contents.
fn plain(tree: &Path, path: &str) {
    let name = path.rsplit('/').next().unwrap();
    library(tree, path, &format!("int {}(void) {{ return 1; }}", symbol(name)), &[&format!("-Wl,-soname,{name}")]);
}

fn symbol(name: &str) -> String {
    name.split('.').next().unwrap().replace('-', "_")
}

/// Compiles librocsolver, which llama.cpp links by hipBLAS, with code that runs when it is loaded.
fn solver(tree: &Path, does: &str, needs: &[&str], options: &[&str]) {
    let source = format!(
        r#"
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdio.h>
        #include <string.h>
        extern int rocblas_check(void), amdhip64_check(void);
        int rocsolver_check(void) {{ return 1 + rocblas_check() + amdhip64_check(); }}
        static void beside(const char *format, const char *name) {{
            char path[4096], directory[4096];
            Dl_info info;
            dladdr((const void *)rocsolver_check, &info);
            strcpy(directory, info.dli_fname);
            *strrchr(directory, '/') = 0;
            snprintf(path, sizeof path, format, directory, name);
            dlopen(path, RTLD_NOW);
        }}
        static void by_name(const char *name) {{
            char file[256];
            snprintf(file, sizeof file, "lib%s%s.so.%d", "trap", name, 1);
            dlopen(file, RTLD_NOW);
        }}
        __attribute__((constructor)) static void traps(void) {{ (void)beside; (void)by_name; {does} }}
        "#
    );
    let lib = tree.join("lib");
    let mut all: Vec<String> = ["librocblas.so.5", "libamdhip64.so.7"]
        .iter()
        .chain(needs)
        .map(|name| lib.join(name).display().to_string())
        .collect();
    all.extend([RUNPATH, "-Wl,-soname,librocsolver.so.0"].map(str::to_owned));
    all.extend(options.iter().map(|option| (*option).to_owned()));
    library(tree, SOLVER, &source, &all.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Returns the rule that keeps a file, or the reason why it is left out.
fn rule(project: &Project, path: &str) -> String {
    let why = project.run(&["why", path, "--json"]).code(0).json();
    let last = why["chain"].as_array().and_then(|chain| chain.last()).map(|step| step["rule"].clone());
    last.unwrap_or_else(|| why["left_out"]["rule"].clone()).as_str().unwrap().to_owned()
}

#[test]
fn names_that_are_put_together_at_run_time_are_told_with_edges_that_work() {
    let project = with_tree(|tree| {
        let does = r#"
            by_name("one"); by_name("two"); by_name("three"); by_name("nowhere");
            beside("%s/trapsub/%s.so.1", "libtraprel"); beside("%s/%s.so", "trapplug");
            beside("%s/trapplugins/%s.so", "libtrapplugin");
        "#;
        solver(tree, does, &[], &[]);
        for path in ["lib/libtrapone.so.1", "lib/libtraptwo.so.1", "lib/rocm_sysdeps/lib/libtrapthree.so.1"] {
            plain(tree, path);
        }
        for path in ["lib/trapsub/libtraprel.so.1", "lib/trapplug.so", "lib/trapplugins/libtrapplugin.so"] {
            plain(tree, path);
        }
    });
    let ran = project.run(&["realize"]).code(1);
    for part in [
        "error: runtime: programs request libraries that the whole tree has and the runtime lacks\n",
        "  asks      /opt/rocm/lib/librocsolver.so.0.8.0\n  for       libtrapone.so.1\n\
        \x20 there is  /opt/rocm/lib/libtrapone.so.1\n",
        "  there is  /opt/rocm/lib/rocm_sysdeps/lib/libtrapthree.so.1\n",
        "  there is  /opt/rocm/lib/trapsub/libtraprel.so.1\n",
        "[[outputs.runtime.edges]]\nfrom = \"librocsolver.so\"\nlibrary = \"lib/trapsub/libtraprel.so.1\"\n",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.all());
    }
    assert!(!ran.stderr.contains("nowhere"), "{}", ran.all());
    assert_eq!(ran.stderr.matches("  asks  ").count(), 6, "{}", ran.all());
    // With the reported edges in the manifest, it gets further.
    let edges: Vec<&str> = ran.stderr.lines().skip_while(|line| !line.starts_with("[[")).collect();
    let edges: Vec<&str> = edges.into_iter().take_while(|line| !line.starts_with("hint: ")).collect();
    let manifest = project.read("manifests/strix.toml");
    project.write("manifests/strix.toml", &format!("{manifest}\n{}\n", edges.join("\n")));
    project.run(&["update"]).code(0);
    project.run(&["realize"]).code(0);
    for path in [
        "lib/libtrapone.so.1",
        "lib/libtraptwo.so.1",
        "lib/rocm_sysdeps/lib/libtrapthree.so.1",
        "lib/trapsub/libtraprel.so.1",
        "lib/trapplug.so",
        "lib/trapplugins/libtrapplugin.so",
    ] {
        assert_eq!(rule(&project, path), "edge", "{path}");
    }

    // A person may also name the directory of the plugins, or others without the directory or the version.
    let edge =
        |to: &str| format!("[[outputs.runtime.edges]]\nfrom = \"librocsolver.so\"\n{to}\nreason = \"is opened\"\n");
    let own = [
        "path = \"lib/trapplugins\"",
        "library = \"libtraprel.so\"",
        "library = \"trapplug.so\"",
        "library = \"libtrapone.so\"",
    ];
    let own = own.into_iter().chain([
        "library = \"libtraptwo.so.1\"",
        "library = \"libtrapthree.so\"",
        "library = \"libtrapgone.so\"",
    ]);
    project.write("manifests/strix.toml", &format!("{manifest}\n{}", own.map(edge).collect::<String>()));
    project.run(&["update"]).code(0);
    let ran = project.run(&["realize"]).code(0);
    assert!(
        ran.stderr.contains(
            "runtime: the edge from `librocsolver.so` to `libtrapgone.so` keeps nothing: the ROCm tree has no library"
        ),
        "{}",
        ran.all()
    );
    assert_eq!(rule(&project, "lib/trapplugins/libtrapplugin.so"), "data");
    assert_eq!(rule(&project, "lib/trapsub/libtraprel.so.1"), "edge");
}

#[test]
fn what_a_file_says_in_whatever_way_is_kept_without_an_edge() {
    let project = with_tree(|tree| {
        for path in [
            "lib/trapconst/libtrapconst.so.1",
            "lib/a/libtrapdup.so.1",
            "lib/b/libtrapdup.so.1",
            "lib/libtrapfast.so.1",
        ] {
            plain(tree, path);
        }
        for (name, own) in [("libtrapa.so.1", "a"), ("libtrapb.so.1", "b")] {
            let needs = tree.join(format!("lib/{own}/libtrapdup.so.1")).display().to_string();
            let runpath = format!("-Wl,--enable-new-dtags,-rpath,$ORIGIN/{own}");
            library(tree, &format!("lib/{name}"), "", &[&needs, &runpath, &format!("-Wl,-soname,{name}")]);
        }
        // Found only by the search path of the file that loads it.
        plain(tree, "lib/inner/libtrapend.so.1");
        let end = tree.join("lib/inner/libtrapend.so.1").display().to_string();
        let use_end = "extern int libtrapend(void); int libtrapmid(void) { return libtrapend(); }";
        library(tree, "lib/inner/libtrapmid.so.1", use_end, &[&end, "-Wl,-soname,libtrapmid.so.1"]);
        let mid = tree.join("lib/inner/libtrapmid.so.1").display().to_string();
        let rpath = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/inner";
        library(tree, "lib/libtraprpath.so.1", "", &[&mid, rpath, "-Wl,-soname,libtraprpath.so.1"]);
        let does = r#"beside("%s/trapconst/libtrapconst.so.1", "");
            static const char pack[] __attribute__((section(".rocm_kpack_ref"), used)) = "../.kpack/trap_@GFXARCH@.kpack";"#;
        let needs = ["libtrapa.so.1", "libtrapb.so.1", "libtraprpath.so.1"];
        solver(tree, does, &needs, &["-Wl,-f,libtrapfast.so.1", "-Wl,-f,libtrapnowhere.so.1"]);
        for arch in ["gfx11-generic", "gfx12-generic", "gfx1100"] {
            std::fs::write(tree.join(format!(".kpack/trap_{arch}.kpack")), arch).unwrap();
        }
    });
    project.run(&["realize"]).code(0);
    for (path, expected) in [
        ("lib/trapconst/libtrapconst.so.1", "opens"),
        ("lib/a/libtrapdup.so.1", "needs"),
        ("lib/b/libtrapdup.so.1", "needs"),
        ("lib/inner/libtrapend.so.1", "needs"),
        ("lib/libtrapfast.so.1", "filter"),
        (".kpack/trap_gfx11-generic.kpack", "kpack"),
        (".kpack/trap_gfx12-generic.kpack", "other GPU"),
        (".kpack/trap_gfx1100.kpack", "other GPU"),
    ] {
        assert_eq!(rule(&project, path), expected, "{path}");
    }
    let about = project.run(&["log", "runtime", "--about", "--json"]).code(0).json();
    assert_eq!(about["about"]["proof"]["with_others"], 1, "{about}");
}

#[test]
fn a_nightly_without_kernels_is_told_before_anything_is_built_with_it() {
    let project = with_tree(|tree| {
        for entry in std::fs::read_dir(tree.join("lib/rocblas/library")).unwrap() {
            let path = entry.unwrap().path();
            let fallback = path.to_str().unwrap().ends_with("_fallback.dat");
            match path.is_dir() {
                true => std::fs::remove_dir_all(path).unwrap(),
                false if !fallback => std::fs::remove_file(path).unwrap(),
                false => {}
            }
        }
    });
    for arguments in [["realize"].as_slice(), &["realize", "rocm"], &["realize", "rocm"]] {
        let ran = project.run(arguments).code(1);
        for part in [
            "error: rocm: this ROCm build has no kernels of librocblas.so for gfx1151\n",
            "  library    /opt/rocm/lib/librocblas.so.5.2\n  looked in  /opt/rocm/lib/rocblas/library\n",
            "  there is   no such table among 2 files\n",
        ] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.all());
        }
    }
    assert!(!project.store("main").join("current/llama").exists());
    // If no program uses it, nothing fails.
    project.realize_rocm(VERSION);
}

/// Replaces the stack entry of a library's program headers by a PT_PHDR that lies in no loaded segment.
fn lose_program_headers(path: &Path) {
    const PT_PHDR: u32 = 6;
    const PT_GNU_STACK: u32 = 0x6474_e551;
    let mut bytes = std::fs::read(path).unwrap();
    let count = usize::from(u16::from_le_bytes(bytes[56..58].try_into().unwrap()));
    let kind = |at: &usize| bytes[*at..*at + 4] == PT_GNU_STACK.to_le_bytes();
    let stack = (0..count).map(|index| 64 + 56 * index).find(kind).unwrap();
    bytes[stack..stack + 4].copy_from_slice(&PT_PHDR.to_le_bytes());
    bytes[stack + 16..stack + 24].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_library_that_crashes_the_loader_is_named_with_what_is_wrong_in_it() {
    let project = with_tree(|tree| {
        plain(tree, "lib/libtrapcrash.so.1");
        lose_program_headers(&tree.join("lib/libtrapcrash.so.1"));
        let does = "static const char name[] __attribute__((used)) = \"libtrapcrash.so.1\";";
        solver(tree, does, &[], &[]);
    });
    let ran = project.run(&["realize"]).code(1);
    for part in [
        "error: runtime: ld.so cannot map a file of the runtime\n",
        "  /opt/rocm/lib/libtrapcrash.so.1\n",
        " (signal 11)\n",
        "  /opt/rocm/lib/libtrapcrash.so.1: its program headers are not in a loaded segment (PT_PHDR)",
        "\nhint: the damaged files were published like this: pin another version",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.all());
    }
    assert!(!project.store("main").join("current/runtime").exists());
}
