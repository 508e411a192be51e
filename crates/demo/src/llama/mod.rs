//! A CMake project in the shape of llama.cpp: the same options, libraries, tools and conventions, in a few hundred
//! lines.
//!
//! It builds in seconds, with and without HIP, and its `llama-bench` fails if the runtime lacks something.

pub(crate) mod history;
pub(crate) mod prebuilt;

pub use history::{History, add_files, add_submodule};
pub(crate) use history::{add_commit, commit_history, history};

/// The mode of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 0644
    Plain,
    /// 0755
    Executable,
    /// A symbolic link; its bytes are the target.
    Link,
}

/// One file of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Relative path.
    pub path: String,
    /// Mode.
    pub mode: Mode,
    /// Contents.
    pub bytes: Vec<u8>,
}

macro_rules! templates {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../templates/llama/", $path)))),*]
    };
}

const TEMPLATES: &[(&str, &str)] = templates! {
    "CMakeLists.txt"
    "cmake/build-info.cmake"
    "cmake/fault.cmake"
    "cmake/llama-config.cmake.in"
    "cmake/llama.pc.in"
    "cmake/stamps.cmake"
    "common/arg.cpp"
    "common/arg.h"
    "common/build-info.cpp.in"
    "common/toy.cpp"
    "common/toy.h"
    "ggml/CMakeLists.txt"
    "ggml/include/ggml-backend.h"
    "ggml/include/ggml.h"
    "ggml/src/ggml-alloc.c"
    "ggml/src/ggml-backend-reg.cpp"
    "ggml/src/ggml-cpu/CMakeLists.txt"
    "ggml/src/ggml-cpu/ggml-cpu.c"
    "ggml/src/ggml-hip/CMakeLists.txt"
    "ggml/src/ggml-hip/ggml-hip.cpp"
    "ggml/src/ggml.c"
    "include/llama.h"
    "scripts/ui-assets.cmake"
    "src/llama.cpp"
    "tests/CMakeLists.txt"
    "tests/test-revision.cpp"
    "tools/CMakeLists.txt"
    "tools/cli/CMakeLists.txt"
    "tools/cli/cli.cpp"
    "tools/llama-bench/CMakeLists.txt"
    "tools/llama-bench/llama-bench.cpp"
    "tools/perplexity/CMakeLists.txt"
    "tools/perplexity/perplexity.cpp"
    "tools/server/CMakeLists.txt"
    "tools/server/http.cpp"
    "tools/server/http.h"
    "tools/server/server.cpp"
};

/// Returns the options by which a revision reads a model into memory, as llama.cpp's versions had them: one, then
/// another beside it, then the other alone.
fn options_of(revision: u64) -> [(&'static str, &'static str); 2] {
    let mmap = include_str!("../templates/llama/common/mmap.txt");
    let load_mode = include_str!("../templates/llama/common/load-mode.txt");
    [("@MMAP@", if revision < 3 { mmap } else { "" }), ("@LOAD_MODE@", if revision > 1 { load_mode } else { "" })]
}

/// Returns the sources at a revision, from 1 on. Revisions differ in `src/llama.cpp` and `docs/changes.md`, and the
/// first three in their options.
#[must_use]
pub(crate) fn source_files(revision: u64) -> Vec<SourceFile> {
    let file = |path: &str, mode, bytes: &[u8]| SourceFile { path: path.to_owned(), mode, bytes: bytes.to_vec() };
    let mut files: Vec<_> = TEMPLATES
        .iter()
        .map(|(path, text)| {
            let text = text.replace("@REVISION@", &revision.to_string());
            let text = options_of(revision).iter().fold(text, |text, (name, option)| text.replace(name, option));
            file(path, Mode::Plain, text.as_bytes())
        })
        .collect();
    let changes: Vec<_> = (1..=revision).map(|number| format!("* revision {number}\n")).collect();
    files.extend([
        file("scripts/show-flags.sh", Mode::Executable, include_bytes!("../templates/llama/scripts/show-flags.sh")),
        file("README.md", Mode::Plain, b"# llama.cpp, or rather its shape\n"),
        file("docs/README.md", Mode::Link, b"../README.md"),
        file("docs/changes.md", Mode::Plain, changes.concat().as_bytes()),
        // On checkout or in an archive git would change these bytes: a pin is about the blobs.
        file(".gitattributes", Mode::Plain, include_bytes!("../templates/llama/gitattributes")),
        file("docs/notes.txt", Mode::Plain, b"lines that end\nin line feeds\n"),
        file("docs/VERSION.md", Mode::Plain, b"commit $Format:%H$\n"),
        file("docs/ident.md", Mode::Plain, b"$Id$\n"),
        file("docs/internal/plan.md", Mode::Plain, b"not for archives\n"),
        file("docs/sp ace \u{e4}.bin", Mode::Plain, &[0, 13, 10, 255, 26]),
    ]);
    files
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Output};

    use super::*;
    use crate::Nightly;
    use crate::error::Result;

    fn run(command: &mut Command) -> Output {
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}\n{out}{err}");
        output
    }

    fn stdout(command: &mut Command) -> String {
        String::from_utf8(run(command).stdout).unwrap()
    }

    /// Writes the sources at a revision into a directory, as plain files without git.
    fn write_sources(directory: &Path, revision: u64) -> Result<()> {
        for file in source_files(revision) {
            let path = directory.join(&file.path);
            fs_err::create_dir_all(path.parent().unwrap_or(directory))?;
            if file.mode == Mode::Link {
                fs_err::os::unix::fs::symlink(String::from_utf8_lossy(&file.bytes).as_ref(), &path)?;
                continue;
            }
            fs_err::write(&path, &file.bytes)?;
            let mode = if file.mode == Mode::Executable { 0o755 } else { 0o644 };
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// Unpacks a nightly and builds the project against it with these options; the install tree is at `opt`.
    fn build(directory: &Path, options: &[&str]) {
        let tarball = Nightly::new("10.1.0a20260901").write(directory).unwrap();
        let [rocm, source, out, opt] = ["rocm", "source", "out", "opt"].map(|name| directory.join(name));
        fs_err::create_dir(&rocm).unwrap();
        run(Command::new("tar").arg("xzf").arg(tarball).arg("-C").arg(&rocm));
        write_sources(&source, 7).unwrap();
        let compiler = rocm.join("lib/llvm/bin");
        run(Command::new("cmake")
            .args(["-G", "Ninja", "-S"])
            .arg(&source)
            .arg("-B")
            .arg(&out)
            .arg(format!("-DCMAKE_C_COMPILER={}/clang", compiler.display()))
            .arg(format!("-DCMAKE_CXX_COMPILER={}/clang++", compiler.display()))
            .arg(format!("-DCMAKE_PREFIX_PATH={}", rocm.display()))
            .arg(format!("-DCMAKE_INSTALL_PREFIX={}", opt.display()))
            .args(["-DGGML_HIP=ON", "-DGPU_TARGETS=gfx1151", "-DGGML_NATIVE=OFF", "-DLLAMA_BUILD_NUMBER=4711"])
            .args(["-DLLAMA_BUILD_COMMIT=0123abc", "-DLLAMA_BUILD_TESTS=OFF", "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON"])
            .arg(format!("-DCMAKE_INSTALL_RPATH=$ORIGIN;$ORIGIN/../lib;{}/lib", rocm.display()))
            .args(options)
            .env("ROCM_PATH", &rocm));
        run(Command::new("cmake").arg("--build").arg(&out));
        run(Command::new("cmake").arg("--install").arg(&out));
    }

    #[test]
    fn it_builds_against_a_nightly_and_runs() {
        let directory = tempfile::tempdir().unwrap();
        build(directory.path(), &[]);
        let bin = directory.path().join("opt/bin");
        let version = run(Command::new(bin.join("llama-cli")).arg("--version"));
        let version = String::from_utf8(version.stderr).unwrap();
        assert!(version.starts_with("version: 4711 (0123abc)\nbuilt with "), "{version}");
        let devices = stdout(Command::new(bin.join("llama-server")).arg("--list-devices"));
        assert!(devices.contains("  ROCm0: Demo Strix Halo, gfx1151 (98304 MiB"), "{devices}");
        let bench = stdout(&mut Command::new(bin.join("llama-bench")));
        assert!(bench.contains("| ROCm | dot256 | 5559680 |"), "{bench}");
        for name in ["libllama.so.0", "libggml.so.0", "libggml-base.so.0", "libggml-cpu.so.0", "libggml-hip.so.0"] {
            assert!(directory.path().join("opt/lib").join(name).exists(), "{name}");
        }
        for name in
            ["include/llama.h", "include/ggml.h", "lib/cmake/llama/llama-config.cmake", "lib/pkgconfig/llama.pc"]
        {
            assert!(directory.path().join("opt").join(name).exists(), "{name}");
        }

        // The loss of any of these is noticed.
        for lost in [
            ".kpack/blas_lib_gfx1151.kpack",
            "lib/libhiprtc.so.7",
            "lib/libhiprtc-builtins.so.7",
            "lib/llvm/amdgcn/bitcode/ocml.bc",
            "lib/rocblas/library/TensileLibrary_lazy_gfx1151.dat",
            "lib/rocblas/library/gfx1151/TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_gfx1151.co",
            "lib/hipblaslt/library/gfx1151/TensileLibrary_lazy_gfx1151.dat",
            "lib/libtensilelite-host.so.1",
            "lib/rocm_sysdeps/lib/librocm_sysdeps_zstd.so.1",
        ] {
            let (there, away) = (directory.path().join("rocm").join(lost), directory.path().join("away"));
            fs_err::rename(&there, &away).unwrap();
            let status = Command::new(bin.join("llama-bench")).output().unwrap().status;
            assert!(!status.success(), "{lost}");
            fs_err::rename(&away, &there).unwrap();
        }
    }

    #[test]
    fn backends_are_found_beside_the_program() {
        let directory = tempfile::tempdir().unwrap();
        build(directory.path(), &["-DGGML_BACKEND_DL=ON", "-DGGML_CPU_ALL_VARIANTS=ON"]);
        let bin = directory.path().join("opt/bin");
        assert!(bin.join("libggml-hip.so").exists());
        let bench = stdout(&mut Command::new(bin.join("llama-bench")));
        assert!(bench.contains("| ROCm | dot256 | 5559680 |"), "{bench}");
        fs_err::remove_file(bin.join("libggml-hip.so")).unwrap();
        assert_eq!(stdout(Command::new(bin.join("llama-cli")).arg("--list-devices")), "Available devices:\n");
    }
}
