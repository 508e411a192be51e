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
    let facts = model.gguf.as_ref().map(|facts| format!(" ({})", facts.summary())).unwrap_or_default();
    let _ = writeln!(page, "**{}**\n", cell(&format!("{}{facts}", model.input)));
    let _ = writeln!(
        page,
        "| build | llama.cpp | ROCm | backend | test | tokens/s | beside {} |",
        cell(benchmark.reference())
    );
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
                contender.computed_with(),
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
    let _ = writeln!(page, "* {}", cell(&format!("model: {}, {}", model.version, model.sha256)));
    for contender in &benchmark.contenders {
        let Contender { name, output, lock, derivation, .. } = contender;
        let _ = writeln!(page, "* {}", cell(&format!("{name}: output {output}, {derivation}, of the lock {lock}")));
    }
    let _ = writeln!(page, "* measured {} with `strixlock bench`", text::date(benchmark.time));
    page
}

/// Describes a speed with its noise.
fn speed(series: &Series) -> String {
    format!("{:.2} ± {:.2}", series.median, series.noise)
}

/// Describes a part of a hundred with its sign; none for what rounds to zero.
fn signed(percent: f64) -> String {
    let text = format!("{percent:+.1}");
    if text.trim_start_matches(['+', '-']) == "0.0" { "0.0".to_owned() } else { text }
}

/// Describes an interval in parentheses.
fn interval(found: &Difference) -> String {
    let ends = found.interval.map(|(low, high)| format!(" ({} to {})", signed(low), signed(high)));
    ends.unwrap_or_default()
}

/// Describes a difference, such as `-9.8 % (-11.2 to -8.1): slower`.
fn difference(found: &Difference) -> String {
    format!("{} %{}: {}", signed(found.percent), interval(found), found.verdict.words())
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
        let same = |one: &&Contender| self.contenders.first().is_some_and(|first| first.derivation == one.derivation);
        for one in self.contenders.iter().skip(1).filter(same) {
            lines.push(format!("{} is the same build as {}: any difference is noise", one.name, self.reference()));
        }
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

    /// Returns the name of the reference.
    fn reference(&self) -> &str {
        self.contenders.first().map(|one| one.name.as_str()).unwrap_or_default()
    }

    fn sentence(&self, one: &super::Comparison) -> String {
        let (first, found) = (self.reference(), &one.difference);
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
            let Contender { name, llama, rocm, .. } = contender;
            let own = [name.clone(), text::visible(llama), rocm.clone().unwrap_or_default(), contender.computed_with()];
            let all = contender.speeds.iter().map(move |series| {
                let found = self.comparison(&contender.name, &series.test);
                let [name, llama, rocm, backend] = own.clone();
                let beside = found.map(|found| format!("{} %{}", signed(found.percent), interval(found)));
                let word = found.map(|found| found.verdict.words().to_owned()).unwrap_or_default();
                let beside = beside.unwrap_or_default();
                [name, llama, rocm, backend, text::visible(&series.test), speed(series), beside, word]
            });
            all.collect::<Vec<_>>()
        };
        self.contenders.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{DerivationId, Sha256Digest};
    use crate::validate::benchmark::{Comparison, judge};
    use crate::validate::machine::Machine;
    use crate::validate::{Check, Device, Model};

    fn benchmark(speeds: &[f64]) -> Benchmark {
        let digest = Sha256Digest::of(b"");
        let contender = |name: &str, speed: f64| Contender {
            name: name.to_owned(),
            generation: None,
            output: "runtime".to_owned(),
            llama: "b1 | <b>".to_owned(),
            rocm: None,
            backend: "hip".to_owned(),
            device: Device::Gpu,
            lock: digest,
            derivation: DerivationId(Sha256Digest::of(name.as_bytes())),
            speeds: vec![Series { test: "tg128".to_owned(), median: speed, noise: 0.5, rounds: vec![speed; 10] }],
            agreement: Vec::new(),
        };
        let names = ["default", "stable", "vulkan"];
        let compared = |(name, speed): (&str, &f64)| Comparison {
            name: name.to_owned(),
            test: "tg128".to_owned(),
            difference: judge::compare(&[(speeds[0], *speed); 10], 2),
        };
        let pairs = || names.into_iter().zip(speeds);
        Benchmark {
            time: 0,
            machine: Machine::default(),
            model: Model { input: "model".to_owned(), version: "m".to_owned(), sha256: digest, gguf: None },
            rounds: 10,
            left_out: 0,
            disturbed: 0,
            disturbances: Vec::new(),
            contenders: pairs().map(|(name, speed)| contender(name, *speed)).collect(),
            comparisons: pairs().skip(1).map(compared).collect(),
        }
    }

    #[test]
    fn the_page_has_every_difference_and_nothing_in_it_is_markup() {
        let page = markdown(&benchmark(&[100.0, 90.0, 99.99]));
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(rows[2], "| default | b1 \\| \\<b\\> | without | hip | tg128 | 100.00 ± 0.50 |  |");
        assert!(rows[3].ends_with(" | 90.00 ± 0.50 | -10.0 % (-10.0 to -10.0): slower |"), "{page}");
        assert!(rows[4].ends_with(" | 99.99 ± 0.50 | 0.0 % (0.0 to 0.0): no difference |"), "{page}");
        for line in [
            "* stable, tg128: 10.0 % slower than default",
            "* vulkan, tg128: no difference from default; one of 2.0 % or more would have been told",
            "* 10 rounds, in turns, after one to warm up",
            "* measured 1970-01-01 00:00:00 UTC with `strixlock bench`",
        ] {
            assert!(page.lines().any(|one| one == line), "{line}: {page}");
        }
    }

    #[test]
    fn the_same_build_twice_is_told() {
        let mut found = benchmark(&[100.0, 100.0]);
        let told =
            |found: &Benchmark| found.sentences().iter().any(|one| one.contains("stable is the same build as default"));
        assert!(!told(&found));
        found.contenders[1].derivation = found.contenders[0].derivation;
        assert!(told(&found));
    }

    #[test]
    fn disturbances_and_disagreement_are_said() {
        let mut found = benchmark(&[100.0, 100.0]);
        found.disturbances = vec!["it runs on battery".to_owned()];
        found.left_out = 2;
        let has = |found: &Benchmark, line: &str| found.sentences().iter().any(|one| one == line);
        assert!(has(&found, "rounds left out, because the machine was disturbed: 2"));
        assert!(has(&found, "disturbances: it runs on battery"));
        (found.left_out, found.disturbed) = (0, 10);
        assert!(has(&found, "measured anyway (--busy-ok), 10 of 10 rounds: it runs on battery"));
        assert_eq!(found.wrong().count(), 0);
        found.contenders[1].agreement = vec![Check::failed("perplexity", "1334.0 and 6.8")];
        assert!(has(&found, "stable, perplexity: failed: 1334.0 and 6.8"));
        assert_eq!(found.wrong().map(|(name, _)| name).collect::<Vec<_>>(), ["stable"]);
        found.comparisons[0].difference = judge::compare(&[(100.0, 90.0); 3], 1);
        assert!(has(&found, "stable, tg128: undecided: too few rounds to tell a difference from noise"));
    }
}
