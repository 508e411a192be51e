//! Proves that programs of the runtime answer.

use std::collections::{BTreeMap, BTreeSet};

use super::Claim;
use super::questions::{Answer, Answers, Environment, Question};
use crate::error::{Error, Result};
use crate::llama_source::{Role, Wish, is_asked};
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
pub(super) enum Demand {
    /// Exit code 0.
    Success,
    /// Exit code 0, or a report that there is no GPU.
    SuccessOrNoGpu,
    /// Any exit code: the program must start, and end by itself.
    Start,
}

/// Returns the questions to a program of llama.cpp. The known ones are asked what this version's source says that they
/// answer, all but `lacking`; others are only started.
pub(super) fn of_llama(lacking: &BTreeSet<(Role, Wish)>, name: &str) -> Vec<(&'static str, Demand)> {
    let (role, first) = match Role::of(name) {
        Some(role @ Role::Bench) => (role, Wish::Help),
        Some(role @ (Role::Chat | Role::Completion | Role::Perplexity | Role::Server)) => (role, Wish::Version),
        // These have the options that all share.
        None if is_asked(name) => (Role::Chat, Wish::Version),
        _ => return vec![(Wish::Help.name(), Demand::Start)],
    };
    let known = [first, Wish::ListDevices].into_iter().filter(|wish| !lacking.contains(&(role, *wish)));
    known.map(|wish| (wish.name(), Demand::Success)).collect()
}

fn of_rocm(name: &str) -> Vec<(&'static str, Demand)> {
    match name {
        "hipconfig" => vec![("--version", Demand::SuccessOrNoGpu)],
        "rocminfo" => vec![("", Demand::SuccessOrNoGpu)],
        // Kept by an edge, with an unknown command line.
        _ => Vec::new(),
    }
}

fn all(claim: &Claim) -> Vec<(Vec<u8>, &'static str, Demand)> {
    let mut all = Vec::new();
    for program in claim.trimmed.linked.keys() {
        let name = show(program.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
        let ours = program.starts_with(format!("{}/", claim.request.rocm.prefix).as_bytes());
        let asked = if ours { of_rocm(&name) } else { of_llama(claim.lacking, &name) };
        all.extend(asked.into_iter().map(|(arguments, demand)| (program.clone(), arguments, demand)));
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
pub(super) fn judge(
    claim: &Claim,
    answers: &Answers,
    not_run: &mut BTreeSet<String>,
) -> Result<BTreeMap<String, String>> {
    let mut said = BTreeMap::new();
    for (program, arguments, demand) in all(claim) {
        let question = format!("{} {arguments}", show(&program)).trim_end().to_owned();
        for environment in Environment::ALL {
            let Some(answer) = answers.get(&Question::Ask(program.clone(), arguments, environment)) else { continue };
            if claim.needs_processor(answer) {
                not_run.insert(question.clone());
                continue;
            }
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

pub(super) fn fits(answer: &Answer, demand: Demand) -> bool {
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
