//! `strixlock run`

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::Session;
use super::session::described;
use crate::error::{Error, Kind, Result};
use crate::launch::Outputs;
use crate::lock::Lock;
use crate::log::running;

/// Run a program of the current generation
///
/// Without a sandbox, and with its own libraries and ROCm whatever the machine has: PATH, LD_LIBRARY_PATH, ROCM_PATH,
/// HIP_PATH, HIP_PLATFORM and HIP_DEVICE_LIB_PATH lead into the store. Not passed on are the loader's variables
/// (LD_*), those of ROCm (such as ROCM_*, HIP_*, HSA_*, ROCR_*, ROCBLAS_*, AMD_*, GPU_*), CUDA_VISIBLE_DEVICES and
/// GGML_BACKEND_PATH, and directories of PATH below /opt/rocm; --env passes one on or sets it. All else is as for any
/// program: directory, terminal, HOME, LLAMA_ARG_*.
///
/// The program takes the place of strixlock, so that signals and the exit code are its own. llama.cpp runs with the
/// runtime that was made for it, else with the whole ROCm tree. A name that several outputs have is taken from the
/// runtime before llama.cpp, and from there before the whole ROCm tree. The C library is the machine's.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The generation [default: the current one]
    #[arg(short, long, value_name = "GENERATION")]
    generation: Option<u64>,
    /// The output that has the program, or the runtime that it is to run with
    #[arg(long, value_name = "OUTPUT")]
    output: Option<String>,
    /// Set a variable, or pass the caller's on
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,
    /// The program with its arguments; options behind it are its own
    #[arg(required = true, trailing_var_arg = true, value_names = ["PROGRAM", "ARGS"])]
    command: Vec<OsString>,
}

pub fn run(args: &RunArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Error::new(Kind::Usage, "a program is missing"));
    };
    if ui.is_json() {
        return Err(Error::new(Kind::Usage, "a program has no result to print as JSON")
            .hint("options of the program stand behind its name"));
    }
    let asked = args.env.iter().map(|variable| variable_of(variable)).collect::<Result<Vec<_>>>()?;
    let outputs = outputs(session, args.generation)?;
    let found = outputs.find(program, args.output.as_deref())?;
    if !found.also_in.is_empty() {
        let others = found.also_in.join(", ");
        let have = if found.also_in.len() == 1 { "has" } else { "have" };
        ui.note(&format!("{} is that of {}; {others} {have} one too (--output)", program.display(), found.output));
    }
    let environment = outputs.environment(&found.runs_as, &*ui.progress)?;
    let path = outputs.file(&found, &*ui.progress)?;
    ui.finish()?;

    let mut variables = environment.changes(std::env::vars_os()).apply(std::env::vars_os());
    variables.extend(asked.into_iter().flatten());
    let mut command = Command::new(&path);
    running(command.args(arguments)).env_clear().envs(variables);
    super::give_umask_back();
    // Returns only if the program cannot be started.
    let error = command.exec();
    Err(Error::failure("the program cannot be started").fact("program", path.display()).because(&error))
}

/// Returns the name and value of a variable to set; none if the caller does not have it.
fn variable_of(text: &OsStr) -> Result<Option<(OsString, OsString)>> {
    let bytes = text.as_bytes();
    let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => (&bytes[..at], Some(OsString::from_vec(bytes[at + 1..].to_vec()))),
        None => (bytes, None),
    };
    if name.is_empty() {
        return Err(Error::new(Kind::Usage, format!("invalid variable `{}`", text.display()))
            .hint("such as --env HIP_VISIBLE_DEVICES=0"));
    }
    let name = OsStr::from_bytes(name);
    Ok(value.or_else(|| std::env::var_os(name)).map(|value| (name.to_owned(), value)))
}

/// Returns the outputs of a generation of this project's profile: of the current one if no number is given.
pub(super) fn outputs(session: &Session, number: Option<u64>) -> Result<Outputs<'_>> {
    let store = session.store_as_allowed()?;
    let profile = session.profile_there()?;
    let number = match number {
        Some(number) => number,
        None => profile.current()?.ok_or_else(|| {
            Error::new(Kind::NotFound, "there is no generation yet")
                .fact("profile", described(&profile))
                .hint("`strixlock realize` makes the first")
        })?,
    };
    let lock = Lock::read(&profile.generation_lock(number));
    // A generation that is not there has no lock either, and is what there is to tell.
    let generation = profile.generation(number)?;
    Ok(Outputs::new(store, number, generation, lock?))
}
