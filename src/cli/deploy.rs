//! `strixlock deploy`

use std::num::NonZeroUsize;

use serde_json::json;

use super::choices::CheckArgs;
use super::session::Project;
use super::table::{Column, Table};
use super::{Session, Ui, version};
use crate::deploy::{self, Outcome, Settings, Ssh};
use crate::error::{Error, Kind, Result};
use crate::progress::{Doing, Unit};
use crate::text;
use crate::validate::Device;

/// Bring the outputs of the lock to other machines, validate them there, and switch
///
/// Each host is reached by ssh and needs strixlock, nothing else. Sends the lock and what the store of the host lacks:
/// outputs that are realized here, without the contents of files that the host has. The host makes a generation,
/// validates it with the model of the lock, and switches to it if it passed. Otherwise its lock and its current
/// generation stay as they were. A host that fails does not stop the others. The exit code is 10 if a validation failed.
#[derive(Debug, clap::Args)]
pub struct DeployArgs {
    /// Hosts, as in `ssh HOST`
    #[arg(value_name = "HOST", required = true)]
    hosts: Vec<String>,
    /// Command in place of ssh, read by a shell
    #[arg(long, value_name = "COMMAND", default_value = "ssh", env = "STRIXLOCK_SSH")]
    ssh: String,
    /// The program strixlock on the hosts; a relative path begins at the login directory
    #[arg(long, value_name = "PATH", default_value = "strixlock")]
    program: String,
    /// Directory of the project on the hosts [default: strixlock/NAME below the login directory, NAME as here]
    // Named apart from the global option of the same purpose, which is -C.
    #[arg(long = "directory", value_name = "DIR")]
    place: Option<String>,
    #[command(flatten)]
    checks: CheckArgs,
    /// Serve at most N hosts at a time
    #[arg(long, value_name = "N", default_value = "4")]
    hosts_at_a_time: NonZeroUsize,
    /// Only show what would be sent
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: &DeployArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    args.checks.demand_model(lock)?;
    if args.ssh.trim().is_empty() {
        return Err(Error::new(Kind::Usage, "the command in place of ssh is empty").hint("leave out --ssh for `ssh`"));
    }
    let directory = match &args.place {
        Some(place) => there("--directory", place)?,
        None => usual_directory(&session.project)?,
    };
    let settings = Settings {
        ssh: Ssh(args.ssh.clone()),
        program: there("--program", &args.program)?,
        directory,
        checks: args.checks.extent(),
        model: args.checks.model.clone(),
        device: args.checks.device.map(Device::name),
        formats: version::formats(),
        offline: session.is_offline(),
        dry_run: args.dry_run,
        at_a_time: args.hosts_at_a_time.get(),
    };
    let label = match args.hosts.as_slice() {
        [host] => format!("to {}", text::visible(host)),
        hosts => format!("to {} hosts", hosts.len()),
    };
    let task = ui.progress.begin(Doing::Send, &label, None, Unit::Steps);
    let outcomes = deploy::deploy(&settings, &args.hosts, (session.store()?, lock), &*ui.progress)?;
    drop(task);
    let hosts: Vec<_> = outcomes.iter().map(Outcome::to_json).collect();
    let digest = crate::digest::Sha256Digest::of(lock.to_text()?.as_bytes());
    ui.result(
        json!({ "lock": digest, "directory": settings.directory, "dry_run": args.dry_run, "hosts": hosts }),
        || {
            show(ui, &outcomes);
        },
    );
    Ok(worst(&outcomes))
}

/// Returns a path on hosts, where relative ones begin at the login directory. No shell there expands a `~`.
fn there(option: &str, path: &str) -> Result<String> {
    let below = match path {
        "~" | "~/" => ".",
        _ => path.strip_prefix("~/").map_or(path, |below| below.trim_start_matches('/')),
    };
    if below.is_empty() || below.starts_with('~') || below.starts_with('-') || below.contains(char::is_control) {
        return Err(Error::new(Kind::Usage, "invalid path on a host")
            .fact("option", option)
            .fact("found", path.escape_debug())
            .fact("expected", "an absolute path, or one below the login directory, as in `~/strix`"));
    }
    Ok(below.to_owned())
}

/// Returns the exit code of all hosts: 10 if a validation failed, else the highest.
fn worst(outcomes: &[Outcome]) -> u8 {
    let codes = || outcomes.iter().map(Outcome::code);
    codes().find(|code| *code == Kind::Unfit as u8).or_else(|| codes().max()).unwrap_or_default()
}

/// Returns the directory on a host: named like that of the project here.
fn usual_directory(project: &Project) -> Result<String> {
    let here = std::path::absolute(project.lock_path())?;
    let here = crate::store::project_of(&here);
    let name = here.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Error::new(Kind::Usage, "the project's directory has no name that a host could use")
            .fact("path", here.display())
            .hint("name one with `--directory`")
    })?;
    Ok(format!("strixlock/{name}"))
}

/// Prints the table of hosts, and below it the errors.
fn show(ui: &Ui, outcomes: &[Outcome]) {
    let mut table = Table::new([
        Column::name("host"),
        Column::number("sent"),
        Column::word("generation"),
        Column::word("result"),
        Column::text("about it"),
    ]);
    let number = |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
    for one in outcomes {
        let size = if one.dry_run { one.contents } else { one.sent };
        let about = if one.dry_run && one.error.is_none() { planned(one) } else { one.sentence() };
        let moved = if one.before == one.after {
            number(one.before)
        } else {
            format!("{} -> {}", number(one.before), number(one.after))
        };
        table.row([one.host.clone(), text::bytes(size), moved, one.word().to_owned(), about]);
    }
    ui.table(&table);
    for error in outcomes.iter().filter_map(|one| one.error.as_ref()) {
        super::ui::print_error(error);
    }
}

/// Returns what would be done for a host.
fn planned(outcome: &Outcome) -> String {
    let mut parts = Vec::new();
    if !outcome.outputs.is_empty() {
        let trees = text::counted(outcome.beside.len(), "tree");
        parts.push(format!("would get {}, beside {trees} that it has", outcome.outputs.join(", ")));
    }
    if !outcome.left.is_empty() {
        parts.push(format!("would make {} itself", outcome.left.join(", ")));
    }
    if parts.is_empty() { "has everything".to_owned() } else { parts.join("; ") }
}
