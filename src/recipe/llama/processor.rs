//! The processor for which a build's CPU backend is made: `processors.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::suggest::suggest;

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(include_str!("processors.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    features: Vec<String>,
    default: BTreeMap<String, String>,
    processor: BTreeMap<String, Processor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Processor {
    on: BTreeSet<String>,
    flags: Vec<String>,
    /// Flags that only some libraries of the build need, which the program loads where they run.
    #[serde(default)]
    some: Vec<String>,
}

/// The part of a build that must run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The build: the program chooses libraries that run.
    All,
    /// Any library of the build.
    Any,
}

/// Fails if no processor has this name.
pub fn demand_processor(name: &str) -> Result<()> {
    if TABLE.processor.contains_key(name) {
        return Ok(());
    }
    Err(Error::new(Kind::Invalid, format!("unknown processor `{name}`"))
        .hint(suggest(name, TABLE.processor.keys().map(String::as_str))))
}

/// Returns the name of the processor of a build: the wanted one, else the one that all GPUs of the build stand beside.
#[must_use]
pub fn processor<'n>(wanted: Option<&'n str>, gpus: &[GfxTarget]) -> &'n str {
    let of = |name: &str| TABLE.default.get(name).map(String::as_str);
    let beside = of(gpus.first().map(GfxTarget::as_str).unwrap_or_default());
    let beside = beside.filter(|name| gpus.iter().all(|gpu| of(gpu.as_str()) == Some(name)));
    wanted.or(beside).or_else(|| of("other")).unwrap_or_default()
}

/// Returns the options of the CPU backend for a processor, with their values.
pub fn features(processor: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let on = TABLE.processor.get(processor).map(|processor| &processor.on);
    let value = move |name: &String| if on.is_some_and(|on| on.contains(name)) { "ON" } else { "OFF" };
    TABLE.features.iter().map(move |name| (name.as_str(), value(name)))
}

/// Returns the flags of /proc/cpuinfo that a build for a processor, or any library of it, needs and that are not among
/// `present`.
#[must_use]
pub fn missing_flags(processor: &str, part: Part, present: &BTreeSet<String>) -> Vec<&'static str> {
    let Some(processor) = TABLE.processor.get(processor) else { return Vec::new() };
    let some = processor.some.iter().filter(|_| part == Part::Any);
    processor.flags.iter().chain(some).map(String::as_str).filter(|flag| !present.contains(*flag)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let table: Table = toml::from_str(include_str!("processors.toml")).unwrap();
        assert!(table.default.values().all(|name| table.processor.contains_key(name)));
        assert!(table.processor.values().all(|one| one.on.iter().all(|name| table.features.contains(name))));
    }

    #[test]
    fn the_processor_follows_from_the_gpu_unless_it_is_named() {
        let gpus = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<GfxTarget>>();
        assert_eq!(processor(None, &gpus(&["gfx1151"])), "znver5");
        assert_eq!(processor(None, &gpus(&["gfx1201"])), "x86-64-v3");
        assert_eq!(processor(None, &gpus(&["gfx1151", "gfx1201"])), "x86-64-v3");
        assert_eq!(processor(None, &gpus(&["gfx1201", "gfx1151"])), "x86-64-v3");
        assert_eq!(processor(None, &[]), "x86-64-v3");
        assert_eq!(processor(Some("all-variants"), &gpus(&["gfx1151"])), "all-variants");
        let error = demand_processor("zenver5").unwrap_err();
        assert!(format!("{error:?}").contains("znver5"), "{error:?}");
    }

    #[test]
    fn a_machine_that_lacks_instructions_is_known() {
        let zen3: BTreeSet<String> = ["sse4_2", "avx", "avx2", "bmi2", "fma", "f16c"].map(str::to_owned).into();
        let all = |processor: &str| missing_flags(processor, Part::All, &zen3);
        assert!(all("x86-64-v3").is_empty() && all("all-variants").is_empty());
        assert_eq!(all("znver5")[0], "avx512f");
        let any = missing_flags("all-variants", Part::Any, &zen3);
        assert!(any.contains(&"avx512f") && any.contains(&"amx_tile"), "{any:?}");
        assert_eq!(missing_flags("x86-64-v3", Part::Any, &zen3), all("x86-64-v3"));
    }
}
