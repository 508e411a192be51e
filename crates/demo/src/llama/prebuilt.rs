//! An archive of programs as llama.cpp's releases have it: built from the sample sources for a ROCm nightly, in one
//! directory, with `$ORIGIN` as the only search path.

use std::path::Path;
use std::process::{Command, Stdio};

use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};

use super::history;
use super::{Mode, source_files};
use crate::Nightly;
use crate::error::{Error, Result};

/// Builds the sources of a commit of the repository (from 1 on) against a nightly. Returns a `.tar.gz` with a directory
/// `llama-b<number>` around all files. Needs `cmake`, `ninja` and `cc`.
pub(crate) fn archive(repository: &Path, number: u64, nightly: &Nightly) -> Result<Vec<u8>> {
    let commits = history(repository)?.commits;
    let commit = commits.get(number.saturating_sub(1) as usize).map_or("", String::as_str);
    let place = tempfile::Builder::new().prefix("strixlock-demo-prebuilt").tempdir()?;
    let [rocm, source, out] = ["rocm", "source", "out"].map(|name| place.path().join(name));
    fs_err::create_dir(&rocm)?;
    let tarball = nightly.write(place.path())?;
    run(Command::new("tar").arg("xzf").arg(tarball).arg("-C").arg(&rocm))?;
    for file in source_files(number).iter().filter(|file| file.mode != Mode::Link) {
        let path = source.join(&file.path);
        fs_err::create_dir_all(path.parent().unwrap_or(&source))?;
        fs_err::write(path, &file.bytes)?;
    }
    let compiler = rocm.join("lib/llvm/bin");
    let map = format!("-ffile-prefix-map={}=.", place.path().display());
    run(Command::new("cmake")
        .args(["-G", "Ninja", "-S"])
        .arg(&source)
        .arg("-B")
        .arg(&out)
        .arg(format!("-DCMAKE_C_COMPILER={}/clang", compiler.display()))
        .arg(format!("-DCMAKE_CXX_COMPILER={}/clang++", compiler.display()))
        .arg(format!("-DCMAKE_PREFIX_PATH={}", rocm.display()))
        .args([format!("-DCMAKE_C_FLAGS={map}"), format!("-DCMAKE_CXX_FLAGS={map}")])
        .args(["-DGGML_HIP=ON", "-DGPU_TARGETS=gfx1151", "-DGGML_NATIVE=OFF", "-DGGML_BACKEND_DL=ON"])
        .args(["-DGGML_CPU_ALL_VARIANTS=ON", "-DLLAMA_BUILD_TESTS=OFF", "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON"])
        .args(["-DCMAKE_INSTALL_RPATH=$ORIGIN".to_owned(), format!("-DLLAMA_BUILD_NUMBER={number}")])
        .arg(format!("-DLLAMA_BUILD_COMMIT={commit}"))
        .env("ROCM_PATH", &rocm))?;
    run(Command::new("cmake").arg("--build").arg(&out))?;
    pack(&out.join("bin"), &format!("llama-b{number}"))
}

/// Packs the files and links of a directory.
fn pack(directory: &Path, name: &str) -> Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).operating_system(3).write(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    let mut names: Vec<String> = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort_unstable();
    let header = |kind, mode, size| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header
    };
    archive.append_data(&mut header(EntryType::Directory, 0o755, 0), format!("{name}/"), std::io::empty())?;
    for file in names {
        let (path, place) = (directory.join(&file), format!("{name}/{file}"));
        let kind = fs_err::symlink_metadata(&path)?.file_type();
        if kind.is_symlink() {
            archive.append_link(&mut header(EntryType::Symlink, 0o777, 0), place, fs_err::read_link(&path)?)?;
        } else if kind.is_file() {
            let bytes = fs_err::read(&path)?;
            let mut header = header(EntryType::Regular, 0o755, bytes.len() as u64);
            archive.append_data(&mut header, place, bytes.as_slice())?;
        }
    }
    Ok(archive.into_inner()?.finish()?)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).env("LC_ALL", "C").output().map_err(|error| {
        Error::failure("the demo upstream cannot build its release")
            .because(&error)
            .hint("install cmake, ninja, gcc and g++")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::failure("the demo upstream could not build its release").excerpt(String::from_utf8_lossy(&said)))
}
