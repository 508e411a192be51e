//! Speed, as measured by `llama-bench`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::flags::{self, KnownFlags};
use super::runner::Runner;
use super::subject::Subject;
use super::{Check, Device};
use crate::error::Result;

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

/// Runs `llama-bench` and returns its measurements; none if it fails.
pub(super) fn bench(runner: &Runner, subject: &Subject, device: Device, checks: &mut Vec<Check>) -> Result<Vec<Speed>> {
    const NAME: &str = "llama-bench";
    let Some(program) = subject.program(NAME) else {
        checks.push(Check::not_run(NAME, "missing from the build"));
        return Ok(Vec::new());
    };
    let known = KnownFlags::ask(runner, NAME, &program)?;
    let mut command = vec![program, "-m".to_owned(), subject.model_path()];
    command.extend(["-o", "json", "-p", "128", "-n", "32", "-r", "5"].map(str::to_owned));
    command.extend(known.of(flags::device(device)));
    if device == Device::Gpu {
        command.extend(known.of(&[&["--mmap", "0"]]));
    }
    let ran = runner.run(NAME, &command)?;
    if !ran.success {
        checks.push(Check::failed(NAME, ran.last_line()));
        return Ok(Vec::new());
    }
    let Some(speeds) = parse(&ran.stdout).filter(|speeds| !speeds.is_empty()) else {
        checks.push(Check::failed(NAME, "its output is not the expected JSON"));
        return Ok(Vec::new());
    };
    let found: Vec<String> = speeds.iter().map(|one| format!("{} {:.2} t/s", one.test, one.speed)).collect();
    checks.push(Check::passed(NAME, found.join(", ")));
    Ok(speeds)
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
