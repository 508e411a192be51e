//! The instructions that this machine's processor has.

use std::collections::BTreeSet;

/// Returns the flags of the first processor in /proc/cpuinfo; none if it has no such line.
#[must_use]
pub fn processor_flags() -> BTreeSet<String> {
    flags(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

/// Returns the name of the first processor in the text of /proc/cpuinfo.
pub(super) fn name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned()).filter(|name| !name.is_empty())
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
        assert_eq!(
            name("processor : 0\nmodel name\t: AMD RYZEN AI MAX+ 395\n").as_deref(),
            Some("AMD RYZEN AI MAX+ 395")
        );
        assert_eq!((name("model name :"), name(text)), (None, None));
        assert!(flags("Features : fp asimd").is_empty());
    }
}
