//! The machine of a validation, as far as results and speeds depend on it.

use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::text;

/// Facts about the machine. Each is absent where the kernel or the package database does not state it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The name of the processor.
    pub processor: Option<String>,
    /// The version of the driver `amdgpu`, if it does not come with the kernel.
    pub driver: Option<String>,
    /// The version of the package with the GPU's firmware.
    pub firmware: Option<String>,
    /// The platform's power profile, such as `balanced`.
    pub power_profile: Option<String>,
    /// The memory of the system, in bytes.
    pub memory: Option<u64>,
    /// The memory that the firmware reserves for the GPU, in bytes.
    pub vram: Option<u64>,
    /// The rest that the GPU may map, in bytes.
    pub gtt: Option<u64>,
    /// The version of the pinned ROCm.
    pub rocm: Option<String>,
}

impl Machine {
    /// Takes the facts from those of the host.
    pub fn of(host: &Host, rocm: Option<String>) -> Self {
        Self {
            kernel: host.kernel_release.clone(),
            processor: host.processor.clone(),
            driver: host.driver_version.clone(),
            firmware: host.firmware.clone(),
            power_profile: host.power_profile.clone(),
            memory: host.memory.total,
            vram: host.memory.vram,
            gtt: host.memory.gtt,
            rocm,
        }
    }

    /// Names kernel, driver, firmware and ROCm, for the message of a failure.
    #[must_use]
    pub fn describe(&self) -> String {
        let or = |value: &Option<String>, other: &str| value.clone().unwrap_or_else(|| other.to_owned());
        let rocm = self.rocm.as_ref().map(|version| format!(", ROCm {version}")).unwrap_or_default();
        format!(
            "kernel {}, driver amdgpu {}, firmware {}{rocm}",
            or(&self.kernel, "unknown"),
            or(&self.driver, "of the kernel"),
            or(&self.firmware, "unknown"),
        )
    }

    /// Describes the machine in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let size = |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), text::bytes);
        format!(
            "{}; {}; power profile {}; memory {}, reserved for the GPU {}, for both {}",
            self.describe(),
            self.processor.as_deref().unwrap_or("unknown processor"),
            self.power_profile.as_deref().unwrap_or("unknown"),
            size(self.memory),
            size(self.vram),
            size(self.gtt),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_what_has_to_fit_together() {
        let machine = Machine {
            kernel: Some("6.16.1".to_owned()),
            firmware: Some("20251125".to_owned()),
            rocm: Some("10.0.0".to_owned()),
            ..Machine::default()
        };
        assert_eq!(machine.describe(), "kernel 6.16.1, driver amdgpu of the kernel, firmware 20251125, ROCm 10.0.0");
        assert!(machine.line().contains("memory unknown"));
    }
}
