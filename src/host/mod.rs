//! What this machine is, as far as a GPU and builds care: facts, without judgement (that is [`crate::doctor`]'s).
//!
//! [`Host::read`] looks below a root directory, `/` or one made by a test, at the kernel's own files (`/proc`, `/sys`,
//! `/dev`) and at the package databases. Everything is read up to a bound, and what is not there is simply not known.

pub mod devices;
mod files;
mod gpu;
mod memory;
mod packages;
mod process;
mod programs;
mod release;
mod render;
mod selinux;

pub use devices::{Devices, Node, NodeState};
pub use gpu::Gpu;
pub use memory::{Memory, free_memory};
pub use process::Process;
pub use programs::on_path;
pub use release::{Distribution, KernelVersion};

use files::Files;

use std::collections::BTreeMap;
use std::path::Path;

/// Facts about a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The running kernel; none where its release cannot be read as a version.
    pub kernel: Option<KernelVersion>,
    /// The kernel's release as it says it, such as `6.18.4-200.fc43.x86_64`.
    pub kernel_release: Option<String>,
    /// The parameters that the kernel was started with.
    pub kernel_parameters: Vec<String>,
    /// What distribution this is.
    pub distribution: Distribution,
    /// The program that made the container that we are in.
    pub container: Option<&'static str>,
    /// The version of the package with AMD's GPU firmware, as the distribution writes it.
    pub firmware: Option<String>,
    /// The GPUs that the driver offers for computing.
    pub gpus: Vec<Gpu>,
    /// GPUs of the driver that it tells us nothing of: a container's device rules keep their render nodes from us.
    pub hidden_gpus: usize,
    /// True if the compute driver tells of its GPUs at all: `/sys/class/kfd` is there.
    pub topology: bool,
    /// Whether the module `amdgpu` is loaded.
    pub driver: bool,
    /// The device nodes.
    pub devices: Devices,
    /// True if SELinux may forbid a container the devices.
    pub selinux_confines: bool,
    /// Memory, and how much of it the GPU may use.
    pub memory: Memory,
    /// The process that asks.
    pub process: Process,
    /// Settings of the kernel by their path below `/proc/sys`, such as `user/max_user_namespaces`.
    pub settings: BTreeMap<&'static str, u64>,
}

/// What limits user namespaces.
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
            distribution: Distribution::read(files),
            container: container(files),
            firmware: packages::firmware(files),
            gpus,
            hidden_gpus,
            topology: files.exists("sys/class/kfd"),
            driver: files.exists("sys/module/amdgpu"),
            devices: Devices::read(root),
            selinux_confines: selinux::confines(files),
            memory: Memory::read(files),
            process: Process::read(files),
            settings: settings.collect(),
        }
    }
}

/// What container engines leave behind: podman and toolbox the first, docker the second, distrobox `/run/host`.
fn container(files: Files) -> Option<&'static str> {
    let marks = [("run/.toolboxenv", "toolbox"), ("run/.containerenv", "podman"), (".dockerenv", "docker")];
    marks.iter().find(|(mark, _)| files.exists(mark)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests;
