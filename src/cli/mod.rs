//! The command line: one file per command, with its arguments, its calls into the library and its output.

mod advice;
mod advisory;
mod archive;
mod audit;
mod bench;
mod bisect;
mod check;
mod choices;
mod command_line;
mod completions;
mod config;
mod current_generation;
mod demo;
mod deploy;
mod diff;
mod doctor;
mod drivers;
mod env;
mod export;
mod freeze;
mod gc;
mod generations;
mod hash;
pub mod help;
mod image;
mod init;
mod leaving;
mod list;
mod lock;
mod log;
mod logging;
mod man;
mod outdated;
mod palette;
mod paths;
mod progress;
mod provision;
mod pull;
mod push;
mod realize;
mod remote;
mod report;
mod rollback;
mod run;
mod runtime;
mod schema;
mod serve;
mod session;
mod shell;
mod snapshot;
mod status;
mod store;
mod switch;
mod table;
mod tree_names;
mod trust;
mod ui;
mod up;
mod update;
mod validate;
mod verify;
mod version;
mod versions;
mod why;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::error::{Error, Kind, Result};

use logging::LoggingArgs;
use session::{GlobalArgs, Project, Session};

pub use ui::Ui;

/// Lock files and a verified fetcher for llama.cpp on AMD Strix Halo (gfx1151) with ROCm nightlies.
///
/// `update` resolves the manifest and pins the result, with digests, in strix.lock. `realize` turns the lock, and
/// nothing else, into the same bytes on any machine. `audit` writes a page by which others can check each of them.
#[derive(Debug, Parser)]
#[command(name = "strixlock", version, max_term_width = 110, styles = palette::HELP, after_long_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    project: Project,
    #[command(flatten)]
    global: GlobalArgs,
    #[command(flatten)]
    log: LoggingArgs,
    #[command(subcommand)]
    command: Command,
}

/// Limit of open files that is enough for 240 threads.
const OPEN_FILES: u64 = 4096;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the job failed: a build, a full disk
  2  the command line is wrong
  3  manifest, lock or configuration is not valid
  4  the lock or a generated file is stale
  5  a download does not have the promised or pinned digest or size
  6  an output differs from what the lock says
  7  the store is damaged
  8  offline or unreachable, and not in the store
  9  not found, upstream or on this machine (also: no manifest, no lock)
  10 a validation failed, or this machine or a container lacks something
  11 timed out waiting for another process that uses the store, or the machine is too busy to measure

Start with `strixlock init`, then `strixlock update`, then `strixlock realize`. `strixlock demo` runs the whole workflow against a local upstream.";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Update(update::UpdateArgs),
    Up(up::UpArgs),
    Status(status::StatusArgs),
    Outdated(outdated::OutdatedArgs),
    Freeze(freeze::FreezeArgs),
    Thaw(freeze::ThawArgs),
    Realize(realize::RealizeArgs),
    Run(run::RunArgs),
    Env(env::EnvArgs),
    Verify(verify::VerifyArgs),
    Check(check::CheckArgs),
    Validate(validate::ValidateArgs),
    Bench(bench::BenchArgs),
    Runtime(runtime::RuntimeArgs),
    Why(why::WhyArgs),
    Audit(audit::AuditArgs),
    Report(report::ReportArgs),
    Doctor(doctor::DoctorArgs),
    Bisect(bisect::BisectArgs),
    #[command(subcommand)]
    Advisory(advisory::AdvisoryCommand),
    Provision(provision::ProvisionArgs),
    #[command(subcommand)]
    Export(export::ExportCommand),
    Hash(hash::HashArgs),
    #[command(subcommand)]
    List(list::ListCommand),
    #[command(subcommand)]
    Lock(lock::LockCommand),
    Log(log::LogArgs),
    Shell(shell::ShellArgs),
    Generations(generations::GenerationsArgs),
    Switch(switch::SwitchArgs),
    Rollback(rollback::RollbackArgs),
    Diff(diff::DiffArgs),
    Store(store::StoreArgs),
    Gc(gc::GcArgs),
    Archive(archive::ArchiveArgs),
    Serve(serve::ServeArgs),
    Push(push::PushArgs),
    Pull(pull::PullArgs),
    #[command(subcommand)]
    Remote(remote::RemoteCommand),
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    Deploy(deploy::DeployArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(man::ManArgs),
    Demo(demo::DemoArgs),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Schema(schema::SchemaArgs),
    Version(version::VersionArgs),
}

/// Parses the command line, runs the command, and returns the exit code.
#[must_use]
pub fn run() -> u8 {
    if completions::answered() {
        return 0;
    }
    command_line::choose_color();
    let Cli { project, global, log, command } = match command_line::parse() {
        Ok(cli) => cli,
        Err(error) => return command_line::end(&error),
    };
    let entered = enter(&global.directory);
    let mut session = Session::new(project, global);
    let entered = entered.and_then(|()| session.set_clock());
    allow_open_files();
    deny_writes_by_others();
    let done = entered.and_then(|()| log.start(&session.ui)).and_then(|()| dispatch(&command, &session));
    match done.and_then(|code| session.ui.finish().map(|()| code)) {
        Ok(code) => code,
        Err(error) => {
            session.ui.error(&error);
            error.kind() as u8
        }
    }
}

/// Changes to each of the directories of `-C` in turn.
fn enter(directories: &[PathBuf]) -> Result<()> {
    for directory in directories {
        std::env::set_current_dir(directory).map_err(|error| {
            let kind = if error.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Failure };
            Error::new(kind, "cannot enter the directory of -C").fact("path", directory.display()).because(&error)
        })?;
    }
    Ok(())
}

/// Raises the limit of open files: sixteen files are hashed at a time per thread, and the usual limit is 1024. Child
/// processes inherit the new limit.
fn allow_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // If that fails, opening too many files reports an error later.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Makes new files unwritable for group and others, whatever the umask: a store that others can write to is refused.
fn deny_writes_by_others() {
    use rustix::fs::Mode;
    let others = Mode::WGRP | Mode::WOTH;
    let before = rustix::process::umask(others);
    rustix::process::umask(before | others);
    let _ = CALLERS_UMASK.set(before.bits());
}

/// Gives the caller's umask to a program that takes the place of this one.
fn give_umask_back() {
    if let Some(umask) = CALLERS_UMASK.get() {
        rustix::process::umask(rustix::fs::Mode::from_bits_retain(*umask));
    }
}

/// The umask that this process was started with.
static CALLERS_UMASK: std::sync::OnceLock<rustix::fs::RawMode> = std::sync::OnceLock::new();

fn dispatch(command: &Command, session: &Session) -> Result<u8> {
    match command {
        Command::Init(args) => init::run(args, session),
        Command::Update(args) => update::run(args, session),
        Command::Up(args) => up::run(args, session),
        Command::Status(args) => status::run(args, session),
        Command::Outdated(args) => outdated::run(args, session),
        Command::Freeze(args) => freeze::run(args, session),
        Command::Thaw(args) => freeze::thaw(args, session),
        Command::Realize(args) => realize::run(args, session),
        Command::Run(args) => run::run(args, session),
        Command::Env(args) => env::run(args, session),
        Command::Verify(args) => verify::run(args, session),
        Command::Check(args) => check::run(args, session),
        Command::Validate(args) => validate::run(args, session),
        Command::Bench(args) => bench::run(args, session),
        Command::Runtime(args) => runtime::run(args, session),
        Command::Why(args) => why::run(args, session),
        Command::Audit(args) => audit::run(args, session),
        Command::Report(args) => report::run(args, session),
        Command::Doctor(args) => doctor::run(args, session),
        Command::Bisect(args) => bisect::run(args, session),
        Command::Advisory(command) => advisory::run(command, session),
        Command::Provision(args) => provision::run(args, session),
        Command::Export(command) => export::run(command, session),
        Command::Hash(args) => hash::run(args, session),
        Command::List(command) => list::run(command, session),
        Command::Lock(command) => lock::run(command, session),
        Command::Log(args) => log::run(args, session),
        Command::Shell(args) => shell::run(args, session),
        Command::Generations(args) => generations::run(args, session),
        Command::Switch(args) => switch::run(args, session),
        Command::Rollback(args) => rollback::run(args, session),
        Command::Diff(args) => diff::run(args, session),
        Command::Store(args) => store::run(args, session),
        Command::Gc(args) => gc::run(args, session),
        Command::Archive(args) => archive::run(args, session),
        Command::Serve(args) => serve::run(args, session),
        Command::Push(args) => push::run(args, session),
        Command::Pull(args) => pull::run(args, session),
        Command::Remote(command) => remote::run(command, session),
        Command::Trust(command) => trust::run(command, session),
        Command::Snapshot(command) => snapshot::run(command, session),
        Command::Deploy(args) => deploy::run(args, session),
        Command::Completions(args) => completions::run(args, session),
        Command::Man(args) => man::run(args, session),
        Command::Demo(args) => demo::run(args, session),
        Command::Config(command) => config::run(command, session),
        Command::Schema(args) => schema::run(args, session),
        Command::Version(args) => Ok(version::run(args, session)),
    }
}
