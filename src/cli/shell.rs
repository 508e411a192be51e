//! `strixlock shell`

use std::os::unix::process::ExitStatusExt as _;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::realize::Plan;
use crate::recipe::{BuildRoot, Recipe};

/// Open the sandbox that an output is built in
///
/// The same root, sources, environment and absence of a network; /build/out is writable, and /build/out/commands.sh there
/// holds the commands of the build. What the output needs is realized before. Nothing done inside is kept. Ctrl-C is for what runs inside. Where the kernel
/// lets a program type into its terminal (dev.tty.legacy_tiocsti=1), the shell has no job control.
#[derive(Debug, clap::Args)]
pub struct ShellArgs {
    /// The output
    output: String,
    /// Compilers at a time in commands.sh [default: all cores, as far as memory lasts]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
}

pub fn run(args: &ShellArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if ui.is_json() {
        return Err(Error::new(Kind::Usage, "a shell has no result to print as JSON"));
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
            Some((name, _)) => error.hint(format!("`strixlock shell {name}` opens that of {name}")),
            None => error,
        });
    }
    let realizer = session.realizer(lock, args.jobs)?;
    realizer.run(&Plan::of_parts(lock, session.store()?, &args.output)?)?;
    ui.note(&format!("the sandbox of {}; commands.sh here holds the commands of the build", output.recipe.kind()));
    let status = realizer.shell(&args.output)?;
    // As a shell says it of a program that a signal ended.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
