//! The manifest that `strixlock init` writes.

/// What a new manifest is filled with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The GPU target.
    pub target: String,
    /// Where ROCm is to stand.
    pub rocm_prefix: String,
    /// Where llama.cpp is to stand.
    pub llama_prefix: String,
    /// Index pages instead of the built-in list.
    pub sources: Vec<String>,
    /// The llama.cpp repository.
    pub llama_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target: "gfx1151".to_owned(),
            rocm_prefix: "/opt/rocm".to_owned(),
            llama_prefix: "/opt/llama".to_owned(),
            sources: Vec::new(),
            llama_url: "https://github.com/ggml-org/llama.cpp".to_owned(),
        }
    }
}

/// A commented manifest.
#[must_use]
pub fn template(settings: &Settings) -> String {
    let Settings { target, rocm_prefix, llama_prefix, sources, llama_url } = settings;
    let sources = if sources.is_empty() {
        "# sources = [\"https://...\"]       # index pages to ask instead of AMD's".to_owned()
    } else {
        format!("sources = [{}]", sources.iter().map(|source| format!("{source:?}")).collect::<Vec<_>>().join(", "))
    };
    format!(
        r#"# What this machine is to run. `strixlock update` finds out what that is today and pins it in lock/strix.lock;
# `strixlock realize` makes exactly that, on any machine, for as long as the bytes can be had.

requires = ">=0.1"                  # of strixlock

[inputs.rocm]
type = "rocm"
target = "{target}"                 # gfx1151 is Strix Halo
channel = "nightly"                 # or stable, rc, dev
version = "latest"                  # or one, "10.1.0a20260901", or a range, ">=7.12,<8"
{sources}

[inputs.llama-cpp]
type = "git"
url = {llama_url:?}
# branch = "master"                 # or tag = "b9000", or commit = "<40 hex>"; without any of them, HEAD

[outputs.rocm]
type = "rocm"
prefix = "{rocm_prefix}"

[outputs.llama]
type = "llama"
backend = "hip"                     # or "cpu"
prefix = "{llama_prefix}"

[outputs.llama.cmake]
# rocWMMA makes flash attention several times slower at long context on gfx1151, so it is off, and said to be.
GGML_HIP_ROCWMMA_FATTN = false

[outputs.runtime]                   # the parts of ROCm that these programs need
type = "runtime"
roots = ["llama-bench", "llama-cli", "llama-server"]
"#
    )
}
