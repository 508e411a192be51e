//! `strixlock log`

use std::io::{IsTerminal as _, Write as _};

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// Print the log of the build that made an output
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// Output that was built
    output: String,
    /// Print the tools, CMake variables and needed libraries instead
    #[arg(long)]
    about: bool,
}

pub fn run(args: &LogArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock()?;
    let store = session.store()?;
    let name = &args.output;
    let output = lock.output(name)?;
    if args.about {
        let path = store.output_about(output.derivation).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("missing record of the build of output `{name}`"))
                .hint("only outputs that were built here have one")
        })?;
        let about: serde_json::Value = serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| {
            Error::new(Kind::Damaged, "a record in the store is damaged").fact("file", path.display()).because(&error)
        })?;
        ui.result(serde_json::json!({ "output": name, "about": about }), || ui.line(format!("{about:#}")));
        return Ok(0);
    }
    let path = store.output_log(output.derivation).ok_or_else(|| {
        Error::new(Kind::NotFound, format!("missing log of output `{name}`"))
            .hint("only outputs that were built here have one")
    })?;
    let text = fs_err::read(path)?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "output": name, "log": String::from_utf8_lossy(&text) }));
    } else if std::io::stdout().is_terminal() {
        // A build's output may contain escape sequences for the terminal. A file or a pipe gets the raw bytes.
        for line in String::from_utf8_lossy(&text).lines() {
            ui.line(visible(line));
        }
    } else {
        std::io::stdout().write_all(&text)?;
    }
    Ok(0)
}
