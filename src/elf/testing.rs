//! Small real ELF files for tests, made by the machine's compiler.

use std::path::Path;
use std::process::Command;

/// Compiles `code` to `output` with `arguments` and nothing of the C library. Directories are made.
pub(crate) fn cc(output: &Path, code: &str, arguments: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    cc_at(&dir.path().join("it.c"), output, code, arguments);
}

/// The same, with the source at a path that is known: debug information has it in it.
pub(crate) fn cc_at(source: &Path, output: &Path, code: &str, arguments: &[&str]) {
    fs_err::create_dir_all(output.parent().unwrap()).unwrap();
    fs_err::write(source, code).unwrap();
    // Linked as needed or not, and with which kind of search path, is for the test to say, not for the distribution.
    let mut command = Command::new("cc");
    command.args(["-O0", "-fPIC", "-nostartfiles", "-Wl,--no-as-needed"]).arg("-o").arg(output).arg(source);
    let done = command.args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
