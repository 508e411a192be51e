//! `strixlock audit`

use std::path::PathBuf;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::report::{Known, fits, reproducible, states_all};
use crate::store::replace_file;

/// Write REPRODUCIBLE.md: every pinned version, and how to check each without strixlock
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// File to write [default: REPRODUCIBLE.md beside lock/]
    #[arg(short, long, value_name = "FILE", value_parser = super::paths::path())]
    output: Option<PathBuf>,
    /// Write nothing, and fail with exit code 4 if the file is out of date
    #[arg(long)]
    check: bool,
}

pub fn run(args: &AuditArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    // Without a store that can be read there is a page too.
    let known = session.store_to_read().map(|store| Known::read(lock, store)).unwrap_or_default();
    let text = reproducible(lock, &known)?;
    let path = args.output.clone().unwrap_or_else(|| session.project.directory().join("REPRODUCIBLE.md"));
    if fs_err::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::failure("the path of the page is not a regular file").fact("path", path.display()));
    }
    let there = match fs_err::read(&path) {
        Ok(there) => Some(String::from_utf8_lossy(&there).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let fits = match &there {
        // A page that states more than is known here stays. One that states less is true, and is still written anew.
        Some(page) => fits(page, lock, &known)? && (args.check || states_all(page, lock, &known)),
        None => false,
    };
    if args.check && !fits {
        let line = there.map(|there| 1 + text.lines().zip(there.lines()).take_while(|(a, b)| a == b).count());
        let error =
            Error::new(Kind::Stale, "REPRODUCIBLE.md is not up to date with the lock").fact("file", path.display());
        let error = match line {
            Some(line) => error.fact("differs", format!("from line {line} on")),
            None => error.fact("found", "no such file"),
        };
        return Err(error.hint("run `strixlock audit` and commit the file"));
    }
    if !fits {
        replace_file(&path, text.as_bytes())?;
    }
    ui.result(serde_json::json!({ "file": path.display().to_string(), "written": !fits }), || {
        ui.line(format!("{} {}", if fits { "up to date:" } else { "wrote" }, path.display()));
    });
    Ok(0)
}
