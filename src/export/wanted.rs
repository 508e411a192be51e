//! Turns the options of the user, and facts about this machine, into a container.

use std::collections::BTreeMap;

use super::container::{CACHE, MODELS};
use super::inside::Wanting;
use super::{Container, ContainerEngine, ImageRef, Mount, Runtime, Server};
use crate::error::{Error, Kind, Result};
use crate::host::Devices;
use crate::llama_source::Options;

/// Options for a container. Paths are absolute.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Engine that it is for.
    pub engine: ContainerEngine,
    /// Name.
    pub name: String,
    /// Image.
    pub image: ImageRef,
    /// True to grant all rights instead of only the devices and groups.
    pub privileged: bool,
    /// Working directory.
    pub workspace: Option<String>,
    /// Directory of models.
    pub models: Option<String>,
    /// Model to serve, below that directory.
    pub model: Option<String>,
    /// Directory of llama.cpp's own downloads.
    pub cache: Option<String>,
    /// Port on the host's loopback.
    pub port: u16,
    /// Options that the llama-server in this image has.
    pub options: Options,
    /// Programs to look for inside.
    pub programs: Vec<Wanting>,
}

/// Facts about this machine and its user.
#[derive(Debug, Clone)]
pub struct Machine {
    /// User id of the caller.
    pub uid: u32,
    /// Group id of the caller.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Host name.
    pub host: String,
    /// Device nodes.
    pub devices: Devices,
    /// Podman's runtime, where podman is what runs the container.
    pub runtime: Runtime,
}

/// Condition under which `keep-groups` works.
const NEEDS_CRUN: &str = "`--group-add=keep-groups` needs crun as podman's runtime: `podman info --format \
                          '{{.Host.OCIRuntime.Name}}'` says which it is";

/// Devices that ROCm opens.
const DEVICES: [&str; 2] = ["/dev/kfd", "/dev/dri"];

impl Wanted {
    /// Returns the container, and warnings.
    pub fn container(&self, machine: &Machine) -> Result<(Container, Vec<String>)> {
        let mut warnings = Vec::new();
        let there = |device: &&str| match *device {
            "/dev/kfd" => machine.devices.kfd.is_some(),
            _ => !machine.devices.render.is_empty(),
        };
        // An engine fails at a missing device; a file may be for another machine.
        let (devices, missing): (Vec<&str>, Vec<&str>) =
            DEVICES.into_iter().partition(|device| !self.engine.runs_now() || there(device));
        if !missing.is_empty() {
            warnings.push(format!("missing on this machine: {}; `strixlock doctor` shows why", missing.join(", ")));
        }
        let groups = self.groups(machine);
        let needs = self.needs(machine);
        warnings.extend(needs.map(str::to_owned));
        warnings.extend(self.lost_groups(machine));
        if groups.is_empty() && !self.engine.runs_now() && !self.is_rootless_podman(machine) {
            warnings.push(
                "no GPU on this machine, so the file lacks the numbers of its groups: write the file on the machine \
                 with the GPU, or add them"
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
            programs: self.programs.clone(),
        };
        Ok((container, warnings))
    }

    /// Returns the groups that may open the devices.
    fn groups(&self, machine: &Machine) -> Vec<String> {
        if self.engine.shares_home() {
            // distrobox always passes on the caller's groups; toolbox never does.
            return Vec::new();
        }
        if self.is_rootless_podman(machine) {
            // A runtime that drops groups cannot be given them by number either: they are not mapped inside.
            let kept = !matches!(machine.runtime, Runtime::Other(_));
            return kept.then(|| "keep-groups".to_owned()).into_iter().collect();
        }
        // By number, since the image may lack the names or use them for other groups.
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

    /// Returns the user for a server: the caller, who can read the models and write the cache. With rootless podman
    /// that is root inside. A server set up by root runs as the user of the image, which is safer than root.
    fn user(&self, machine: &Machine) -> Option<String> {
        if !self.engine.is_server() || machine.uid == 0 {
            return None;
        }
        let (uid, gid) = if self.is_rootless_podman(machine) { (0, 0) } else { (machine.uid, machine.gid) };
        Some(format!("{uid}:{gid}"))
    }

    /// Fails if a host name is too long: distrobox joins the names of container and machine, and Linux allows 64 bytes.
    fn check_host_name(&self, machine: &Machine) -> Result<()> {
        let length = self.name.len() + 1 + machine.host.len();
        // The engine's own rule reports names that are too long by themselves.
        if self.engine != ContainerEngine::Distrobox || length <= 64 || self.name.len() > 63 {
            return Ok(());
        }
        Err(Error::new(Kind::Usage, "the host name of the container would be too long")
            .fact("host name", format!("{}.{}", self.name, machine.host))
            .fact("length", format!("{length}, maximum 64"))
            .hint("choose a shorter name with --name"))
    }

    /// Returns the mounts, and the path of llama.cpp's own downloads inside.
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
        if !self.engine.is_server() && self.engine != ContainerEngine::Toolbox {
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
            return Err(
                Error::new(Kind::Usage, "the model must be the name of a file below --models").fact("model", model)
            );
        }
        Ok(Server { port: self.port, model: format!("{MODELS}/{model}"), options: self.options.clone() })
    }
}
