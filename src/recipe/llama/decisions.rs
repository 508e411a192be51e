//! CMake options of llama.cpp that the recipe decides: `decisions.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Backend;

/// The table, compiled into the program. A test parses it, so the fallback is never used.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(include_str!("decisions.toml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    decision: Vec<Decision>,
    idle: BTreeMap<String, Vec<String>>,
}

/// A decision about an option, or about several.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Names of the option in all ages, newest first; with `each`, names of several options.
    names: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    each: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backend: Option<Backend>,
    value: Switch,
    /// A condition for the value; without it, the opposite.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
    /// The reason, which does not change the output.
    #[serde(skip_serializing)]
    pub why: String,
}

/// The value of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Switch {
    On,
    Off,
}

/// A fact on which a decision depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// The root of the build has the headers of OpenSSL.
    OpenSsl,
    /// The commit has a tag of a release.
    Release,
    /// The build has a web UI.
    Ui,
}

/// Returns all decisions.
#[must_use]
pub fn decisions() -> &'static [Decision] {
    &TABLE.decision
}

impl Decision {
    /// Returns the names of the options: of one in several ages, or of several.
    #[must_use]
    pub fn names(&self) -> String {
        self.names.join(if self.each { ", " } else { " or " })
    }

    /// Returns the value, and its condition if it has one.
    #[must_use]
    pub fn value(&self) -> String {
        let (value, other) = if self.value == Switch::On { ("ON", "OFF") } else { ("OFF", "ON") };
        match self.condition {
            None => value.to_owned(),
            Some(Condition::OpenSsl) => format!("{value} with OpenSSL in the sysroot, else {other}"),
            Some(Condition::Ui) => format!("{value} with a web UI, else {other}"),
            Some(Condition::Release) => format!("{value} for a release, else {other}"),
        }
    }

    /// Returns true if it is about builds with this backend.
    #[must_use]
    pub fn is_for(&self, backend: Backend) -> bool {
        self.backend.is_none_or(|only| only == backend)
    }
}

/// Returns the decided options with their values. `has` tells whether the source declares an option.
#[must_use]
pub fn decided(
    backend: Backend,
    true_of: &BTreeSet<Condition>,
    has: impl Fn(&str) -> bool,
) -> BTreeMap<&'static str, &'static str> {
    let mut all = BTreeMap::new();
    for decision in decisions().iter().filter(|one| one.is_for(backend)) {
        let holds = decision.condition.is_none_or(|condition| true_of.contains(&condition));
        let value = if (decision.value == Switch::On) == holds { "ON" } else { "OFF" };
        let declared = decision.names.iter().filter(|name| has(name));
        let most = if decision.each { usize::MAX } else { 1 };
        all.extend(declared.take(most).map(|name| (name.as_str(), value)));
    }
    all
}

/// Returns true for an option that has no effect, because no switch that it belongs to is ON.
#[must_use]
pub fn is_idle(option: &str, is_on: impl Fn(&str) -> bool) -> bool {
    let belongs = |(prefix, switches): (&String, &Vec<String>)| {
        option.starts_with(prefix.as_str()) && !switches.iter().any(|switch| is_on(switch))
    };
    TABLE.idle.iter().any(belongs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let table: Table = toml::from_str(include_str!("decisions.toml")).unwrap();
        let names: Vec<&String> = table.decision.iter().flat_map(|one| &one.names).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "an option is decided twice");
        assert!(table.decision.iter().all(|one| !one.why.is_empty()));
    }

    #[test]
    fn an_option_is_set_under_the_name_that_the_source_has() {
        let of = |declared: &[&str]| decided(Backend::Cpu, &BTreeSet::new(), |name| declared.contains(&name));
        assert_eq!(
            of(&["LLAMA_BUILD_WEBUI", "LLAMA_CURL"]),
            [("LLAMA_BUILD_WEBUI", "OFF"), ("LLAMA_CURL", "OFF")].into()
        );
        assert_eq!(of(&["LLAMA_BUILD_UI", "LLAMA_BUILD_WEBUI"]), [("LLAMA_BUILD_UI", "OFF")].into());
        assert!(of(&["GGML_CUDA_FA"]).is_empty());
    }

    #[test]
    fn a_condition_that_does_not_hold_gives_the_opposite() {
        let of = |true_of: &[Condition]| decided(Backend::Cpu, &true_of.iter().copied().collect(), |_| true);
        assert_eq!((of(&[])["LLAMA_OPENSSL"], of(&[])["LLAMA_BUILD_IS_DEV"]), ("OFF", "ON"));
        assert_eq!((of(&[])["LLAMA_BUILD_UI"], of(&[Condition::Ui])["LLAMA_BUILD_UI"]), ("OFF", "ON"));
        let both = of(&[Condition::OpenSsl, Condition::Release]);
        assert_eq!((both["LLAMA_OPENSSL"], both["LLAMA_BUILD_IS_DEV"]), ("ON", "OFF"));
    }

    #[test]
    fn options_of_other_backends_are_idle() {
        let hip = |name: &str| name == "GGML_HIP";
        assert!(is_idle("GGML_SYCL_GRAPH", hip) && is_idle("GGML_LASX", hip));
        assert!(!is_idle("GGML_CUDA_GRAPHS", hip) && !is_idle("LLAMA_BUILD_APP", hip));
        assert!(is_idle("GGML_CUDA_GRAPHS", |_| false));
    }
}
