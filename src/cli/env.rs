//! `strixlock env`

use std::ffi::OsStr;

use super::Session;
use super::run::outputs;
use crate::error::{Error, Kind, Result};
use crate::text;

/// Print the environment that `strixlock run` gives to programs, for a shell
///
/// Lines of `export` and `unset` for sh, bash, zsh and direnv. They lead to the trees of one generation: after
/// `realize`, `switch` or `rollback`, evaluate them again (`direnv reload`).
#[derive(Debug, clap::Args)]
pub struct EnvArgs {
    /// The generation [default: the current one]
    #[arg(short, long, value_name = "GENERATION")]
    generation: Option<u64>,
    /// The output whose programs are to be run [default: the runtime, else llama.cpp, else ROCm]
    #[arg(long, value_name = "OUTPUT")]
    output: Option<String>,
}

pub fn run(args: &EnvArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let outputs = outputs(session, args.generation)?;
    let output = outputs.choose(args.output.as_deref())?;
    let changes = outputs.environment(output, &*ui.progress)?.changes(std::env::vars_os());
    let set = changes.set.iter().map(|(name, value)| Ok((name.as_str(), utf8(value)?))).collect::<Result<Vec<_>>>()?;
    let unset: Vec<&str> = changes.unset.iter().filter_map(|name| name.to_str()).filter(|name| is_name(name)).collect();
    if ui.is_json() {
        let set: serde_json::Map<_, _> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        ui.json(serde_json::json!({
            "generation": outputs.number,
            "output": output,
            "set": set,
            "unset": unset,
        }));
        return Ok(0);
    }
    for name in unset {
        ui.line(format!("unset {name}"));
    }
    for (name, value) in set {
        ui.line(format!("export {name}={}", text::shell_quoted(value)));
    }
    Ok(0)
}

fn utf8(value: &OsStr) -> Result<&str> {
    value.to_str().ok_or_else(|| {
        Error::new(Kind::Usage, "PATH is not UTF-8, so that it cannot be printed").fact("PATH", value.display())
    })
}

/// Returns true for a name that a shell can unset; it cannot have any other.
fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
