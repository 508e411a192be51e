//! The strain on this machine at one moment: load, other users of the GPU, heat, power and clocks, as the kernel tells
//! them. Speeds that are measured under strain say little.

use std::path::Path;

use super::files::Files;

/// The strain at one moment. A fact that the kernel does not state is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strain {
    /// The time of all processors so far.
    pub processors: Option<Ticks>,
    /// The share of time in which the busiest GPU works, in percent.
    pub gpu_percent: Option<u64>,
    /// Processes that have opened the compute driver: number and name.
    pub gpu_users: Vec<(u32, String)>,
    /// The hottest sensor of processor and GPU, in degrees Celsius.
    pub degrees: Option<u64>,
    /// True if there is a battery's charger, and it is not connected.
    pub on_battery: bool,
    /// The platform's power profile, such as `balanced`.
    pub power_profile: Option<String>,
    /// The levels of clocks that GPUs are held at: `auto` unless someone set another.
    pub gpu_levels: Vec<String>,
    /// The greatest clock that the first processor may have, in percent of the greatest that it can.
    pub clock_percent: Option<u64>,
}

/// Times of all processors, in ticks since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    /// The time in which they did nothing.
    pub idle: u64,
    /// All of it.
    pub total: u64,
}

/// Drivers of temperature sensors in processors and GPUs.
const SENSORS: [&str; 4] = ["amdgpu", "coretemp", "k10temp", "zenpower"];

impl Strain {
    /// Reads the strain of the machine whose files are below `root`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let files = Files { root };
        let cards: Vec<String> = files.names("sys/class/drm").into_iter().filter(|name| is_card(name)).collect();
        let of_cards = |what: &str| -> Vec<String> {
            cards.iter().filter_map(|card| files.line(&format!("sys/class/drm/{card}/device/{what}"))).collect()
        };
        let clock = |what: &str| files.number(&format!("sys/devices/system/cpu/cpu0/cpufreq/{what}"));
        let clocks = clock("scaling_max_freq").zip(clock("cpuinfo_max_freq").filter(|most| *most > 0));
        Self {
            processors: files.text("proc/stat").and_then(|text| Ticks::parse(&text)),
            gpu_percent: of_cards("gpu_busy_percent").iter().filter_map(|text| text.parse().ok()).max(),
            gpu_users: gpu_users(files),
            degrees: degrees(files),
            on_battery: on_battery(files),
            power_profile: files.line("sys/firmware/acpi/platform_profile"),
            gpu_levels: of_cards("power_dpm_force_performance_level"),
            clock_percent: clocks.map(|(now, most)| now.saturating_mul(100) / most),
        }
    }
}

impl Ticks {
    /// Reads the first line of `/proc/stat` (proc(5)).
    fn parse(text: &str) -> Option<Self> {
        let fields = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
        // User, nice, system, idle, iowait, irq, softirq, steal; guests are counted in the first two.
        let times: Vec<u64> = fields.take(8).map_while(|field| field.parse().ok()).collect();
        let idle = times.get(3)?.saturating_add(times.get(4).copied().unwrap_or_default());
        Some(Self { idle, total: times.iter().fold(0, |sum, time| sum.saturating_add(*time)) })
    }

    /// Returns the share of time since `before` in which processors worked, in percent.
    #[must_use]
    pub fn busy_since(self, before: Self) -> Option<f64> {
        let total = self.total.checked_sub(before.total).filter(|total| *total > 0)?;
        let idle = self.idle.saturating_sub(before.idle).min(total);
        Some((total - idle) as f64 / total as f64 * 100.0)
    }
}

/// Returns true for `card0`, but not for its outputs, such as `card0-DP-1`.
fn is_card(name: &str) -> bool {
    name.strip_prefix("card").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns the processes that the compute driver lists.
fn gpu_users(files: Files) -> Vec<(u32, String)> {
    let numbers = files.names("sys/class/kfd/kfd/proc").into_iter().filter_map(|name| name.parse::<u32>().ok());
    let name = |number| files.line(&format!("proc/{number}/comm")).unwrap_or_else(|| "unknown".to_owned());
    numbers.map(|number| (number, name(number))).collect()
}

/// Returns the temperature of the hottest sensor, which the kernel states in thousandths of a degree.
fn degrees(files: Files) -> Option<u64> {
    let all = "sys/class/hwmon";
    let sensors = files
        .names(all)
        .into_iter()
        .filter(|one| files.line(&format!("{all}/{one}/name")).is_some_and(|name| SENSORS.contains(&name.as_str())));
    sensors
        .filter_map(|one| files.number(&format!("{all}/{one}/temp1_input")))
        .max()
        .map(|thousandths| thousandths / 1000)
}

fn on_battery(files: Files) -> bool {
    let all = "sys/class/power_supply";
    let is_charger = |one: &String| files.line(&format!("{all}/{one}/type")).as_deref() == Some("Mains");
    let chargers: Vec<u64> = files
        .names(all)
        .iter()
        .filter(|one| is_charger(one))
        .filter_map(|one| files.number(&format!("{all}/{one}/online")))
        .collect();
    !chargers.is_empty() && chargers.iter().all(|online| *online == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::root;

    #[test]
    fn a_machine_that_does_other_things_is_read() {
        let root = root(&[
            ("proc/stat", "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n"),
            ("proc/4242/comm", "llama-server\n"),
            ("sys/class/kfd/kfd/proc/4242/pasid", "1\n"),
            ("sys/class/drm/card1/device/gpu_busy_percent", "97\n"),
            ("sys/class/drm/card1/device/power_dpm_force_performance_level", "low\n"),
            ("sys/class/drm/card1-DP-1/device/gpu_busy_percent", "99\n"),
            ("sys/class/hwmon/hwmon0/name", "nvme\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "99000\n"),
            ("sys/class/hwmon/hwmon1/name", "k10temp\n"),
            ("sys/class/hwmon/hwmon1/temp1_input", "96500\n"),
            ("sys/class/power_supply/AC/type", "Mains\n"),
            ("sys/class/power_supply/AC/online", "0\n"),
            ("sys/firmware/acpi/platform_profile", "low-power\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "2000000\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "5000000\n"),
        ]);
        let strain = Strain::read(root.path());
        assert_eq!(strain.processors, Some(Ticks { idle: 850, total: 1000 }));
        assert_eq!(strain.gpu_percent, Some(97));
        assert_eq!(strain.gpu_users, [(4242, "llama-server".to_owned())]);
        assert_eq!((strain.degrees, strain.on_battery, strain.clock_percent), (Some(96), true, Some(40)));
        assert_eq!(
            (strain.power_profile.as_deref(), strain.gpu_levels.as_slice()),
            (Some("low-power"), &["low".to_owned()][..])
        );
        let later = Ticks { idle: 900, total: 1200 };
        assert_eq!(later.busy_since(Ticks { idle: 850, total: 1000 }), Some(75.0));
        assert_eq!(later.busy_since(later), None);
    }

    #[test]
    fn a_machine_that_tells_nothing_or_nonsense_has_no_strain() {
        assert_eq!(Strain::read(root(&[]).path()), Strain::default());
        let odd = root(&[
            ("proc/stat", "cpu x\n"),
            ("sys/class/drm/card0/device/gpu_busy_percent", "-1\n"),
            ("sys/class/hwmon/hwmon0/name", "amdgpu\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "cold\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "0\n"),
            ("sys/class/power_supply/BAT0/type", "Battery\n"),
        ]);
        assert_eq!(Strain::read(odd.path()), Strain::default());
    }
}
