//! Proves that programs of the runtime answer.

use std::collections::BTreeMap;

use super::Claim;
use super::questions::{Answer, Answers, Environment, Question};
use crate::error::{Error, Result};
use crate::text::visible;
use crate::tree::show;

/// Words by which ROCm's tools and runtime report that there is no GPU, or none that they may use. No other failure is
/// allowed.
const NO_GPU: [&str; 6] = [
    "no gpu",
    "module is not loaded",
    "/dev/kfd",
    "no rocm-capable device",
    "hsa_status_error_out_of_resources",
    "hsa_status_error_not_initialized",
];

/// The demanded answer of a program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// Exit code 0.
    Success,
    /// Exit code 0, or a report that there is no GPU.
    SuccessOrNoGpu,
    /// Any exit code: the program must start, and end by itself.
    Start,
}

/// Returns the questions to a program of llama.cpp. Programs with the common command line know `--version` and
/// `--list-devices`, llama-bench has a command line of its own, and others are only started.
fn of_llama(name: &str) -> &'static [(&'static str, Demand)] {
    match name {
        "llama-bench" => &[("--help", Demand::Success), ("--list-devices", Demand::Success)],
        "llama-cli" | "llama-server" | "llama-completion" | "llama-mtmd-cli" | "llama-embedding"
        | "llama-perplexity" => &[("--version", Demand::Success), ("--list-devices", Demand::Success)],
        _ => &[("--help", Demand::Start)],
    }
}

fn of_rocm(name: &str) -> &'static [(&'static str, Demand)] {
    match name {
        "hipconfig" => &[("--version", Demand::SuccessOrNoGpu)],
        "rocminfo" => &[("", Demand::SuccessOrNoGpu)],
        // Kept by an edge, with an unknown command line.
        _ => &[],
    }
}

fn all(claim: &Claim) -> Vec<(Vec<u8>, &'static str, Demand)> {
    let mut all = Vec::new();
    for program in claim.trimmed.linked.keys() {
        let name = show(program.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
        let ours = program.starts_with(format!("{}/", claim.request.rocm.prefix).as_bytes());
        let asked = if ours { of_rocm(&name) } else { of_llama(&name) };
        all.extend(asked.iter().map(|(arguments, demand)| (program.clone(), *arguments, *demand)));
    }
    all
}

/// Returns the questions to the kept programs.
pub(super) fn questions(claim: &Claim) -> Vec<(Vec<u8>, &'static str)> {
    all(claim).into_iter().map(|(program, arguments, _)| (program, arguments)).collect()
}

/// Returns the last question to each program. It is asked once more under a trace of opened files.
pub(super) fn traces(claim: &Claim) -> BTreeMap<Vec<u8>, &'static str> {
    questions(claim).into_iter().collect()
}

/// Fails at the first program that does not answer. Returns the first line of each answer.
pub(super) fn judge(claim: &Claim, answers: &Answers) -> Result<BTreeMap<String, String>> {
    let mut said = BTreeMap::new();
    for (program, arguments, demand) in all(claim) {
        let question = format!("{} {arguments}", show(&program)).trim_end().to_owned();
        for environment in Environment::ALL {
            let Some(answer) = answers.get(&Question::Ask(program.clone(), arguments, environment)) else { continue };
            if !fits(answer, demand) {
                let error = Error::failure("a program does not answer in the runtime")
                    .fact("asked", question)
                    .fact("ended with", ended(answer.code))
                    .excerpt(answer.end());
                let error = claim.trimmed.explain(claim.with_environment(error, environment), &program);
                return Err(if answer.code > 126 { claim.with_flaws(error) } else { error });
            }
            let first = answer.lines.iter().map(|line| visible(line.trim())).find(|line| !line.is_empty());
            said.entry(question.clone()).or_insert_with(|| first.unwrap_or_default());
        }
    }
    Ok(said)
}

fn fits(answer: &Answer, demand: Demand) -> bool {
    let no_gpu = || {
        let said = answer.lines.join("\n").to_lowercase();
        NO_GPU.iter().any(|words| said.contains(words))
    };
    // From 126 on the program could not be started, or was ended by ld.so or a signal.
    match demand {
        Demand::Success => answer.code == 0,
        Demand::SuccessOrNoGpu => {
            answer.code == 0 || ((1..126).contains(&answer.code) || answer.code == 255) && no_gpu()
        }
        Demand::Start => answer.code < 126,
    }
}

pub(super) fn ended(code: i32) -> String {
    match code {
        127 => "127: ld.so could not start it, or it is missing".to_owned(),
        129..255 => format!("signal {}", code - 128),
        _ => format!("exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_may_miss_the_gpu_and_nothing_else() {
        let answer = |code, line: &str| Answer { code, lines: vec![line.to_owned()] };
        let fits = |answer: &Answer| fits(answer, Demand::SuccessOrNoGpu);
        assert!(fits(&answer(0, "Agent 1")));
        assert!(fits(&answer(255, "ROCk module is NOT loaded, possibly no GPU devices")));
        assert!(fits(&answer(1, "Unable to open /dev/kfd read-write: No such file or directory")));
        assert!(!fits(&answer(1, "cannot open")));
        assert!(!fits(&answer(127, "no GPU: error while loading shared libraries")));
        assert!(!fits(&answer(139, "no GPU")));
    }
}
