//! `strixlock completions`, and the answers to a shell that completes.
//!
//! The scripts know nothing of the program: at each TAB the shell asks it. So they stay true after an update.

mod names;

use std::io::Write as _;

use clap::CommandFactory as _;
use clap::builder::PossibleValuesParser;
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};

use super::{Cli, Session};
use crate::error::{Error, Kind, Result};

/// Print the script by which a shell completes commands, options and names
///
/// Names of outputs, inputs, generations, programs and profiles are those of the project in the current directory.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_parser = PossibleValuesParser::new(SHELLS.map(EnvCompleter::name)))]
    shell: String,
}

const SHELLS: [&dyn EnvCompleter; 3] = [&Bash, &Zsh, &Fish];

/// Variable with which a shell asks for completions.
const VARIABLE: &str = "STRIXLOCK_COMPLETE";

/// End of the script for zsh, which calls a file in `fpath` as a function, at the first TAB.
const AUTOLOADED: &str = "\
[[ ${funcstack[1]} != _strixlock ]] || _clap_dynamic_completer_strixlock \"$@\"
";

pub fn run(args: &CompletionsArgs, session: &Session) -> Result<u8> {
    let script = script(&args.shell)?;
    session.ui.result(serde_json::json!({ "shell": args.shell, "script": script }), || {
        session.ui.line(script.trim());
    });
    Ok(0)
}

fn script(shell: &str) -> Result<String> {
    let shells = Shells(&SHELLS);
    let completer = shells.completer(shell).ok_or_else(|| Error::new(Kind::Usage, "unknown shell"))?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "strixlock", "strixlock", "strixlock", &mut script)?;
    if shell == Zsh.name() {
        script.write_all(AUTOLOADED.as_bytes())?;
    }
    String::from_utf8(script).map_err(|error| Error::failure("the script is not UTF-8").because(&error))
}

/// Answers a shell that asks for completions, and returns false if none asks. After an error, which a shell would print
/// into the middle of a command line, there are no completions.
pub(super) fn answered() -> bool {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| names::added_to(Cli::command()))
        .var(VARIABLE)
        .shells(Shells(&SHELLS))
        .try_complete(std::env::args_os(), here.as_deref())
        .unwrap_or(true)
}
