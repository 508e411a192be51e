//! The instructions that this machine's processor has.

use std::collections::BTreeSet;

/// Returns the flags of the first processor in /proc/cpuinfo; none if it has no such line.
#[must_use]
pub fn processor_flags() -> BTreeSet<String> {
    flags(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

fn flags(cpuinfo: &str) -> BTreeSet<String> {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("flags"));
    let words = line.and_then(|line| Some(line.split_once(':')?.1)).unwrap_or_default();
    words.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_the_first_processor() {
        let text = "processor\t: 0\nflags\t\t: fpu avx2 avx512f\nbugs\t\t: x\n\nprocessor\t: 1\nflags\t\t: fpu\n";
        assert_eq!(flags(text), ["fpu", "avx2", "avx512f"].map(str::to_owned).into());
        assert!(flags("Features : fp asimd").is_empty());
    }
}
