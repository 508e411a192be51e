//! Facts about this machine that matter for GPUs and builds. [`crate::doctor`] judges them.
//!
//! [`Host::read`] reads the kernel's files (`/proc`, `/sys`, `/dev`) and the package databases below a root directory:
//! `/`, or one made by a test. Everything is read up to a bound, and missing files leave facts unknown.

pub mod devices;
mod gpu;
mod memory;
mod packages;
mod process;
mod programs;
mod release;
mod selinux;
mod system_files;

pub use devices::{Devices, Node, NodeState};
pub use gpu::Gpu;
pub use memory::{Memory, free_memory};
pub use process::Process;
pub use programs::on_path;
pub use release::{Distribution, KernelVersion};

use system_files::SystemFiles;

use std::collections::BTreeMap;
use std::path::Path;

/// Facts about a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// The version of the running kernel, if its release can be parsed.
    pub kernel: Option<KernelVersion>,
    /// The kernel's release, such as `6.18.4-200.fc43.x86_64`.
    pub kernel_release: Option<String>,
    /// The kernel's command line.
    pub kernel_parameters: Vec<String>,
    /// The distribution.
    pub distribution: Distribution,
    /// The program that made the container, if we are in one.
    pub container: Option<&'static str>,
    /// The version of the package with AMD's GPU firmware, in the distribution's spelling.
    pub firmware: Option<String>,
    /// The GPUs of the compute driver.
    pub gpus: Vec<Gpu>,
    /// Number of GPUs that the driver hides, because a container's device rules forbid their render nodes.
    pub hidden_gpus: usize,
    /// True if the compute driver lists GPUs: `/sys/class/kfd` exists.
    pub topology: bool,
    /// True if the module `amdgpu` is loaded.
    pub driver: bool,
    /// The device nodes.
    pub devices: Devices,
    /// True if SELinux may deny the devices to a container.
    pub selinux_confines: bool,
    /// Memory, and the share of it that the GPU may use.
    pub memory: Memory,
    /// User and groups of this process.
    pub process: Process,
    /// Settings of the kernel by path below `/proc/sys`, such as `user/max_user_namespaces`.
    pub settings: BTreeMap<&'static str, u64>,
}

/// Settings that limit user namespaces.
const SETTINGS: [&str; 3] =
    ["user/max_user_namespaces", "kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns"];

impl Host {
    /// Reads the facts below `root`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let files = SystemFiles { root };
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

/// Returns the program that made the container that we are in, from the files that it puts there.
fn container(files: SystemFiles) -> Option<&'static str> {
    let marks = [("run/.toolboxenv", "toolbox"), ("run/.containerenv", "podman"), (".dockerenv", "docker")];
    marks.iter().find(|(mark, _)| files.exists(mark)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests;
