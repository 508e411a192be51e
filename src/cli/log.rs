//! `strixlock log`

use std::io::Write as _;

use super::{GlobalArgs, Ui};
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;

/// Print the log of the build that made an output
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// The output
    output: String,
}

pub fn log(ui: &Ui, global: &GlobalArgs, args: &LogArgs) -> Result<u8> {
    let lock = Lock::read(&global.lock_path())?;
    let store = global.open_store()?;
    let name = &args.output;
    let output = lock.output(name)?;
    let path = store.output_log(output.derivation).ok_or_else(|| {
        Error::new(Kind::NotFound, format!("there is no log of output `{name}`"))
            .hint("only outputs that were built here have one")
    })?;
    let text = fs_err::read(path)?;
    if ui.is_json() {
        ui.json(serde_json::json!({ "output": name, "log": String::from_utf8_lossy(&text) }));
    } else {
        std::io::stdout().write_all(&text)?;
    }
    Ok(0)
}
