//! From what a person wants, and what this machine is, to the container.

use std::collections::BTreeMap;

use super::container::{CACHE, MODELS};
use super::{Container, Engine, ImageRef, Mount, Runtime, Server};
use crate::error::{Error, Kind, Result};
use crate::host::Devices;

/// What a person wants. Paths are absolute.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is for.
    pub engine: Engine,
    /// Its name.
    pub name: String,
    /// What it is made from.
    pub image: ImageRef,
    /// The plan's form, with all rights, instead of the narrow one.
    pub privileged: bool,
    /// The directory one works in.
    pub workspace: Option<String>,
    /// The directory of models.
    pub models: Option<String>,
    /// The model to serve, below that directory.
    pub model: Option<String>,
    /// The directory of llama.cpp's downloads.
    pub cache: Option<String>,
    /// The port on the host's loopback.
    pub port: u16,
    /// Options for the server in this image, see [`super::start`].
    pub options: Vec<String>,
}

/// What the machine is.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Who we are.
    pub uid: u32,
    /// Our group.
    pub gid: u32,
    /// The home directory.
    pub home: String,
    /// The host name.
    pub host: String,
    /// The device nodes.
    pub devices: Devices,
    /// Podman's runtime, where podman is what runs the container.
    pub runtime: Runtime,
}

/// Condition under which `keep-groups` works.
const NEEDS_CRUN: &str = "`--group-add=keep-groups` needs crun as podman's runtime: `podman info --format '{{.Host.OCIRuntime.Name}}'` says which it is";

/// What ROCm opens.
const DEVICES: [&str; 2] = ["/dev/kfd", "/dev/dri"];

impl Wanted {
    /// The container, and what is worth a warning.
    pub fn container(&self, machine: &Machine) -> Result<(Container, Vec<String>)> {
        let mut warnings = Vec::new();
        let there = |device: &&str| match *device {
            "/dev/kfd" => machine.devices.kfd.is_some(),
            _ => !machine.devices.render.is_empty(),
        };
        // An engine fails on a device that is not there; a file may be for another machine.
        let (devices, missing): (Vec<&str>, Vec<&str>) =
            DEVICES.into_iter().partition(|device| !self.engine.runs_now() || there(device));
        if !missing.is_empty() {
            warnings.push(format!("this machine has no {}: `strixlock doctor` says why", missing.join(", no ")));
        }
        let groups = self.groups(machine);
        let needs = self.needs(machine);
        warnings.extend(needs.map(str::to_owned));
        warnings.extend(self.lost_groups(machine));
        if groups.is_empty() && !self.engine.runs_now() && !self.is_rootless_podman(machine) {
            warnings.push(
                "this machine has no GPU, so that the numbers of the groups that own one are not in the file: write it where the \
                 GPU is, or add them"
                    .to_owned(),
            );
        }
        self.check_host_name(machine)?;
        let mut env = BTreeMap::from([("GGML_CUDA_ENABLE_UNIFIED_MEMORY".to_owned(), "1".to_owned())]);
        let (mounts, cache) = self.mounts(machine);
        env.extend(cache.map(|cache| ("LLAMA_CACHE".to_owned(), cache)));
        let server = self.model.as_deref().map(|model| self.server(model)).transpose()?;
        let container = Container {
            name: self.name.clone(),
            image: self.image.clone(),
            privileged: self.privileged,
            devices: devices.into_iter().map(str::to_owned).collect(),
            groups,
            needs,
            user: self.user(machine),
            mounts,
            env,
            directory: self.workspace.clone().filter(|_| !self.engine.is_server()),
            server,
        };
        Ok((container, warnings))
    }

    /// The groups that may open the devices.
    fn groups(&self, machine: &Machine) -> Vec<String> {
        if self.engine.shares_home() {
            // distrobox takes the caller's along of its own accord; toolbox takes none, and cannot be told to.
            return Vec::new();
        }
        if self.is_rootless_podman(machine) {
            // A runtime that drops groups cannot be given them by number either: they are not mapped into the container.
            let kept = !matches!(machine.runtime, Runtime::Other(_));
            return kept.then(|| "keep-groups".to_owned()).into_iter().collect();
        }
        // By number: the image may call them otherwise, or not at all.
        machine.devices.groups().iter().filter(|group| **group != 0).map(u32::to_string).collect()
    }

    /// Returns the condition that is not known to be met.
    fn needs(&self, machine: &Machine) -> Option<&'static str> {
        (self.is_rootless_podman(machine) && machine.runtime == Runtime::Unknown).then_some(NEEDS_CRUN)
    }

    /// Warns of a runtime that drops the groups which own the GPU.
    fn lost_groups(&self, machine: &Machine) -> Option<String> {
        let Runtime::Other(name) = &machine.runtime else { return None };
        self.is_rootless_podman(machine).then(|| {
            format!(
                "podman's runtime is {name}, and only crun lets a container keep your groups (`--group-add=keep-groups`, which is left \
                 out): unless everybody may open /dev/kfd and /dev/dri, there is no GPU inside. Install crun (`sudo apt-get install \
                 crun`), and write `runtime = \"crun\"` below `[engine]` in ~/.config/containers/containers.conf"
            )
        })
    }

    fn is_rootless_podman(&self, machine: &Machine) -> bool {
        machine.uid != 0 && self.engine.runs_in_podman()
    }

    /// A server runs as whoever sets it up: nobody else may be able to read the models and write the cache. That is root inside
    /// where podman runs without root. Root's own runs as the image says, which is better than as root.
    fn user(&self, machine: &Machine) -> Option<String> {
        if !self.engine.is_server() || machine.uid == 0 {
            return None;
        }
        let (uid, gid) = if self.is_rootless_podman(machine) { (0, 0) } else { (machine.uid, machine.gid) };
        Some(format!("{uid}:{gid}"))
    }

    /// distrobox makes the container's host name of its own and the machine's, and Linux has 64 bytes for it.
    fn check_host_name(&self, machine: &Machine) -> Result<()> {
        let length = self.name.len() + 1 + machine.host.len();
        // What is longer by itself, the engine's own rule tells.
        if self.engine != Engine::Distrobox || length <= 64 || self.name.len() > 63 {
            return Ok(());
        }
        Err(Error::new(Kind::Usage, "distrobox could not enter a container of this name: it makes a host name of it")
            .fact("host name", format!("{}.{}", self.name, machine.host))
            .fact("length", format!("{length}, and 64 at most"))
            .hint("choose a shorter one with --name"))
    }

    /// What is mounted, and where llama.cpp's downloads are inside.
    fn mounts(&self, machine: &Machine) -> (Vec<Mount>, Option<String>) {
        let shared = self.engine.shares_home();
        let at_home = |path: &String| shared && std::path::Path::new(path).starts_with(&machine.home);
        let mut mounts = Vec::new();
        let mut add = |path: &Option<String>, inside: &str, read_only: bool| {
            let path = path.as_ref()?;
            let to = if shared { path.clone() } else { inside.to_owned() };
            if !at_home(path) {
                mounts.push(Mount { from: path.clone(), to: to.clone(), read_only });
            }
            Some(to)
        };
        if !self.engine.is_server() && self.engine != Engine::Toolbox {
            let workspace = self.workspace.clone().unwrap_or_default();
            add(&self.workspace, &workspace, false);
        }
        add(&self.models, MODELS, true);
        let cache = add(&self.cache, CACHE, false);
        (mounts, cache)
    }

    fn server(&self, model: &str) -> Result<Server> {
        let parts_are_names = model.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if self.models.is_none() || !parts_are_names || model.chars().any(char::is_control) {
            return Err(Error::new(Kind::Usage, "a model is the name of a file below --models").fact("model", model));
        }
        Ok(Server { port: self.port, model: format!("{MODELS}/{model}"), options: self.options.clone() })
    }
}
