//! The manifest that `strixlock init` writes.

use url::Url;

use crate::upstream::debs::archives::{ArchiveKey, Distribution, default_archive};

/// Settings for a new manifest.
#[derive(Debug, Clone)]
pub struct TemplateSettings {
    /// The GPU target.
    pub target: String,
    /// The channel of ROCm builds.
    pub channel: String,
    /// The prefix of ROCm.
    pub rocm_prefix: String,
    /// The prefix of llama.cpp.
    pub llama_prefix: String,
    /// Index pages instead of the built-in list.
    pub sources: Vec<String>,
    /// The llama.cpp repository.
    pub llama_url: String,
    /// True to take the archive that upstream publishes in place of a build.
    pub prebuilt: bool,
    /// True for the web UI that llama.cpp publishes for its builds.
    pub ui: bool,
    /// The source of the packages for builds and images.
    pub packages: Packages,
}

/// The source of the packages for builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packages {
    /// A package archive.
    Archive {
        /// The URL, with the date if it is a snapshot service.
        url: String,
        /// The suites.
        suites: Vec<String>,
        /// The components.
        components: Vec<String>,
        /// The keys that sign it, as far as they are known.
        keys: Vec<ArchiveKey>,
    },
    /// The archives in this machine's apt configuration.
    Host,
    /// No packages: builds use the host's own tools.
    None,
}

impl Packages {
    /// Returns an archive with what is known about its distribution. `keys` are the fingerprints of its keys, if they
    /// are not those of the distribution.
    #[must_use]
    pub fn archive(url: &str, suites: &[String], keys: &[String]) -> Self {
        let known = url.parse::<Url>().ok().and_then(|url| Distribution::of(&[url]));
        let keys: Vec<ArchiveKey> = keys.iter().map(|key| ArchiveKey::named(key)).collect();
        Self::Archive {
            url: url.to_owned(),
            suites: suites.to_vec(),
            components: known.map_or_else(|| vec!["main".to_owned()], |known| known.components.clone()),
            keys: match known {
                Some(known) if keys.is_empty() => known.keys_of(suites).into_iter().cloned().collect(),
                _ => keys,
            },
        }
    }

    /// Returns the archive that serves every machine.
    fn usual() -> Self {
        default_archive().map_or(Self::None, |usual| Self::archive(&usual.archive, &usual.suites, &[]))
    }
}

impl Default for TemplateSettings {
    fn default() -> Self {
        Self {
            target: "gfx1151".to_owned(),
            channel: "nightly".to_owned(),
            rocm_prefix: "/opt/rocm".to_owned(),
            llama_prefix: "/opt/llama".to_owned(),
            sources: Vec::new(),
            llama_url: "https://github.com/ggml-org/llama.cpp".to_owned(),
            prebuilt: false,
            ui: true,
            packages: Packages::usual(),
        }
    }
}

const SYSROOT: &str = r#"
[outputs.sysroot]                   # those packages as the root of a build: compilers, CMake, headers
type = "sysroot"
packages = "packages"
"#;

const FIELD: &str = "sysroot = \"sysroot\"               # without it the host's own tools are used";

/// Packages of the programs that a build calls, and of the libraries that the compiler of ROCm needs.
const BUILD: &str = r#"
  "bash", "ccache", "cmake", "coreutils", "dash", "findutils", "g++", "gcc", "grep", "ninja-build", "sed",
  "libssl-dev",                                                 # for https, as in `llama-server -hf USER/MODEL`
  "libatomic1", "libtinfo6", "libxml2", "libzstd1", "zlib1g",   # for the compiler of the ROCm tree
"#;

/// Packages that llama.cpp and ROCm's libraries need at run time.
const RUN: &str = r#"
  "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "libc-bin", "libatomic1", "libssl3",
  "libstdc++6",
"#;

/// Further packages that upstream's own archives of llama.cpp need.
const RUN_PREBUILT: &str = "  \"libgomp1\", \"libssl3t64\",                   # for the published llama.cpp\n";

/// Packages of the toolbox: programs that distrobox-init would otherwise install, tools for people, and needs of
/// builds.
const TOOLBOX: &str = r#"
  "base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "libc-bin",
  "apt", "bsdutils", "bubblewrap", "diffutils", "findutils", "git", "grep", "gzip", "login", "nano", "python3", "sed", "tar",
  "bc", "bzip2", "curl", "gnupg", "hostname", "iputils-ping", "less", "locales", "lsof", "man-db", "mount", "ncurses-base",
  "openssh-client", "passwd", "pigz", "pinentry-curses", "procps", "rsync", "sudo", "time", "tree", "tzdata", "unzip",
  "util-linux", "wget", "xauth", "xz-utils", "zip",             # for distrobox
  "libssl3", "libatomic1", "libstdc++6", "libtinfo6", "libxml2", "libzstd1", "zlib1g",   # for ROCm and its compiler
"#;

const IMAGES: &str = r#"
# Images, made from the trees above without an engine: `strixlock export oci server`. Nothing else makes or needs them.

[outputs.base]                      # the root of the images that only run something
type = "sysroot"
packages = "base-packages"

[outputs.toolbox-base]              # the root of the one that people work in
type = "sysroot"
packages = "toolbox-packages"
links = { "usr/bin/editor" = "nano", "usr/bin/pager" = "less", "usr/bin/pinentry" = "pinentry-curses" }

[outputs.toolbox]                   # all of ROCm, llama.cpp, and a shell: for distrobox and toolbox
type = "image"
base = "toolbox-base"
rocm = "rocm"
llama = "llama"
labels = { "com.github.containers.toolbox" = "true" }
environment = { GGML_CUDA_ENABLE_UNIFIED_MEMORY = "1" }   # GPU and processor share the memory

[outputs.runtime-image]             # the parts of ROCm that llama.cpp needs
type = "image"
name = "runtime"
base = "base"
runtime = "runtime"
llama = "llama"
environment = { GGML_CUDA_ENABLE_UNIFIED_MEMORY = "1" }

[outputs.server]                    # the same, running llama-server on port 8080
type = "image"
base = "base"
runtime = "runtime"
llama = "llama"
program = "llama-server"
user = "1000:1000"
environment = { GGML_CUDA_ENABLE_UNIFIED_MEMORY = "1" }
"#;

/// Returns the table of an input with packages.
fn packages_input(name: &str, what: &str, archive: &str, packages: &str) -> String {
    let head = format!("[inputs.{name}]");
    format!("\n{head:<35} # {what}\ntype = \"debs\"\n{archive}\npackages = [{packages}]\n")
}

/// Returns the tables of all inputs with packages: for builds, if there are any, and for the bases of images. Only the
/// first one explains the lines about the archive.
fn all_packages(archive: &str, prebuilt: bool) -> String {
    let plain = archive.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end());
    let more = plain.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    if prebuilt {
        let (run, toolbox) = (format!("{RUN}{RUN_PREBUILT}"), format!("{TOOLBOX}{RUN_PREBUILT}"));
        return [
            packages_input("base-packages", "what images begin with, and programs are proven in", archive, &run),
            packages_input("toolbox-packages", "and the one that people work in", &more, &toolbox),
        ]
        .concat();
    }
    [
        packages_input("packages", "what builds run in: these packages, and what they need", archive, BUILD),
        packages_input("base-packages", "what images begin with", &more, RUN),
        packages_input("toolbox-packages", "and the one that people work in", &more, TOOLBOX),
    ]
    .concat()
}

/// Returns the lines about an archive.
fn archive_lines(url: &str, suites: &[String], components: &[String], keys: &[ArchiveKey]) -> String {
    let mut text = format!(
        "archive = {url:?}\n                                    # one day of an archive; or \"host\": whatever this \
         machine's own apt names\nsuites = {suites:?}\ncomponents = {components:?}\n"
    );
    let quoted = |key: &ArchiveKey| format!("{:?}", key.fingerprint);
    match keys {
        [] => text.push_str("# keyring = \"archive.gpg\"           # keys that sign it: a file beside this one"),
        [key] if key.name.is_empty() => text.extend(["keys = [", &quoted(key), "]"]),
        [key] => text.extend(["keys = [", &quoted(key), "]  # signs it: ", &key.name]),
        keys => {
            text.push_str("keys = [                            # one of them signs it\n");
            for key in keys {
                let line = format!("  {},  # {}", quoted(key), key.name);
                text.extend([line.trim_end_matches("  # "), "\n"]);
            }
            text.push(']');
        }
    }
    text
}

/// Returns the input with the sources of llama.cpp.
fn git_input(settings: &TemplateSettings) -> String {
    format!(
        r#"[inputs.llama-cpp]
type = "git"
url = {:?}
# branch = "master"                 # or tag = "b9000", or commit = "<40 hex>"; without any of them, HEAD
"#,
        settings.llama_url
    )
}

/// Returns the output that is built from them.
fn llama_build(settings: &TemplateSettings, sysroot_output: &str, sysroot_field: &str, ui: &str) -> String {
    format!(
        r#"{sysroot_output}
[outputs.llama]
type = "llama"
backend = "hip"                     # or "cpu", or "vulkan" (add glslc, libvulkan-dev, spirv-headers to the packages)
{sysroot_field}
{ui}
prefix = "{}"

[outputs.llama.cmake]
# rocWMMA makes flash attention several times slower at long context on gfx1151, so it is off, and said to be.
GGML_HIP_ROCWMMA_FATTN = false
"#,
        settings.llama_prefix
    )
}

/// Returns the input with the archive that upstream publishes.
fn release_input(settings: &TemplateSettings) -> String {
    format!(
        r#"[inputs.llama-release]           # built by llama.cpp's own CI: pinned by digest, proven here, not built here
type = "release"
url = {:?}
asset = "llama-b{{number}}-bin-ubuntu-rocm-{{rocm}}-x64.tar.gz"
# tag = "b11429"                    # or release = "latest": the newest v tag; without any of them, the newest release
"#,
        settings.llama_url
    )
}

/// Returns the output with its programs.
fn prebuilt_output(settings: &TemplateSettings) -> String {
    let sysroot = match settings.packages {
        Packages::None => "# sysroot = \"base\"                # what programs are proven in; the host without it",
        _ => "sysroot = \"base\"                  # what programs are proven in; the host without it",
    };
    format!(
        r#"
[outputs.llama]                     # the programs of that archive
type = "prebuilt"
rocm = "rocm"
{sysroot}
prefix = "{}"
"#,
        settings.llama_prefix
    )
}

/// The schema by which editors complete and check the manifest: that of this version.
const SCHEMA: &str =
    concat!(env!("CARGO_PKG_REPOSITORY"), "/raw/v", env!("CARGO_PKG_VERSION"), "/docs/schema/strix.toml.schema.json");

/// Returns a commented manifest.
#[must_use]
pub fn template(settings: &TemplateSettings) -> String {
    let TemplateSettings { target, channel, rocm_prefix, sources, prebuilt, ui, packages, .. } = settings;
    let (packages, sysroot_output, sysroot_field, images) = match packages {
        Packages::None => {
            (String::new(), "", "# sysroot = \"sysroot\"             # the host's own tools without it", "")
        }
        Packages::Host => (
            all_packages("archive = \"host\"                    # whatever this machine's own apt names", *prebuilt),
            SYSROOT,
            FIELD,
            IMAGES,
        ),
        Packages::Archive { url, suites, components, keys } => {
            (all_packages(&archive_lines(url, suites, components, keys), *prebuilt), SYSROOT, FIELD, IMAGES)
        }
    };
    let sources = if sources.is_empty() {
        "# sources = [\"https://...\"]       # index pages to ask instead of AMD's".to_owned()
    } else {
        format!("sources = [{}]", sources.iter().map(|source| format!("{source:?}")).collect::<Vec<_>>().join(", "))
    };
    let (others, version) = match channel.as_str() {
        "nightly" => ("stable, rc, dev", "10.1.0a20260901"),
        "stable" => ("nightly, rc, dev", "10.2.0"),
        _ => ("nightly, stable", "10.2.0"),
    };
    let ui = if *ui {
        "ui = \"upstream\"                     # the web UI of llama-server, as llama.cpp publishes it; or false"
    } else {
        "# ui = \"upstream\"                 # the web UI that llama.cpp publishes for its own build numbers"
    };
    let channel = format!("channel = {channel:?}");
    let (llama_input, llama_output) = if *prebuilt {
        (release_input(settings), prebuilt_output(settings))
    } else {
        (git_input(settings), llama_build(settings, sysroot_output, sysroot_field, ui))
    };
    format!(
        r#"#:schema {SCHEMA}
# What this machine is to run. `strixlock update` finds out what that is today and pins it in lock/strix.lock;
# `strixlock realize` makes exactly that, on any machine, for as long as the bytes can be had.

requires = ">=0.1"                  # of strixlock

[inputs.rocm]
type = "rocm"
target = "{target}"                 # gfx1151 is Strix Halo
{channel:<35} # or {others}
version = "latest"                  # or one, "{version}", or a range, ">=7.12,<8"
{sources}

{llama_input}{packages}
[outputs.rocm]
type = "rocm"
prefix = "{rocm_prefix}"
{llama_output}
[outputs.runtime]                   # the parts of ROCm that these programs need
type = "runtime"
roots = ["llama-bench", "llama-cli", "llama-server"]

# [inputs.model]                    # a model for `strixlock validate`
# type = "huggingface"
# model = "unsloth/gemma-3-1b-it-GGUF:Q4_K_M"

# [outputs.model]                   # its files as a tree
# type = "model"
{images}"#
    )
}
