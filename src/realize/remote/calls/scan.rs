//! The action that finds out which files each call reads.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::script::{self, RECORD};
use super::command::Call;
use crate::recipe::build::BUILD;

/// The file with the scan for Ninja, which runs several at a time.
pub(super) const NINJA: &str = "/build/scan.ninja";
/// Directory of the lists, below that with the results: a file for each call, named by its number.
pub(super) const LISTS: &str = "lists";
/// File with the names of all files in the directory of the build.
pub(super) const NAMES: &str = "names";
/// Directory of generated files that calls read, below that with the results.
pub(super) const GENERATED: &str = "generated";

/// Makes all that is generated before a target is compiled, lets the compilers note what they read, and copies what is
/// generated of that. A file that cannot be scanned has no list.
const SCAN: &str = r#"targets=$(ninja -t targets all | while IFS=: read -r name rest; do
  case $name in
    cmake_object_order_depends_target_*)
      case $wanted in *" ${name#cmake_object_order_depends_target_} "*) printf '%s\n' "$name" ;; esac
      ;;
  esac
done)
[ -z "$targets" ] || ninja -k 0 -j "$jobs" $targets < /dev/null || echo "the last action generates again"
ls -R -a BUILD > RECORD/NAMES || exit
mkdir -p RECORD/LISTS RECORD/GENERATED || exit
ninja -k 0 -j "$jobs" -f NINJA < /dev/null || echo "files that cannot be scanned are left to the last action"
cat RECORD/LISTS/* 2>/dev/null | tr ' \\' '\n\n' | sort -u | while read -r file; do
  case $file in
    BUILD/*) file=${file#BUILD/} ;;
    /*|*:|'') continue ;;
  esac
  to=RECORD/GENERATED/$file
  if [ -f "$file" ]; then mkdir -p "${to%/*}" && cp "$file" "$to"; fi
done
"#;

/// Returns the script that configures and scans for these calls.
pub(super) fn script(calls: &[Call], configure: &[String], jobs: Option<usize>, memory_per_job: u64) -> String {
    let mut script = script::begin(false);
    script += &script::jobs_lines(jobs, memory_per_job);
    // Writing to a String cannot fail.
    let _ = writeln!(script, "run {}", script::words(configure));
    let targets: BTreeSet<&str> = calls.iter().filter_map(Call::target).collect();
    let targets = targets.into_iter().collect::<Vec<_>>().join(" ");
    let _ = writeln!(script, "wanted={}", script::words(&[format!(" {targets} ")]));
    let names = [
        ("NAMES", NAMES),
        ("RECORD", RECORD),
        ("LISTS", LISTS),
        ("GENERATED", GENERATED),
        ("NINJA", NINJA),
        ("BUILD", BUILD),
    ];
    script + &names.iter().fold(SCAN.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// Returns a file for Ninja that scans the sources of these calls.
pub(super) fn ninja_file(calls: &[Call]) -> String {
    let mut file =
        format!("builddir = /build/scan\nrule scan\n  command = $call\n  description = scan {}\n", "$object");
    for (number, call) in calls.iter().enumerate() {
        let command = script::words(&call.scanning(&format!("{RECORD}/{LISTS}/{number}"))).replace('$', "$$");
        let object = call.object.replace('$', "$$");
        let _ = write!(file, "build scanned-{number}: scan\n  call = {command}\n  object = {object}\n");
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_valid() {
        let script = script(&[], &["cmake".to_owned(), "-DA=b c".to_owned()], None, 1 << 30);
        for expected in
            ["run 'cmake' '-DA=b c'\n", "/build/record/lists", "-f /build/scan.ninja", "${file#/build/out/}"]
        {
            assert!(script.contains(expected), "{script}");
        }
        let checked = std::process::Command::new("/bin/sh").args(["-n", "-c", &script]).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}
