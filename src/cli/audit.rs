//! `strixlock audit`

use std::path::PathBuf;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::report::reproducible;
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
    let text = reproducible(lock)?;
    let path = args.output.clone().unwrap_or_else(|| session.project.directory().join("REPRODUCIBLE.md"));
    if fs_err::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::failure("the path of the page is not a regular file").fact("path", path.display()));
    }
    let there = match fs_err::read(&path) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let fits = there.as_deref() == Some(text.as_bytes());
    if args.check && !fits {
        let line = there.map(|there| {
            let there = String::from_utf8_lossy(&there).into_owned();
            1 + text.lines().zip(there.lines()).take_while(|(a, b)| a == b).count()
        });
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
