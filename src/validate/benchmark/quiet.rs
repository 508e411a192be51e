//! The decision that this machine is quiet enough to compare speeds. `quiet.toml` has the limits.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;

use crate::host::Strain;
use crate::text;

/// The limits, compiled into the program. A test parses them, so the fallback is never used.
static LIMITS: LazyLock<Limits> = LazyLock::new(|| toml::from_str(include_str!("quiet.toml")).unwrap_or_default());

/// The time over which the work of others is measured.
const SAMPLE: Duration = Duration::from_millis(200);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Limits {
    processor_percent: f64,
    gpu_percent: u64,
    degrees: u64,
    clock_percent: u64,
    slow_profiles: Vec<String>,
    slow_levels: Vec<String>,
}

/// Measures this machine for a moment, in which the caller runs nothing. Returns the reasons against comparing speeds
/// now.
pub(super) fn disturbances() -> Vec<String> {
    let before = Strain::read(Path::new("/"));
    std::thread::sleep(SAMPLE);
    judge(&before, &Strain::read(Path::new("/")))
}

/// Returns the reasons that follow from the strain at two moments.
fn judge(before: &Strain, now: &Strain) -> Vec<String> {
    let limits = &*LIMITS;
    let mut found = Vec::new();
    let busy = now.processors.zip(before.processors).and_then(|(now, before)| now.busy_since(before));
    if let Some(percent) = busy.filter(|percent| *percent > limits.processor_percent) {
        found.push(format!("other programs use {percent:.0} % of the processors"));
    }
    // A GPU that works for a moment, as for the screen, is not busy in both.
    if let Some(percent) = now.gpu_percent.min(before.gpu_percent).filter(|percent| *percent > limits.gpu_percent) {
        found.push(format!("other programs use {percent} % of the GPU"));
    }
    if !now.gpu_users.is_empty() {
        let all = now.gpu_users.iter().map(|(number, name)| format!("{} ({number})", text::visible(name)));
        found.push(format!("the GPU is open in {}", all.collect::<Vec<_>>().join(", ")));
    }
    if let Some(degrees) = now.degrees.filter(|degrees| *degrees >= limits.degrees) {
        found.push(format!("the machine is hot: {degrees} °C"));
    }
    if now.on_battery {
        found.push("it runs on battery".to_owned());
    }
    if let Some(profile) = now.power_profile.as_ref().filter(|profile| limits.slow_profiles.contains(profile)) {
        found.push(format!("the power profile is {profile}"));
    }
    for level in now.gpu_levels.iter().filter(|level| limits.slow_levels.contains(level)) {
        found.push(format!("the GPU's clocks are held at the level {level}"));
    }
    if let Some(percent) = now.clock_percent.filter(|percent| *percent < limits.clock_percent) {
        found.push(format!("the processor's clock is limited to {percent} %"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Ticks;

    #[test]
    fn each_reason_against_a_comparison_is_told() {
        assert!(LIMITS.degrees > 0);
        let quiet = Strain {
            processors: Some(Ticks { idle: 0, total: 0 }),
            gpu_percent: Some(0),
            degrees: Some(60),
            power_profile: Some("performance".to_owned()),
            gpu_levels: vec!["auto".to_owned()],
            clock_percent: Some(100),
            ..Strain::default()
        };
        let later = |idle| Strain { processors: Some(Ticks { idle, total: 1000 }), ..quiet.clone() };
        assert_eq!(judge(&quiet, &later(950)), Vec::<String>::new());
        assert_eq!(judge(&Strain::default(), &Strain::default()), Vec::<String>::new());
        let strained = Strain {
            gpu_percent: Some(50),
            gpu_users: vec![(7, "ollama\u{1b}[1m".to_owned())],
            degrees: Some(97),
            on_battery: true,
            power_profile: Some("low-power".to_owned()),
            gpu_levels: vec!["low".to_owned()],
            clock_percent: Some(50),
            ..later(400)
        };
        assert_eq!(judge(&quiet, &strained)[0], "other programs use 60 % of the processors");
        assert!(!judge(&quiet, &strained).iter().any(|reason| reason.contains("of the GPU")), "busy for a moment");
        let all = judge(&Strain { gpu_percent: Some(40), ..quiet }, &strained);
        assert_eq!(
            all[1..],
            [
                "other programs use 40 % of the GPU",
                "the GPU is open in ollama (7)",
                "the machine is hot: 97 °C",
                "it runs on battery",
                "the power profile is low-power",
                "the GPU's clocks are held at the level low",
                "the processor's clock is limited to 50 %",
            ]
        );
    }
}
