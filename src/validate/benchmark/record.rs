//! Benchmarks on disk: `bench/DATE.json` for programs, `.md` for people, and a directory of logs.
//!
//! Nothing is replaced: the second benchmark of a day gets `-2`. `index.json` says what was compared and what came out.
//! It is made anew from the records with every benchmark, so it may be deleted; records that cannot be read are left out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::{Benchmark, Verdict, markdown};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::store::replace_file;
use crate::validate::record;
use crate::validate::record::{INDEX, Written, day, free, names, to_text};

/// The version of the index.
const VERSION: u64 = 1;

#[derive(Debug, Serialize)]
struct Index {
    version: u64,
    records: BTreeMap<String, Entry>,
}

/// A record in the index.
#[derive(Debug, Serialize)]
struct Entry {
    time: i64,
    /// The digest of the model.
    model: Sha256Digest,
    /// The names of the contenders, the reference first.
    contenders: Vec<String>,
    /// The verdicts by contender and test, such as `g5 tg128`.
    verdicts: BTreeMap<String, Verdict>,
    /// True if all compute the same.
    agree: bool,
}

impl Entry {
    fn of(benchmark: &Benchmark) -> Self {
        let verdict = |one: &super::Comparison| (format!("{} {}", one.name, one.test), one.difference.verdict);
        Self {
            time: benchmark.time,
            model: benchmark.model.sha256,
            contenders: benchmark.contenders.iter().map(|one| one.name.clone()).collect(),
            verdicts: benchmark.comparisons.iter().map(verdict).collect(),
            agree: benchmark.wrong().next().is_none(),
        }
    }
}

/// Returns a name for a benchmark that no record has yet.
#[must_use]
pub fn name(directory: &Path, now: i64) -> String {
    free(directory, &day(now))
}

/// Writes a benchmark as record and page, and makes the index anew.
pub fn write(directory: &Path, name: &str, benchmark: &Benchmark) -> Result<Written> {
    fs_err::create_dir_all(directory)?;
    let (json, page) = (directory.join(format!("{name}.json")), directory.join(format!("{name}.md")));
    replace_file(&json, &to_text(benchmark)?)?;
    replace_file(&page, markdown(benchmark).as_bytes())?;
    let read = |name: String| {
        let benchmark: Benchmark = record::read_as(directory, &name)?;
        Some((name, Entry::of(&benchmark)))
    };
    let records = names(directory)?.into_iter().filter_map(read).collect();
    replace_file(&directory.join(format!("{INDEX}.json")), &to_text(&Index { version: VERSION, records })?)?;
    Ok(Written { json, page })
}
