//! Test support: small real ELF files, made by the machine's compiler.

// These functions fail a test by a panic.
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate, clippy::new_without_default)]

use std::path::Path;
use std::process::Command;

/// Compiles `code` to `output` with `arguments`, without the C library. Creates directories.
pub fn cc(output: &Path, code: &str, arguments: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    cc_at(&dir.path().join("it.c"), output, code, arguments);
}

/// Like [`cc`], with the source at a given path, which debug information names.
pub fn cc_at(source: &Path, output: &Path, code: &str, arguments: &[&str]) {
    fs_err::create_dir_all(output.parent().unwrap()).unwrap();
    fs_err::write(source, code).unwrap();
    // The test decides about `--as-needed` and the kind of search path, not the distribution.
    let mut command = Command::new("cc");
    command.args(["-O0", "-fPIC", "-nostartfiles", "-Wl,--no-as-needed"]).arg("-o").arg(output).arg(source);
    let done = command.args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
