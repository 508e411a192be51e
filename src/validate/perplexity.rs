//! Perplexity of the long text, as `llama-perplexity` computes it: on the device beside the CPU, and with several sizes
//! of micro-batches.
//!
//! Perplexity sums up the probabilities of thousands of tokens, so wrong numbers anywhere in a long prompt show in it,
//! where a short text that is generated may look right. Each run gives one number with four decimals, and the same one
//! every time. How far two runs may differ is stated beside each check: two ways of computing round differently.

use super::runner::Runner;
use super::subject::Subject;
use super::{Check, Device, Extent, Told, options, prompt};
use crate::error::Result;
use crate::llama_source::{Options, Role, Wish};

/// Greatest context of a measurement, in tokens: eight micro-batches.
const CONTEXT: u64 = 4096;
/// The context for the comparison of micro-batches, one of which is a single token.
const SHORT_CONTEXT: u64 = 1024;
/// llama.cpp's own size of a micro-batch.
const MICRO_BATCH: u64 = 512;
/// The micro-batch of the reference: another way of dividing the same prompt.
const REFERENCE_MICRO_BATCH: u64 = 64;
/// The tolerated difference from the reference in percent. Backends round quantised numbers differently: by some
/// tenths.
const TOLERANCE: f64 = 1.0;
/// The tolerated difference between micro-batches on one device, in percent.
const TOLERANCE_OF_BATCHES: f64 = 0.5;
/// Bytes of text for each token of context: the measurement wants two contexts, and no usual token has more than 8
/// bytes on average.
const BYTES: u64 = 16;

/// Names of the checks.
pub(super) const AGREEMENT: &str = "agreement";
pub(super) const MICRO_BATCHES: &str = "micro-batches";

/// The settings of a measurement.
struct Settings {
    device: Device,
    context: u64,
    batch: u64,
    micro_batch: u64,
    chunks: u64,
    threads: Option<usize>,
}

/// Measures perplexities in the sandbox.
pub(super) struct Perplexity<'a> {
    runner: &'a Runner<'a>,
    subject: &'a Subject,
    program: String,
    options: Options,
}

impl<'a> Perplexity<'a> {
    /// Writes the text. Returns the reason if the build has no program for this.
    pub fn new(runner: &'a Runner, subject: &'a Subject) -> Result<Told<Self>> {
        let Some((name, program)) = subject.program_for(Role::Perplexity) else {
            return Ok(Err(format!("the build has no {}", Role::Perplexity.name())));
        };
        let options = options::ask(runner, name, &program)?;
        for wish in [Wish::Model, Wish::File, Wish::Context, Wish::Batch, Wish::MicroBatch] {
            if !options.has(wish) {
                return Ok(Err(format!("{name} has no option {}", wish.spellings())));
            }
        }
        runner.write("text.txt", prompt::text((CONTEXT * BYTES) as usize).as_bytes())?;
        Ok(Ok(Self { runner, subject, program, options }))
    }

    /// Compares the device with the CPU. On the CPU, the other run has other batches and threads.
    pub fn agreement(&self, device: Device, extent: Extent) -> Result<Check> {
        let (context, micro_batch) = self.sizes(CONTEXT);
        let chunks = if extent == Extent::Deep { 4 } else { 1 };
        let own = Settings { device, context, batch: context, micro_batch, chunks, threads: None };
        let reference = Settings {
            device: Device::Cpu,
            batch: micro_batch,
            micro_batch: REFERENCE_MICRO_BATCH.min(micro_batch / 2).max(1),
            threads: Some(options::other_threads()),
            ..own
        };
        let beside = match device {
            Device::Gpu => "GPU beside CPU",
            Device::Cpu => "CPU beside CPU with other batches and threads",
        };
        let name = AGREEMENT;
        let (ours, theirs) = match (self.measure(name, &own)?, self.measure("agreement-reference", &reference)?) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(why), _) => return Ok(Check::failed(name, why)),
            (_, Err(why)) => return Ok(Check::failed(name, format!("the reference on the CPU: {why}"))),
        };
        let differs = percent(theirs, ours);
        let found = format!("{beside}: perplexity {ours:.4} and {theirs:.4}, {differs:.3} % apart at {context} tokens");
        Ok(Check::judged(name, differs <= TOLERANCE, found)
            .with("context", context)
            .with("chunks", chunks)
            .with("micro-batch", micro_batch)
            .with("perplexity", ours)
            .with("reference-micro-batch", reference.micro_batch)
            .with("reference-perplexity", theirs)
            .with("tolerance-percent", TOLERANCE))
    }

    /// Returns the perplexity on a device, to be compared with that of another build.
    pub fn on(&self, device: Device) -> Result<Told<f64>> {
        let (context, micro_batch) = self.sizes(CONTEXT);
        self.measure("perplexity", &Settings { device, context, batch: context, micro_batch, chunks: 1, threads: None })
    }

    /// Compares sizes of micro-batches on one device: llama.cpp's own, an odd one, and single tokens.
    pub fn micro_batches(&self, device: Device, extent: Extent) -> Result<Check> {
        let (context, own) = self.sizes(if extent == Extent::Deep { CONTEXT } else { SHORT_CONTEXT });
        let mut check = Check::passed(MICRO_BATCHES, "").with("context", context);
        let mut all: Vec<(u64, f64)> = Vec::new();
        for micro_batch in [own, own.min(38) - 1, 1] {
            let settings = Settings { device, context, batch: context, micro_batch, chunks: 1, threads: None };
            match self.measure(&format!("micro-batch-{micro_batch}"), &settings)? {
                Ok(perplexity) => all.push((micro_batch, perplexity)),
                Err(why) => return Ok(Check::failed(MICRO_BATCHES, format!("of {micro_batch}: {why}"))),
            }
        }
        for (micro_batch, perplexity) in &all {
            check = check.with(&format!("perplexity-at-{micro_batch}"), *perplexity);
        }
        let first = all.first().map_or(1.0, |(_, perplexity)| *perplexity);
        let worst = all.iter().map(|(_, other)| percent(first, *other)).fold(0.0, f64::max);
        let shown: Vec<String> = all.iter().map(|(size, perplexity)| format!("{perplexity:.4} at {size}")).collect();
        let found = format!("perplexity {}; {worst:.3} % apart at {context} tokens", shown.join(", "));
        let figures = std::mem::take(&mut check.figures);
        let mut check = Check::judged(MICRO_BATCHES, worst <= TOLERANCE_OF_BATCHES, found)
            .with("tolerance-percent", TOLERANCE_OF_BATCHES);
        check.figures.extend(figures);
        Ok(check)
    }

    /// Returns a context that the model has, and a micro-batch several of which are in it.
    fn sizes(&self, most: u64) -> (u64, u64) {
        let context = self.subject.context().map_or(most, |own| own.min(most)).max(8);
        // An odd context would leave a half token to the measurement, which scores the second half.
        let context = context - context % 8;
        (context, MICRO_BATCH.min(context / 4))
    }

    /// Returns the perplexity, or the reason why there is no such number.
    fn measure(&self, log: &str, settings: &Settings) -> Result<Told<f64>> {
        let mut command = vec![self.program.clone()];
        let (model, text) = (self.subject.model_path(), Runner::inside("text.txt"));
        let number = |number: u64| number.to_string();
        for (wish, value) in [
            (Wish::Model, model),
            (Wish::File, text),
            (Wish::Context, number(settings.context)),
            (Wish::Batch, number(settings.batch)),
            (Wish::MicroBatch, number(settings.micro_batch)),
            (Wish::Chunks, number(settings.chunks)),
        ] {
            command.extend(self.options.words(wish, &value));
        }
        if let Some(threads) = settings.threads {
            command.extend(self.options.words(Wish::Threads, &threads.to_string()));
        }
        command.extend(options::on(settings.device, &self.options));
        let ran = self.runner.run(log, &command)?;
        if !ran.success {
            return Ok(Err(ran.last_line()));
        }
        Ok(estimate(&ran.stdout)
            .or_else(|| estimate(&ran.stderr))
            .unwrap_or_else(|| Err(format!("{} printed no final estimate of the perplexity", Role::Perplexity.name()))))
    }
}

/// Judges the perplexity of one build beside that of another, in the same way as that of a GPU beside a CPU.
pub(super) fn beside(name: &str, ours: f64, theirs: f64) -> Check {
    let differs = percent(theirs, ours);
    Check::judged(name, differs <= TOLERANCE, format!("{ours:.4} and {theirs:.4}, {differs:.3} % apart"))
        .with("perplexity", ours)
        .with("reference-perplexity", theirs)
        .with("tolerance-percent", TOLERANCE)
}

/// Reads the last line `Final estimate: PPL = 6.7943 +/- 0.12345`. A number that cannot be a perplexity is an error.
pub(super) fn estimate(said: &str) -> Option<Told<f64>> {
    let rest = said.lines().rev().find_map(|line| line.split_once("Final estimate: PPL = "))?.1;
    let word = rest.split_whitespace().next().unwrap_or_default();
    // A perplexity is at least 1, as of a text that is foretold with certainty.
    let number = word.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 1.0);
    Some(number.ok_or_else(|| format!("the perplexity is `{word}`")))
}

/// Returns the difference of two numbers in percent of the first.
fn percent(first: f64, second: f64) -> f64 {
    (second - first).abs() / first.max(f64::MIN_POSITIVE) * 100.0
}
