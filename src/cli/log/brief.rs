//! The part of a log that people read: the commands of the build, without the sandbox around them.

/// Begins the line of a command in a log.
const COMMAND: &str = "$ ";

/// Returns a log from its first command on that is not about the sandbox itself. A log without such a command is
/// returned whole: the build ended before it.
pub fn from_commands(log: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        if let Some(command) = text.strip_prefix(COMMAND)
            && !is_about_sandbox(command.trim_end())
        {
            return &log[at..];
        }
        at += line.len();
    }
    log
}

/// Returns true for a command that records what a build sees: its mounts and the versions of its tools.
fn is_about_sandbox(command: &str) -> bool {
    command == "cat /proc/self/mountinfo" || command.ends_with(" --version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_begins_with_the_first_command_of_the_build() {
        let before =
            "sandbox: bwrap, no network\n  /usr  /x\n$ cat /proc/self/mountinfo\n1 2 / /\n$ cmake --version\n3\n";
        let after = "$ cmake -S /build/source\n-- done\n$ cmake --build\n";
        assert_eq!(from_commands(format!("{before}{after}").as_bytes()), after.as_bytes());
        assert_eq!(from_commands(before.as_bytes()), before.as_bytes());
        assert_eq!(from_commands(b"unpacked libc6\n"), b"unpacked libc6\n");
        assert_eq!(from_commands(b""), b"");
    }
}
