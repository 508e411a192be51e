//! Follows the log of a running build.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use super::brief::from_commands;
use super::print;
use crate::error::Result;

/// Time between two looks at the log.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints a log as it grows, until the build removes it. Without `all`, begins with the first command of the build;
/// what stands before it is passed over.
pub fn follow(path: &Path, all: bool) -> Result<()> {
    let mut log = fs_err::File::open(path)?;
    let mut seen = Vec::new();
    let mut begun = all;
    loop {
        // Looked at first: what the build wrote before it removed the log can be read from the open file.
        let ended = !path.exists();
        let mut new = Vec::new();
        log.read_to_end(&mut new)?;
        if begun {
            print(&new)?;
        } else {
            seen.extend(new);
            let commands = from_commands(&seen);
            if commands.len() < seen.len() {
                print(commands)?;
                begun = true;
                seen = Vec::new();
            }
        }
        if ended {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}
