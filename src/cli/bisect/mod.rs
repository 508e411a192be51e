//! `strixlock bisect`

mod answers;
mod begin;
mod driver;
mod ending;
mod ends;
mod realized;
mod told;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::Session;
use super::choices::BuildArgs;
use crate::archive::ArchiveName;
use crate::bisect::{How, demand_command};
use crate::error::{Error, Kind, Result};
use driver::Driver;

/// Find the version that brought a fault, with as few builds as git bisect
///
/// Candidates are the builds that the indexes list and those that locks of this store pin, the commits of a branch
/// by first parents, or the builds that a forge has released. Each is realized into a generation of the profile
/// PROJECT-bisect: the lock, the manifest and the current generation stay as they are. Days without a build, builds
/// that are gone, commits that do not build and versions with an advisory are skipped.
///
/// If several inputs moved, it finds which first. An end is tested only if no answer vouches for it. Stopped at any
/// point, also by a crash, `strixlock bisect` goes on. The log is bisect/log beside lock/, to be read and replayed.
/// Fails with exit code 10 if there is no single first bad version.
#[derive(Debug, clap::Args)]
#[command(subcommand_precedence_over_arg = true)]
pub struct BisectArgs {
    /// Inputs that may have brought the fault [default: all of types rocm, git and release that moved between the ends]
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    /// Good end: a version, a day, a commit or tag, or the number of a generation [default: the newest generation with
    /// other versions]
    #[arg(long, value_name = "[INPUT=]VERSION")]
    good: Vec<String>,
    /// Bad end [default: the lock]
    #[arg(long, value_name = "[INPUT=]VERSION")]
    bad: Vec<String>,
    /// Realize only these outputs [default: all except images]
    #[arg(long, value_name = "OUTPUT")]
    output: Vec<String>,
    /// Time limit of the command; one that does not end is stopped, which counts as bad; 0 for none
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    timeout: u64,
    /// Run the command N times for each version; answers that differ end the bisect
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Test the last good and the first bad version once more at the end
    #[arg(long)]
    confirm: bool,
    /// Test versions that are known to be bad, too
    #[arg(long)]
    known_bad: bool,
    /// Take inputs from this archive too, whose locks add candidates: a directory, a .tar file, or an address (http, https,
    /// oci)
    #[arg(long, value_name = "DIR|FILE.tar|URL", value_parser = super::paths::archive)]
    from: Option<ArchiveName>,
    /// Run at most N compilers at a time [default: one per core, fewer if memory is short]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    build: BuildArgs,
    #[command(subcommand)]
    command: Option<BisectCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum BisectCommand {
    /// Test each version with a command, in the environment of `strixlock run`
    ///
    /// Exit code 0 means good, 125 that the version cannot be tested, any other up to 127 bad; 128 and more end the
    /// bisect. Output goes to bisect/runs/.
    Run {
        /// The command with its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["COMMAND", "ARGS"])]
        command: Vec<String>,
    },
    /// Test each version with `strixlock validate`
    Validate {
        /// Options of `strixlock validate`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        options: Vec<String>,
    },
    /// Realize each version for a person to try, who then says `bisect good`, `bad` or `skip`
    Interactive,
    /// Say that the version that is tested now, or another one, is good
    Good(answers::Named),
    /// Say that it is bad
    Bad(answers::Named),
    /// Say that it cannot be tested
    Skip(answers::Named),
    /// Print the log
    Log,
    /// Take over the answers of a log, such as one that was edited
    Replay {
        /// A log of `strixlock bisect log`
        #[arg(value_name = "FILE", value_parser = super::paths::path())]
        file: PathBuf,
    },
    /// End the bisect: remove its log and its generations; report and advisory stay
    Reset,
}

pub fn run(args: &BisectArgs, session: &Session) -> Result<u8> {
    use crate::bisect::Answer::{Bad, Good, Skip};
    let how = match &args.command {
        None => None,
        Some(BisectCommand::Run { command }) => {
            demand_command(command)?;
            Some(How::Run(command.clone()))
        }
        Some(BisectCommand::Validate { options }) => {
            super::validate::options_of(options, session.now)?;
            Some(How::Validate(options.clone()))
        }
        Some(BisectCommand::Interactive) => Some(How::Interactive),
        Some(BisectCommand::Good(named)) => return answers::answer(args, session, named, Good),
        Some(BisectCommand::Bad(named)) => return answers::answer(args, session, named, Bad),
        Some(BisectCommand::Skip(named)) => return answers::answer(args, session, named, Skip),
        Some(BisectCommand::Log) => return answers::log(args, session),
        Some(BisectCommand::Replay { file }) => return answers::replay(args, session, file),
        Some(BisectCommand::Reset) => return answers::reset(args, session),
    };
    let mut driver = if let Some(how) = how {
        begin::begin(args, session, how)?
    } else {
        demand_bare(args)?;
        Driver::open(session)?.ok_or_else(|| none_under_way(session))?
    };
    driver.build_as(args)?;
    driver.drive()
}

/// Fails if there are inputs or ends without a way to test, or with a command that uses those of the log.
fn demand_bare(args: &BisectArgs) -> Result<()> {
    if args.inputs.is_empty()
        && args.good.is_empty()
        && args.bad.is_empty()
        && args.output.is_empty()
        && args.from.is_none()
    {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "inputs, ends and outputs are named where a bisect begins").hint(
        "such as `strixlock bisect rocm --good VERSION run ./test.sh`, or `validate` or `interactive` in place of `run`",
    ))
}

fn none_under_way(session: &Session) -> Error {
    Error::new(Kind::NotFound, "no bisect is under way")
        .fact("log", driver::directory(session).join("log").display())
        .hint("`strixlock bisect rocm run ./test.sh` begins one")
}
