//! The `strixlock` command: parse, run, exit code.

fn main() -> std::process::ExitCode {
    strixlock::cli::run().into()
}
