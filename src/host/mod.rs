//! Facts about this machine that matter for a GPU and for builds. [`crate::doctor`] judges them.
//!
//! [`Host::read`] reads below a root directory, `/` or one made by a test: files of the kernel (`/proc`, `/sys`,
//! `/dev`) and the package databases. Every read is bounded, and a missing file is an unknown fact.

pub mod devices;
mod files;
mod gpu;
mod memory;
mod packages;
mod process;
mod processor;
mod programs;
mod release;
mod render;
mod selinux;
mod strain;

pub use devices::{DeviceNode, Devices, NodeState};
pub use gpu::Gpu;
pub use memory::{Memory, free_memory};
pub use process::Process;
pub use processor::processor_flags;
pub use programs::on_path;
pub use release::{Distribution, KernelVersion};
pub use strain::Strain;
#[cfg(test)]
pub use strain::Ticks;

use files::Files;

use std::collections::BTreeMap;
use std::path::Path;

/// Facts about a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The version of the running kernel; absent if its release is not a version.
    pub kernel: Option<KernelVersion>,
    /// The kernel's own release, such as `6.18.4-200.fc43.x86_64`.
    pub kernel_release: Option<String>,
    /// The kernel's command line.
    pub kernel_parameters: Vec<String>,
    /// The name of the processor.
    pub processor: Option<String>,
    /// The distribution.
    pub distribution: Distribution,
    /// The engine of the container that this process is in.
    pub container: Option<&'static str>,
    /// The version of the package with AMD's GPU firmware, in the distribution's own form.
    pub firmware: Option<String>,
    /// The GPUs of the compute driver.
    pub gpus: Vec<Gpu>,
    /// The number of GPUs that the driver hides, because device rules of a container deny their render nodes.
    pub hidden_gpus: usize,
    /// True if the compute driver lists its GPUs: `/sys/class/kfd` exists.
    pub topology: bool,
    /// True if the module `amdgpu` is loaded.
    pub driver: bool,
    /// The version of `amdgpu`, which only a driver from outside the kernel has.
    pub driver_version: Option<String>,
    /// The platform's power profile, such as `balanced`.
    pub power_profile: Option<String>,
    /// The device nodes.
    pub devices: Devices,
    /// True if SELinux may forbid a container the devices.
    pub selinux_confines: bool,
    /// The memory, and the share that the GPU may use.
    pub memory: Memory,
    /// This process.
    pub process: Process,
    /// The places below `/proc` that are covered by other mounts, as in containers.
    pub covered: Vec<String>,
    /// Settings of the kernel by their path below `/proc/sys`, such as `user/max_user_namespaces`.
    pub settings: BTreeMap<&'static str, u64>,
}

/// The settings that limit user namespaces.
const SETTINGS: [&str; 3] =
    ["user/max_user_namespaces", "kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns"];

impl Host {
    /// Reads the facts below `root`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let files = Files { root };
        let kernel_release = files.line("proc/sys/kernel/osrelease");
        let settings = SETTINGS.iter().filter_map(|name| {
            let value = files.line(&format!("proc/sys/{name}"))?;
            Some((*name, value.parse().ok()?))
        });
        let (gpus, hidden_gpus) = gpu::gpus(files);
        Self {
            kernel: kernel_release.as_deref().and_then(KernelVersion::parse),
            kernel_release,
            kernel_parameters: files
                .line("proc/cmdline")
                .map(|line| line.split_ascii_whitespace().map(str::to_owned).collect())
                .unwrap_or_default(),
            processor: files.text("proc/cpuinfo").and_then(|text| processor::name(&text)),
            distribution: Distribution::read(files),
            container: container(files),
            firmware: packages::firmware(files),
            gpus,
            hidden_gpus,
            topology: files.exists("sys/class/kfd"),
            driver: files.exists("sys/module/amdgpu"),
            driver_version: files.line("sys/module/amdgpu/version"),
            power_profile: files.line("sys/firmware/acpi/platform_profile"),
            devices: Devices::read(root),
            selinux_confines: selinux::confines(files),
            memory: Memory::read(files),
            process: Process::read(files),
            covered: covered(files),
            settings: settings.collect(),
        }
    }
}

/// Places below `/proc` that the kernel made for mounts, and that hide nothing.
const FOR_MOUNTS: [&str; 2] = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"];

/// Returns the mount points below `/proc`, from the kernel's list, whose fifth field they are.
fn covered(files: Files) -> Vec<String> {
    let list = files.text("proc/self/mountinfo").unwrap_or_default();
    let points = list.lines().filter_map(|line| line.split(' ').nth(4)).map(crate::text::visible);
    points.filter(|point| point.starts_with("/proc/") && !FOR_MOUNTS.contains(&point.as_str())).collect()
}

/// Returns the container engine, from the files that engines leave. toolbox leaves podman's file, too, so its own
/// comes first.
fn container(files: Files) -> Option<&'static str> {
    let marks = [("run/.toolboxenv", "toolbox"), ("run/.containerenv", "podman"), (".dockerenv", "docker")];
    marks.iter().find(|(mark, _)| files.exists(mark)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests;
