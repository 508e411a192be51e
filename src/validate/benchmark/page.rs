//! The page of a benchmark, in Markdown: for a forum post as it stands.

use std::fmt::Write as _;

use super::judge::{CHANCE, LEAST};
use super::{Benchmark, Contender, Difference, Series, Verdict};
use crate::page::cell;
use crate::text;

/// Returns the page.
#[must_use]
pub fn markdown(benchmark: &Benchmark) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let model = &benchmark.model;
    let facts = model.gguf.as_ref().map(|facts| format!(", {}", facts.summary())).unwrap_or_default();
    let _ = writeln!(page, "**{}** on the {}\n", cell(&model.version), benchmark.device.name().to_uppercase());
    let _ =
        writeln!(page, "| build | llama.cpp | ROCm | backend | test | tokens/s | beside {} |", reference(benchmark));
    let _ = writeln!(page, "| --- | --- | --- | --- | --- | ---: | ---: |");
    for contender in &benchmark.contenders {
        for series in &contender.speeds {
            let beside = benchmark.comparison(&contender.name, &series.test).map(difference).unwrap_or_default();
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} | {} | {beside} |",
                cell(&contender.name),
                cell(&contender.llama),
                cell(contender.rocm.as_deref().unwrap_or("without")),
                contender.backend,
                cell(&series.test),
                speed(series),
            );
        }
    }
    let _ = writeln!(page);
    for line in benchmark.sentences() {
        let _ = writeln!(page, "* {}", cell(&line));
    }
    let _ = writeln!(page, "* {}", cell(&rule()));
    let _ = writeln!(page, "* {}", cell(&format!("machine: {}", benchmark.machine.line())));
    let _ = writeln!(page, "* {}", cell(&format!("model: {}{facts}, {}", model.input, model.sha256)));
    for contender in &benchmark.contenders {
        let Contender { name, output, lock, derivation, .. } = contender;
        let _ = writeln!(page, "* {}", cell(&format!("{name}: output {output}, {derivation}, of the lock {lock}")));
    }
    let _ = writeln!(page, "* {}", cell(&format!("measured {} with `strixlock bench`", text::date(benchmark.time))));
    page
}

fn reference(benchmark: &Benchmark) -> String {
    benchmark.contenders.first().map(|one| cell(&one.name)).unwrap_or_default()
}

/// Describes a speed with its noise.
fn speed(series: &Series) -> String {
    format!("{:.2} ± {:.2}", series.median, series.noise)
}

/// Describes a difference, such as `-9.8 % (-11.2 to -8.1): slower`.
fn difference(found: &Difference) -> String {
    let interval = found.interval.map(|(low, high)| format!(" ({low:+.1} to {high:+.1})")).unwrap_or_default();
    format!("{:+.1} %{interval}: {}", found.percent, found.verdict.words())
}

/// Returns the rule by which a difference is told.
fn rule() -> String {
    format!(
        "speeds are medians of the rounds, ± the scaled median absolute deviation; a difference is the median of the \
         ratios in each round, and is told if it is at least {LEAST} % and its interval (sign test, exact) is on one \
         side; noise alone is told in one of {:.0} benchmarks",
        1.0 / CHANCE
    )
}

impl Benchmark {
    /// Returns the results in sentences: differences, what could not have been told, agreement, and disturbances.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.comparisons.iter().map(|one| self.sentence(one)).collect();
        for contender in &self.contenders {
            for check in &contender.agreement {
                let (name, what, found) = (&contender.name, &check.name, &check.found);
                lines.push(format!("{name}, {what}: {}: {found}", check.outcome.words()));
            }
        }
        if self.left_out > 0 {
            lines.push(format!("rounds left out, because the machine was disturbed: {}", self.left_out));
        }
        if !self.disturbances.is_empty() {
            let rounds = format!("measured anyway (--busy-ok), {} of {} rounds", self.disturbed, self.rounds);
            let how = if self.left_out == 0 { rounds } else { "disturbances".to_owned() };
            lines.push(format!("{how}: {}", self.disturbances.join("; ")));
        }
        lines.push(format!("{} rounds, in turns, after one to warm up", self.rounds));
        lines
    }

    fn sentence(&self, one: &super::Comparison) -> String {
        let first = self.contenders.first().map(|one| one.name.as_str()).unwrap_or_default();
        let found = &one.difference;
        let (name, test, percent) = (&one.name, &one.test, found.percent.abs());
        let detectable = found.detectable.map(|least| format!("{least:.1} %")).unwrap_or_default();
        match found.verdict {
            Verdict::Undecided => format!("{name}, {test}: undecided: too few rounds to tell a difference from noise"),
            Verdict::NoDifference => {
                format!("{name}, {test}: no difference from {first}; one of {detectable} or more would have been told")
            }
            verdict => format!("{name}, {test}: {percent:.1} % {} than {first}", verdict.words()),
        }
    }

    /// Returns the rows of the table: contender, versions, test, speed, and the difference in words.
    #[must_use]
    pub fn rows(&self) -> Vec<[String; 8]> {
        let of = |contender: &Contender| {
            let Contender { name, llama, rocm, backend, .. } = contender;
            let own = [name.clone(), text::visible(llama), rocm.clone().unwrap_or_default(), backend.clone()];
            let all = contender.speeds.iter().map(move |series| {
                let found = self.comparison(&contender.name, &series.test);
                let [name, llama, rocm, backend] = own.clone();
                let beside = found.map(|found| {
                    let ends = found.interval.map(|(low, high)| format!(" ({low:+.1} to {high:+.1})"));
                    format!("{:+.1} %{}", found.percent, ends.unwrap_or_default())
                });
                let word = found.map(|found| found.verdict.words().to_owned()).unwrap_or_default();
                let beside = beside.unwrap_or_default();
                [name, llama, rocm, backend, text::visible(&series.test), speed(series), beside, word]
            });
            all.collect::<Vec<_>>()
        };
        self.contenders.iter().flat_map(of).collect()
    }
}
