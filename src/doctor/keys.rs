//! Keys of package archives: without one that may sign, `update` fails.

use super::{Finding, Level, Surroundings};
use crate::inputs::debs::KeyPlace;

/// The name of the check.
const CHECK: &str = "keys";

/// Judges the keys of every input with packages. Inputs with equal answers share a finding.
pub(super) fn check(surroundings: &Surroundings) -> Vec<Finding> {
    let mut findings: Vec<(Vec<&str>, Finding)> = Vec::new();
    for (input, place) in &surroundings.keys {
        let finding = match place {
            Ok(place) => Finding::good(CHECK, good(place)),
            Err(error) => Finding::new(CHECK, Level::Bad, error.message())
                .why("`strixlock update` takes packages only from archives that a known key has signed")
                .mend(error.advice().unwrap_or("name a keyring file beside the manifest with `keyring`")),
        };
        match findings.iter_mut().find(|(_, other)| *other == finding) {
            Some((inputs, _)) => inputs.push(input),
            None => findings.push((vec![input], finding)),
        }
    }
    let named = |(inputs, finding): (Vec<&str>, Finding)| {
        let found = format!("{}: {}", inputs.join(", "), finding.found);
        Finding { found, ..finding }
    };
    findings.into_iter().map(named).collect()
}

fn good(place: &KeyPlace) -> String {
    match place {
        KeyPlace::Keyrings(names) => names.clone(),
        KeyPlace::Archive(keys) => {
            format!("{}, to be taken from the archive by `strixlock update`: no keyring here has it", keys.join(" or "))
        }
        KeyPlace::Unsigned => "none needed: the manifest allows an unsigned archive".to_owned(),
    }
}
