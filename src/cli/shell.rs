//! `strixlock shell`

use std::os::unix::process::ExitStatusExt as _;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::realize::Plan;
use crate::recipe::{BuildRoot, Recipe};

/// Open a shell in the build sandbox of an output
///
/// Realizes what the build needs first. The shell has the same root, sources and environment as the build, and no
/// network. /build/out is writable; /build/out/commands.sh contains the commands of the build. Changes are discarded.
/// Ctrl-C goes to the program inside. If the kernel lets programs type into their terminal (dev.tty.legacy_tiocsti=1),
/// there is no job control.
#[derive(Debug, clap::Args)]
pub struct ShellArgs {
    /// Output that is built
    output: String,
    /// Run at most N compilers at a time in commands.sh [default: one per core, fewer if memory is short]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
}

pub fn run(args: &ShellArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if ui.is_json() {
        return Err(Error::new(Kind::Usage, "`strixlock shell` has no JSON result"));
    }
    let lock = session.lock()?;
    let output = lock.output(&args.output)?;
    let is_built = |recipe: &Recipe| matches!(recipe.build_root(), BuildRoot::Host | BuildRoot::Output(_));
    if !is_built(&output.recipe) {
        let built = lock.outputs.iter().find(|(_, output)| is_built(&output.recipe));
        let error =
            Error::new(Kind::Usage, format!("an output of type {} is not built in a sandbox", output.recipe.kind()))
                .about(&args.output);
        return Err(match built {
            Some((name, _)) => error.hint(format!("`strixlock shell {name}` opens the sandbox of {name}")),
            None => error,
        });
    }
    let realizer = session.realizer(lock, args.jobs)?;
    realizer.run(&Plan::of_parts(lock, session.store()?, &args.output)?)?;
    ui.note(&format!("sandbox of {}; commands.sh contains the commands of the build", output.recipe.kind()));
    let status = realizer.shell(&args.output)?;
    // Shells use 128 plus the signal for a program that a signal ended.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
