//! `strixlock realize`

mod links;
mod make;
mod plan;
mod receive;
mod report;
mod seal;

use std::path::PathBuf;
use std::time::Instant;

use self::links::Links;
use self::make::Made;
use self::plan::Job;
use super::Session;
use super::choices::{BuildArgs, link_mode};
use crate::archive::ArchiveName;
use crate::error::{Kind, Result};
use crate::store::LinkMode;

/// Fetch and build the outputs of the lock
///
/// Uses nothing but the lock. Puts the outputs into the store and switches to a new generation of them. With --to,
/// writes plain copies instead, one directory per output, and makes no generation.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct RealizeArgs {
    /// Outputs to realize [default: all except images]
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Write plain copies below this directory
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    to: Option<PathBuf>,
    /// Link the current generation below this directory: /opt gives /opt/rocm and /opt/llama
    #[arg(long, value_name = "DIR", conflicts_with = "to", value_parser = super::paths::path())]
    prefix: Option<PathBuf>,
    /// Make these links at ROCM_HOME and LLAMA_INSTALL_DIR of this .toolbox.env file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "prefix"], value_parser = super::paths::path())]
    prefix_from: Option<PathBuf>,
    /// Take inputs from this archive: a directory, a .tar file, or the address of `strixlock serve` or of a repository of
    /// a registry (oci://HOST/REPOSITORY), which is asked even with --offline
    #[arg(long, value_name = "DIR|FILE.tar|URL", value_parser = super::paths::archive)]
    from: Option<ArchiveName>,
    /// Method of copying files
    #[arg(long, value_parser = link_mode(), default_value = "auto", requires = "to")]
    link_mode: LinkMode,
    /// Replace what exists at the path of a copy; rename what exists at the path of a link of --prefix-from
    #[arg(short, long, conflicts_with = "prefix")]
    force: bool,
    /// Fail with exit code 4 if the lock is not up to date with the manifest
    #[arg(long)]
    locked: bool,
    /// Only show the plan
    #[arg(long, conflicts_with_all = ["to", "seal"])]
    dry_run: bool,
    /// Seal: write the resulting tree digests into the lock, with which later runs are compared
    #[arg(long)]
    seal: bool,
    /// Make a generation of the outputs, and leave the current one as it is
    #[arg(long, conflicts_with_all = ["to", "prefix", "prefix_from"])]
    no_switch: bool,
    /// Run at most N compilers at a time [default: one per core, fewer if memory is short]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    build: BuildArgs,
}

impl RealizeArgs {
    /// Returns true if this output is asked for.
    fn names(&self, output: &str) -> bool {
        self.outputs.is_empty() || self.outputs.iter().any(|name| name == output)
    }
}

pub fn run(args: &RealizeArgs, session: &Session) -> Result<u8> {
    let begun = Instant::now();
    let job = Job::open(args, session)?;
    let plan = job.plan()?;
    let links = Links::plan(&job, &plan)?;
    if args.dry_run {
        plan::report(&session.ui, &plan);
        return Ok(0);
    }
    let (plan, received) = receive::from_remotes(&job, plan)?;
    let made = Made::make(&job, &plan, &links)?;
    if session.ui.is_json() {
        report::json(&job, &made, &received)?;
    } else {
        report::text(&job, &plan, &made, &received, begun.elapsed())?;
    }
    if args.seal {
        seal::report(session, &session.project.lock_path());
    }
    Ok(if made.left.is_empty() { 0 } else { Kind::Unfit as u8 })
}
