//! Version ranges, as Python's `packaging` answers them.

use std::process::Command;

#[test]
fn ranges_are_answered_as_packaging_answers_them() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/versions-vs-packaging");
    let program = env!("CARGO_BIN_EXE_strixlock");
    let ran =
        Command::new("python3").args([script, "--questions", "1000", "--seed", "17", "--program", program]).output();
    let Ok(ran) = ran else {
        println!("not run: there is no python3");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    // 77: this Python has no `packaging`.
    assert!(matches!(ran.status.code(), Some(0 | 77)), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}
