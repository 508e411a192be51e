//! Processes that hold a lock, as `/proc/locks` tells.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

/// Number of characters of a command line that are shown.
const MOST_COMMAND: usize = 80;
/// Number of processes that are named.
const MOST_HOLDERS: usize = 3;

/// Names the processes that hold a `flock` on this file: `pid 12 (strixlock gc, uid 1000)`.
pub(super) fn describe(file: &File) -> String {
    let Ok(about) = file.metadata() else { return UNKNOWN.to_owned() };
    let device = (u64::from(rustix::fs::major(about.dev())), u64::from(rustix::fs::minor(about.dev())));
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let pids = holders(&locks, device, about.ino());
    let mut named: Vec<String> = pids.iter().take(MOST_HOLDERS).map(|pid| process(*pid)).collect();
    if pids.len() > MOST_HOLDERS {
        named.push(format!("{} more", pids.len() - MOST_HOLDERS));
    }
    if named.is_empty() { UNKNOWN.to_owned() } else { named.join(", ") }
}

/// Shown if the kernel names no process, because it is outside of this container, or on another machine.
const UNKNOWN: &str = "a process that cannot be seen from here";

/// Returns the processes that hold a `flock` on a file, from the text of `/proc/locks`. Some file systems (btrfs,
/// overlayfs) have other device numbers there. If no line has the device, the inode alone decides.
fn holders(locks: &str, device: (u64, u64), inode: u64) -> Vec<u32> {
    let all: Vec<(u32, (u64, u64))> = locks.lines().filter_map(|line| parse(line, inode)).collect();
    let same = |wanted: bool| {
        let mut pids: Vec<u32> =
            all.iter().filter(|(_, found)| !wanted || *found == device).map(|(pid, _)| *pid).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    };
    let exact = same(true);
    if exact.is_empty() { same(false) } else { exact }
}

/// Parses a line such as `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`. Waiting processes, which have `->` after
/// the first number, are skipped.
fn parse(line: &str, inode: u64) -> Option<(u32, (u64, u64))> {
    let mut words = line.split_whitespace().skip(1);
    (words.next()? == "FLOCK").then_some(())?;
    let pid = words.nth(2)?.parse().ok().filter(|pid| *pid > 0)?;
    let mut place = words.next()?.split(':');
    let major = u64::from_str_radix(place.next()?, 16).ok()?;
    let minor = u64::from_str_radix(place.next()?, 16).ok()?;
    (place.next()?.parse() == Ok(inode)).then_some((pid, (major, minor)))
}

fn process(pid: u32) -> String {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&text).replace('\0', " ");
    let shown: String = words.trim().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let short: String = shown.chars().take(MOST_COMMAND).collect();
    let more = if short.len() < shown.len() { "..." } else { "" };
    match std::fs::metadata(format!("/proc/{pid}")) {
        Ok(about) if !short.is_empty() => format!("pid {pid} ({short}{more}, uid {})", about.uid()),
        _ => format!("pid {pid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_read_from_the_kernel_s_text() {
        let text = "1: FLOCK  ADVISORY  WRITE 12 fd:01:77 0 EOF\n\
                    1: -> FLOCK  ADVISORY  WRITE 13 fd:01:77 0 EOF\n\
                    2: POSIX  ADVISORY  READ 14 fd:01:77 0 EOF\n\
                    3: FLOCK  ADVISORY  READ 15 fd:02:77 0 EOF\n\
                    4: FLOCK  ADVISORY  READ 0 fd:01:77 0 EOF\n\
                    5: FLOCK  ADVISORY  READ 16 fd:01:78 0 EOF\n6: FLOCK\n\n7:";
        assert_eq!(holders(text, (0xfd, 1), 77), [12]);
        // If no line has the device, the inode decides.
        assert_eq!(holders(text, (0, 42), 77), [12, 15]);
        assert_eq!(holders(text, (0xfd, 1), 79), [0; 0]);
    }

    #[test]
    fn this_process_is_named_with_its_command() {
        let file = tempfile::tempfile().unwrap();
        file.lock().unwrap();
        let named = describe(&file);
        assert!(named.starts_with(&format!("pid {} (", std::process::id())), "{named}");
    }
}
