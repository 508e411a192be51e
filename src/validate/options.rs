//! Options of the realized programs: llama.cpp adds, removes and renames them, so each program's help is asked first.

use super::Device;
use super::runner::Runner;
use crate::error::Result;
use crate::llama_source::{Options, Wish};

/// Runs a program with `--help` and returns its options.
pub(super) fn ask(runner: &Runner, name: &str, program: &str) -> Result<Options> {
    Ok(Options::in_help(&help(runner, name, program)?))
}

/// Runs a program with `--help` and returns what it prints.
pub(super) fn help(runner: &Runner, name: &str, program: &str) -> Result<String> {
    let command =
        std::iter::once(program.to_owned()).chain(Options::unknown().words(Wish::Help, "")).collect::<Vec<_>>();
    let ran = runner.run(&format!("{name}-help"), &command)?;
    Ok(format!("{}\n{}", ran.stdout, ran.stderr))
}

/// Returns a number of threads other than the usual one, for a run that must compute the same with it.
pub(super) fn other_threads() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    // llama.cpp takes the number of cores, which is at least half that of processors.
    if processors > 2 { processors / 2 - 1 } else { 3 - processors }
}

/// Returns the words that put all work onto a device.
pub(super) fn on(device: Device, options: &Options) -> Vec<String> {
    let wishes: &[(Wish, &str)] = match device {
        Device::Cpu => &[(Wish::GpuLayers, "0"), (Wish::Device, "none")],
        Device::Gpu => &[(Wish::GpuLayers, "999"), (Wish::FlashAttention, ""), (Wish::Unmapped, "")],
    };
    wishes.iter().flat_map(|(wish, value)| options.words(*wish, value)).collect()
}

#[cfg(test)]
mod tests {
    use crate::llama_source::testing::{ages, unknown};
    use crate::validate::{Device, bench, generate};

    #[test]
    fn every_option_of_a_validation_is_known_in_every_age() {
        for age in ages() {
            for device in [Device::Cpu, Device::Gpu] {
                let program = "program".to_owned();
                let words = generate::words(&age.completion, device, program.clone(), "/model.gguf");
                assert!(words.contains(&"--ignore-eos".to_owned()), "{words:?}");
                assert_eq!(unknown(&age.completion, &words[1..]), Vec::<String>::new(), "{}: {words:?}", age.name);
                let words = bench::words(&age.bench, device, program, "/model.gguf", bench::Work::SHORT);
                assert!(words.contains(&"json".to_owned()), "{words:?}");
                assert_eq!(unknown(&age.bench, &words[1..]), Vec::<String>::new(), "{}: {words:?}", age.name);
            }
        }
    }
}
