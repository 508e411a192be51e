//! Runtimes for tests.

use super::facts::{FileFacts, Group};
use super::*;
use crate::trim::Sum;

/// The numbers of files of a runtime.
#[derive(Clone, Copy)]
pub(in crate::html_page) struct Wanted {
    pub kept: u64,
    pub left_out: u64,
}

/// Makes a runtime whose paths and reasons have `name` in them. Each file is there because of the one before it.
pub(in crate::html_page) fn runtime(name: &str, wanted: Wanted) -> RuntimeFacts {
    let path = |number: u64| format!("/opt/rocm/{name}{number}");
    let file = |number: u64, group: usize| FileFacts {
        path: path(number),
        size: Some((1 << 30) / (number + 1)),
        rule: group,
        group,
        by: number.checked_sub(1).map(path),
        is_of_build: false,
    };
    let kept: Vec<FileFacts> = (0..wanted.kept).map(|number| file(number, number as usize % 2)).collect();
    let left_out: Vec<FileFacts> = (0..wanted.left_out).map(|number| file(number, 0)).collect();
    let sum = |files: &[FileFacts], group: usize| {
        let mine = files.iter().filter(|file| file.group == group);
        mine.fold(Sum::default(), |sum, file| Sum {
            files: sum.files + 1,
            bytes: sum.bytes + file.size.unwrap_or(0),
            ..sum
        })
    };
    let group = |class, sum| Group { label: "needs", class, because: name.to_owned(), sum };
    let (rules, kinds) = (
        vec![group("k-needed", sum(&kept, 0)), group("k-kernels", sum(&kept, 1))],
        vec![group("k-out", sum(&left_out, 0))],
    );
    let add = |sums: &[&Group]| {
        let (files, bytes) = sums.iter().fold((0, 0), |sum, one| (sum.0 + one.sum.files, sum.1 + one.sum.bytes));
        Sum { files, links: 0, bytes }
    };
    RuntimeFacts {
        full: add(&[&rules[0], &rules[1], &kinds[0]]),
        kept_sum: add(&[&rules[0], &rules[1]]),
        build: vec![FileFacts { is_of_build: true, ..file(0, 0) }],
        reasons: rules.clone(),
        rules,
        kinds,
        kept,
        left_out,
    }
}
