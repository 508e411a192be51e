//! Recipe `image`: an OCI image from realized trees, made without a container engine.
//!
//! The layers, from the lowest: the base (a sysroot, or the unchanged layers of a pinned `oci` input), ROCm or a
//! trimmed runtime, llama.cpp, configuration. Each layer depends on its own part alone, so an unchanged part is the
//! same blob in every image. Layers are GNU tar archives with owner 0:0, time 1980-01-01, and modes 0644 and 0755
//! except for [`MODES`]. They are compressed by [`Compression`]. The level and the version of its library are in the
//! derivations of layers and images, because each version compresses to other bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::vulkan::VulkanPart;
use super::{OutputKind, OutputRole, Recipe};
use crate::inputs::InputKind;
use crate::llama_source::Role;
use crate::oci::document::HealthCheck;
use crate::oci::{Compression, Config, Inherited, Odd};

/// Revision of the recipe, raised with every change that can show in its result.
pub const REVISION: u32 = 3;

/// The creation time of every image: the time of all files in it.
pub const CREATED: &str = "1980-01-01T00:00:00Z";

/// The file by which distrobox-init (1.8.2) recognizes that packages are installed. Older versions install packages if
/// one of their programs is missing; the template's toolbox has all of them.
pub const SET_UP: &str = ".containersetupdone";

/// The port of llama-server.
pub const PORT: u16 = 8080;

/// The recipe of an image: see [`Recipe::Image`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecipe {
    /// The name of the image.
    pub name: String,
    /// The sysroot output that is its root file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The `oci` input whose unchanged layers are the lowest, instead of `base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The output that is its complete ROCm tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rocm: Option<String>,
    /// The output that is its trimmed ROCm tree, or its Vulkan loader and drivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The output that is its engine. The name in locks is from when there was none but llama.cpp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llama: Option<String>,
    /// The program of the engine that the image runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// User and group that it runs as: numbers, or names in the base. Default: root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Inputs of type `file` with certificates of authorities that its programs trust besides those of the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// Environment variables, which override the recipe's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Labels, which override the recipe's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Compression of the layers.
    #[serde(default)]
    pub compression: Compression,
}

impl OutputKind for ImageRecipe {
    const NAME: &'static str = "image";
    const REVISION: u32 = REVISION;

    fn inputs(&self) -> Vec<(InputKind, &str)> {
        let certificates = self.certificates.iter().map(|name| (InputKind::File, name.as_str()));
        self.from.iter().map(|name| (InputKind::Oci, name.as_str())).chain(certificates).collect()
    }

    fn outputs(&self) -> Vec<(OutputRole, &str)> {
        let parts = [
            (OutputRole::Sysroot, &self.base),
            (OutputRole::Rocm, &self.rocm),
            (OutputRole::Runtime, &self.runtime),
            (OutputRole::Engine, &self.llama),
        ];
        parts.into_iter().filter_map(|(role, name)| Some((role, name.as_deref()?))).collect()
    }

    fn is_image(&self) -> bool {
        true
    }
}

/// Modes that programs of a sysroot rely on and that trees do not have. Setuid bits of packages are restored for these
/// paths only.
pub const MODES: &[(&str, u32)] = &[
    ("etc/shadow", 0o640),
    ("etc/sudoers", 0o440),
    ("root", 0o700),
    ("tmp", 0o1777),
    ("usr/bin/chfn", 0o4755),
    ("usr/bin/chsh", 0o4755),
    ("usr/bin/gpasswd", 0o4755),
    ("usr/bin/mount", 0o4755),
    ("usr/bin/newgrp", 0o4755),
    ("usr/bin/passwd", 0o4755),
    ("usr/bin/su", 0o4755),
    ("usr/bin/sudo", 0o4755),
    ("usr/bin/umount", 0o4755),
    ("var/tmp", 0o1777),
];

/// The prefixes of an image's parts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prefixes<'a> {
    /// The prefix of ROCm or its runtime.
    pub rocm: Option<&'a str>,
    /// The prefix of llama.cpp.
    pub llama: Option<&'a str>,
    /// The Vulkan runtime.
    pub vulkan: Option<VulkanPart<'a>>,
}

impl Prefixes<'_> {
    /// Returns the directories of libraries, as in `LD_LIBRARY_PATH`; empty if there are none.
    #[must_use]
    pub fn search_path(self) -> String {
        let vulkan = self.vulkan.map(|vulkan| vulkan.prefix);
        let libraries = [self.llama, self.rocm, vulkan].into_iter().flatten().map(|prefix| format!("{prefix}/lib"));
        libraries.collect::<Vec<_>>().join(":")
    }

    /// Returns the directories of programs, llama.cpp's first; `compilers` adds ROCm's own compilers.
    #[must_use]
    pub fn programs(self, compilers: bool) -> Vec<String> {
        let mut all: Vec<String> =
            [self.llama, self.rocm].into_iter().flatten().map(|prefix| format!("{prefix}/bin")).collect();
        all.extend(self.rocm.filter(|_| compilers).map(|rocm| format!("{rocm}/lib/llvm/bin")));
        all
    }

    /// Returns the variables, besides `PATH`, by which the parts find each other; `bitcode` adds the device libraries.
    #[must_use]
    pub fn variables(self, bitcode: bool) -> BTreeMap<String, String> {
        let (mut all, libraries) = (BTreeMap::new(), self.search_path());
        if let Some(rocm) = self.rocm {
            for (name, value) in [("ROCM_PATH", rocm), ("HIP_PATH", rocm), ("HIP_PLATFORM", "amd")] {
                all.insert(name.to_owned(), value.to_owned());
            }
            if bitcode {
                all.insert("HIP_DEVICE_LIB_PATH".to_owned(), format!("{rocm}/{BITCODE}"));
            }
        }
        all.extend(self.vulkan.map(VulkanPart::variables).unwrap_or_default());
        if !libraries.is_empty() {
            all.insert("LD_LIBRARY_PATH".to_owned(), libraries);
        }
        all
    }
}

/// The directory of the device libraries in a ROCm tree.
pub const BITCODE: &str = "lib/llvm/amdgcn/bitcode";

impl ImageRecipe {
    /// Returns the prefixes of the image's parts; `output` finds the recipe of an output.
    #[must_use]
    pub fn prefixes<'l>(&self, output: impl Fn(&str) -> Option<&'l Recipe>) -> Prefixes<'l> {
        let recipe = |name: &Option<String>| name.as_deref().and_then(&output);
        let rocm = match (recipe(&self.rocm), recipe(&self.runtime)) {
            (None, Some(Recipe::Runtime(runtime))) => output(&runtime.rocm),
            (rocm, _) => rocm,
        };
        let rocm = rocm.map(|recipe| recipe.bottom(&output));
        let vulkan = match recipe(&self.runtime) {
            Some(Recipe::Vulkan(recipe)) => Some(recipe.part()),
            _ => None,
        };
        let llama = recipe(&self.llama).and_then(Recipe::prefix);
        Prefixes { rocm: rocm.and_then(Recipe::prefix), llama, vulkan }
    }

    /// Returns true if the image runs llama-server, which has a port and a health check.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.program.as_deref().is_some_and(|program| Role::of(program) == Some(Role::Server))
    }

    /// Returns true if the image has the label of images for toolbox and distrobox.
    #[must_use]
    pub fn is_toolbox(&self) -> bool {
        self.labels.get("com.github.containers.toolbox").is_some_and(|value| value == "true")
    }

    /// Returns the variables that the image's parts need, and those of the manifest.
    #[must_use]
    pub fn variables(&self, prefixes: Prefixes) -> BTreeMap<String, String> {
        let mut path = prefixes.programs(self.rocm.is_some());
        path.push("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        let mut all = prefixes.variables(self.rocm.is_some());
        all.insert("LANG".to_owned(), "C.UTF-8".to_owned());
        all.insert("PATH".to_owned(), path.join(":"));
        if self.is_server() {
            // Nothing outside the container can reach its 127.0.0.1.
            all.insert("LLAMA_ARG_HOST".to_owned(), "0.0.0.0".to_owned());
            all.insert("LLAMA_ARG_PORT".to_owned(), PORT.to_string());
        }
        all.extend(self.environment.clone());
        all
    }

    /// Returns a malformed field of a base image that this image would inherit, if any. `ours` are the image's labels.
    /// Malformed ports, volumes, signals and health checks count as unset, because the image runs without them.
    #[must_use]
    pub fn lacks<'a>(&self, base: &'a Inherited, ours: &BTreeMap<String, String>) -> Option<&'a Odd> {
        base.odd.iter().find(|odd| match (odd.field, &odd.entry) {
            ("User", _) => self.user.is_none(),
            ("Entrypoint" | "Cmd", _) => self.program.is_none(),
            ("Labels", Some(label)) => !ours.contains_key(label) && !self.labels.contains_key(label),
            (field, _) => matches!(field, "Env" | "WorkingDir" | "Labels" | "config"),
        })
    }

    /// Returns the run configuration. Unset fields are inherited from the base image, by the rules of `FROM` in a
    /// Containerfile. A `program` replaces entrypoint, arguments and health check of the base. The base's health check
    /// would otherwise ask forever about a program that does not run.
    #[must_use]
    pub fn config(&self, prefixes: Prefixes, ours: BTreeMap<String, String>, base: Config) -> Config {
        let mut labels = base.labels;
        labels.extend(ours);
        labels.extend(self.labels.clone());
        let program = self.program.as_ref().zip(prefixes.llama).map(|(name, llama)| format!("{llama}/bin/{name}"));
        let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
        let mut variables: BTreeMap<String, String> =
            base.env.into_iter().map(|variable| (name(&variable), variable)).collect();
        for (name, value) in self.variables(prefixes) {
            let variable = format!("{name}={value}");
            variables.insert(name, variable);
        }
        Config {
            user: self.user.clone().unwrap_or(base.user),
            exposed_ports: set(base.exposed_ports.into_keys().chain(self.is_server().then(|| format!("{PORT}/tcp")))),
            volumes: set(base.volumes.into_keys()),
            env: variables.into_values().collect(),
            cmd: match &program {
                Some(_) => Vec::new(),
                None if base.cmd.is_empty() => vec!["/bin/sh".to_owned()],
                None => base.cmd,
            },
            healthcheck: if program.is_some() { self.is_server().then(health_check) } else { base.healthcheck },
            entrypoint: program.map_or(base.entrypoint, |program| vec![program]),
            working_dir: if base.working_dir.is_empty() { "/".to_owned() } else { base.working_dir },
            labels,
            stop_signal: base.stop_signal,
            stop_timeout: base.stop_timeout,
            shell: base.shell,
        }
    }
}

/// Returns names as the specification writes a set: an object with empty values.
fn set(names: impl Iterator<Item = String>) -> BTreeMap<String, Value> {
    names.map(|name| (name, Value::Object(serde_json::Map::new()))).collect()
}

/// Shell command that succeeds if llama-server reports that it is healthy. Uses bash alone, so that images need no
/// curl.
pub const HEALTH: &str = concat!(
    r"exec 3<>/dev/tcp/127.0.0.1/${LLAMA_ARG_PORT:-8080} && printf 'GET /health HTTP/1.0\r\n\r\n' >&3 && ",
    r#"read -r _ status _ <&3 && [ "$status" = 200 ]"#,
);

fn health_check() -> HealthCheck {
    const SECOND: u64 = 1_000_000_000;
    HealthCheck {
        test: ["CMD", "bash", "-c", HEALTH].map(str::to_owned).to_vec(),
        interval: 30 * SECOND,
        timeout: 5 * SECOND,
        start_period: 300 * SECOND,
        start_interval: None,
        retries: 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> ImageRecipe {
        ImageRecipe {
            name: "server".to_owned(),
            base: Some("base".to_owned()),
            from: None,
            rocm: None,
            runtime: Some("runtime".to_owned()),
            llama: Some("llama".to_owned()),
            program: Some("llama-server".to_owned()),
            user: None,
            certificates: Vec::new(),
            environment: BTreeMap::from([("LLAMA_ARG_PORT".to_owned(), "9000".to_owned())]),
            labels: BTreeMap::from([("a".to_owned(), "mine".to_owned())]),
            compression: Compression::Zstd,
        }
    }

    #[test]
    fn a_server_has_a_port_and_a_look_at_its_health_and_the_manifest_has_the_last_word() {
        let prefixes = Prefixes { rocm: Some("/opt/rocm"), llama: Some("/opt/llama"), vulkan: None };
        let config =
            recipe().config(prefixes, BTreeMap::from([("a".to_owned(), "ours".to_owned())]), Config::default());
        assert_eq!(config.entrypoint, ["/opt/llama/bin/llama-server"]);
        assert!(config.cmd.is_empty() && config.healthcheck.is_some());
        assert!(config.exposed_ports.contains_key("8080/tcp"));
        assert_eq!(config.labels["a"], "mine");
        for variable in ["LLAMA_ARG_PORT=9000", "HIP_PLATFORM=amd", "LD_LIBRARY_PATH=/opt/llama/lib:/opt/rocm/lib"] {
            assert!(config.env.iter().any(|one| one == variable), "{variable} {:?}", config.env);
        }
        assert!(config.env.is_sorted());
    }

    #[test]
    fn what_is_not_said_is_as_in_the_base_image() {
        let base = Config {
            user: "me".to_owned(),
            env: vec!["LANG=de".to_owned(), "MINE=1".to_owned()],
            cmd: vec!["bash".to_owned()],
            labels: BTreeMap::from([("a".to_owned(), "theirs".to_owned()), ("b".to_owned(), "theirs".to_owned())]),
            ..Config::default()
        };
        let recipe = ImageRecipe { program: None, ..recipe() };
        let config = recipe.config(Prefixes::default(), BTreeMap::new(), base);
        assert_eq!((config.user.as_str(), config.cmd.as_slice()), ("me", &["bash".to_owned()][..]));
        assert_eq!((config.labels["a"].as_str(), config.labels["b"].as_str()), ("mine", "theirs"));
        assert!(config.env.contains(&"MINE=1".to_owned()) && config.env.contains(&"LANG=C.UTF-8".to_owned()));
    }

    /// A base image with all fields set.
    fn full_base() -> Config {
        Config {
            exposed_ports: BTreeMap::from([("80/tcp".to_owned(), Value::Null)]),
            volumes: BTreeMap::from([("/data".to_owned(), Value::Bool(true))]),
            entrypoint: vec!["/theirs".to_owned()],
            cmd: vec!["argument".to_owned()],
            stop_signal: "SIGQUIT".to_owned(),
            stop_timeout: Some(5),
            healthcheck: Some(HealthCheck { test: vec!["NONE".to_owned()], ..HealthCheck::default() }),
            shell: vec!["/bin/bash".to_owned()],
            ..Config::default()
        }
    }

    #[test]
    fn ports_volumes_and_the_rest_are_inherited_and_a_program_takes_the_place_of_the_base_s() {
        let base = full_base();
        let prefixes = Prefixes { rocm: None, llama: Some("/opt/llama"), vulkan: None };
        for (program, ports, check) in [
            (None, &["80/tcp"][..], base.healthcheck.clone()),
            (Some("llama-cli"), &["80/tcp"][..], None),
            (Some("llama-server"), &["80/tcp", "8080/tcp"][..], Some(health_check())),
        ] {
            let recipe = ImageRecipe { program: program.map(str::to_owned), ..recipe() };
            let config = recipe.config(prefixes, BTreeMap::new(), base.clone());
            assert!(config.exposed_ports.keys().eq(ports) && config.volumes.keys().eq(["/data"]), "{config:?}");
            assert!(
                config
                    .exposed_ports
                    .values()
                    .chain(config.volumes.values())
                    .all(|value| *value == serde_json::json!({}))
            );
            assert_eq!(
                (&config.stop_signal, config.stop_timeout, &config.shell),
                (&base.stop_signal, base.stop_timeout, &base.shell)
            );
            assert_eq!(config.healthcheck, check, "{program:?}");
            match program {
                None => assert_eq!((config.entrypoint, config.cmd), (base.entrypoint.clone(), base.cmd.clone())),
                Some(_) => assert!(config.entrypoint[0].starts_with("/opt/llama/bin/") && config.cmd.is_empty()),
            }
        }
    }

    #[test]
    fn an_odd_field_of_the_base_is_lacked_only_where_it_is_taken() {
        let base = |config: &str| {
            let rest = r#""architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}"#;
            let text = format!("{{{rest}, \"config\": {config}}}");
            crate::oci::BaseConfig::read(text.as_bytes()).unwrap().run
        };
        let program = recipe();
        let plain = ImageRecipe { program: None, ..recipe() };
        let user = ImageRecipe { user: Some("me".to_owned()), ..recipe() };
        let ours = BTreeMap::from([("version".to_owned(), "1".to_owned())]);
        for (config, recipe, lacked) in [
            (r#"{"Cmd": "sh"}"#, &plain, true),
            (r#"{"Cmd": "sh"}"#, &program, false),
            (r#"{"Entrypoint": {}}"#, &plain, true),
            (r#"{"Entrypoint": {}}"#, &program, false),
            (r#"{"User": 1000}"#, &program, true),
            (r#"{"User": 1000}"#, &user, false),
            (r#"{"Labels": {"other": 1}}"#, &program, true),
            (r#"{"Labels": {"a": 1, "version": 2}}"#, &program, false),
            (r#"{"Labels": []}"#, &program, true),
            (r#"{"Env": ["A=1", 2]}"#, &program, true),
            (r#"{"WorkingDir": []}"#, &program, true),
            ("[]", &program, true),
            (r#"{"ExposedPorts": [], "Volumes": 1, "StopSignal": 9, "StopTimeout": "", "Shell": ""}"#, &plain, false),
            (r#"{"Healthcheck": "curl"}"#, &plain, false),
        ] {
            let base = base(config);
            assert!(!base.odd.is_empty());
            assert_eq!(recipe.lacks(&base, &ours).is_some(), lacked, "{config} {recipe:?}");
        }
    }

    #[test]
    fn what_runs_no_program_has_a_shell() {
        let recipe = ImageRecipe { program: None, environment: BTreeMap::new(), ..recipe() };
        let config = recipe.config(Prefixes::default(), BTreeMap::new(), Config::default());
        assert_eq!(config.cmd, ["/bin/sh"]);
        assert!(config.entrypoint.is_empty() && config.exposed_ports.is_empty() && config.healthcheck.is_none());
    }
}
