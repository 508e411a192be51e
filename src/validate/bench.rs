//! Speed, as measured by `llama-bench`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::options::{ask, on};
use super::runner::Runner;
use super::subject::Subject;
use super::{Check, Device, Told};
use crate::error::Result;
use crate::llama_source::{Options, Role, Wish};

/// One measurement of `llama-bench`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// `pp128`: a prompt of 128 tokens; `tg32`: 32 generated ones.
    pub test: String,
    /// Tokens per second.
    pub speed: f64,
    /// The standard deviation of the speed over the repetitions.
    pub deviation: f64,
    /// The backends of this build of llama.cpp.
    pub backends: String,
}

/// The amount of work of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The tokens of the prompt.
    pub prompt: u64,
    /// The tokens that are generated.
    pub generated: u64,
    /// The repetitions, whose mean is the result.
    pub repetitions: u64,
}

impl Work {
    /// The work of a validation.
    pub(super) const SHORT: Self = Self { prompt: 128, generated: 32, repetitions: 5 };
}

/// Runs `llama-bench` and returns its measurements; none if it fails.
pub(super) fn bench(runner: &Runner, subject: &Subject, device: Device, checks: &mut Vec<Check>) -> Result<Vec<Speed>> {
    let Some((name, program)) = subject.program_for(Role::Bench) else {
        checks.push(Check::not_run(Role::Bench.name(), "missing from the build"));
        return Ok(Vec::new());
    };
    let options = ask(runner, name, &program)?;
    let speeds = match measure(runner, name, &words(&options, device, program, &subject.model_path(), Work::SHORT))? {
        Ok(speeds) => speeds,
        Err(why) => {
            checks.push(Check::failed(name, why));
            return Ok(Vec::new());
        }
    };
    // Speeds stand beside the checks: those of two runs differ, and these must not.
    let found: Vec<&str> = speeds.iter().map(|one| one.test.as_str()).collect();
    checks.push(Check::passed(name, found.join(", ")));
    Ok(speeds)
}

/// Runs a command of `llama-bench` and returns its measurements.
pub(super) fn measure(runner: &Runner, log: &str, command: &[String]) -> Result<Told<Vec<Speed>>> {
    let ran = runner.run(log, command)?;
    if !ran.success {
        return Ok(Err(ran.last_line()));
    }
    let speeds = parse(&ran.stdout).filter(|speeds| !speeds.is_empty());
    Ok(speeds.ok_or_else(|| "its output is not the expected JSON".to_owned()))
}

/// Returns the command for a program that has these options.
pub(super) fn words(options: &Options, device: Device, program: String, model: &str, work: Work) -> Vec<String> {
    let mut command = vec![program];
    for (wish, value) in [
        (Wish::Model, model.to_owned()),
        (Wish::Output, "json".to_owned()),
        (Wish::Prompt, work.prompt.to_string()),
        (Wish::Generated, work.generated.to_string()),
        (Wish::Repetitions, work.repetitions.to_string()),
    ] {
        command.extend(options.words(wish, &value));
    }
    command.extend(on(device, options));
    command
}

/// Parses the list that `-o json` prints.
pub(super) fn parse(text: &str) -> Option<Vec<Speed>> {
    let list: Vec<Value> = serde_json::from_str(text).ok()?;
    let one = |value: &Value| {
        let count = |name: &str| value.get(name).and_then(Value::as_u64);
        let number = |name: &str| value.get(name).and_then(Value::as_f64).filter(|number| number.is_finite());
        let test = match (count("n_prompt")?, count("n_gen")?) {
            (prompt, 0) => format!("pp{prompt}"),
            (0, generated) => format!("tg{generated}"),
            (prompt, generated) => format!("pp{prompt}+tg{generated}"),
        };
        let backends = value.get("backends").and_then(Value::as_str).unwrap_or_default();
        Some(Speed {
            test,
            speed: number("avg_ts")?,
            deviation: number("stddev_ts")?,
            backends: backends.chars().take(100).collect(),
        })
    };
    list.iter().map(one).collect()
}
