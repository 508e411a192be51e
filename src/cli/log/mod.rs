//! `strixlock log`

mod brief;
mod follow;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::store::BuildFile;
use crate::text::visible;

/// Print the log of the build that made an output
///
/// Begins with the commands: the sandbox, its mounts and the versions of tools are shown with --all. Without a finished
/// build, prints the log of the last one that failed. Of an output that was received from a remote, prints the log that
/// was pushed with it.
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// Output that was built
    output: String,
    /// Print the tools, CMake variables and needed libraries instead
    #[arg(long, conflicts_with_all = ["all", "follow"])]
    about: bool,
    /// Print all of the log, with the sandbox and its mounts
    #[arg(long)]
    all: bool,
    /// Follow the build that is running, until it ends
    #[arg(short, long)]
    follow: bool,
}

pub fn run(args: &LogArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock()?;
    let store = session.store()?;
    let name = &args.output;
    let output = lock.output(name)?;
    let received = match store.output_record(output.derivation)? {
        Some(record) => store.received(output.derivation, record.tree),
        None => None,
    };
    let missing = |what: &str| {
        let error = Error::new(Kind::NotFound, format!("missing {what} of output `{name}`"));
        match &received {
            Some(from) => error.fact("received from", visible(from)).hint("whoever pushed the output sent none"),
            None => error.hint("only outputs that were built have one, here or where they were pushed"),
        }
    };
    let found = |file: BuildFile, own: Option<PathBuf>| match &received {
        Some(_) => store.received_file(output.derivation, file),
        None => own,
    };
    let told = || {
        if let Some(from) = &received {
            ui.note(&format!("{name}: received from {}; these are the words of whoever pushed it", visible(from)));
        }
    };
    if args.about {
        let path = found(BuildFile::About, store.output_about(output.derivation));
        let path = path.ok_or_else(|| missing("record of the build"))?;
        let about: serde_json::Value = serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| {
            Error::new(Kind::Damaged, "a record in the store is damaged").fact("file", path.display()).because(&error)
        })?;
        told();
        let json = serde_json::json!({ "output": name, "about": about, "received": received });
        ui.result(json, || ui.line(format!("{about:#}")));
        return Ok(0);
    }
    if args.follow {
        if ui.is_json() {
            return Err(Error::new(Kind::Usage, "a log that is followed has no JSON result"));
        }
        if let Some(log) = store.running_log(output.derivation) {
            follow::follow(&log, args.all)?;
            ui.note(&format!("the build of {name} has ended"));
            return Ok(0);
        }
        ui.note(&format!("no build of {name} is running: this is the log of the last one"));
    }
    let path = found(BuildFile::Log, store.output_log(output.derivation)).ok_or_else(|| missing("log"))?;
    let text = fs_err::read(&path)?;
    let failed = path.file_name().is_some_and(|name| name == "failed.log");
    if ui.is_json() {
        let log = String::from_utf8_lossy(&text);
        ui.json(serde_json::json!({ "output": name, "failed": failed, "log": log, "received": received }));
        return Ok(0);
    }
    if failed {
        ui.note(&format!("the last build of {name} failed; this is its log"));
    }
    told();
    let shown = if args.all { &text } else { brief::from_commands(&text) };
    print(shown)?;
    Ok(0)
}

/// Prints a part of a log. A build's output may contain escape sequences for the terminal: a file or a pipe gets the
/// raw bytes, a terminal does not.
fn print(text: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = if out.is_terminal() {
        String::from_utf8_lossy(text).split_inclusive('\n').try_for_each(|line| {
            let end = if line.ends_with('\n') { "\n" } else { "" };
            write!(out, "{}{end}", visible(line.trim_end_matches('\n')))
        })
    } else {
        out.write_all(text)
    };
    match written.and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
