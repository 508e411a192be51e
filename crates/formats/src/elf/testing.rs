//! Small real ELF files for tests, made by the machine's compiler.

// To panic is how these fail a test.
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate, clippy::new_without_default)]

use std::path::Path;
use std::process::Command;

/// Compiles `code` to `output` with `arguments` and nothing of the C library. Directories are made.
pub fn cc(output: &Path, code: &str, arguments: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    cc_at(&dir.path().join("it.c"), output, code, arguments);
}

/// Compiles as [`cc`] does, with the source at a known path, which debug information names.
pub fn cc_at(source: &Path, output: &Path, code: &str, arguments: &[&str]) {
    fs_err::create_dir_all(output.parent().unwrap()).unwrap();
    fs_err::write(source, code).unwrap();
    // Linked as needed or not, and with which kind of search path, is for the test to say, not for the distribution.
    let mut command = Command::new("cc");
    command.args(["-O0", "-fPIC", "-nostartfiles", "-Wl,--no-as-needed"]).arg("-o").arg(output).arg(source);
    let done = command.args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
