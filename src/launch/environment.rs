//! The environment that a program of the store runs in, on this machine and without a sandbox.
//!
//! The build's own search paths lead to the places where its parts are meant to stand, such as `/opt/rocm`, and there
//! the machine may have another ROCm. `LD_LIBRARY_PATH` is searched before them (they are `DT_RUNPATH`), and the
//! trees in the store are all that is in it. The libraries find kernels, GPU code and device libraries beside
//! themselves, so no variable has to lead there, and none of the caller may: `HIPBLASLT_TENSILE_LIBPATH`, for one,
//! means another directory in each release. A Vulkan runtime is named by variables, which the Vulkan loader and the
//! drivers read; the machine's drivers and layers are not looked for.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::recipe::image::{BITCODE, Prefixes};
use crate::recipe::vulkan::VulkanPart;

/// Beginnings of the names of variables that change what the loader or ROCm loads, or which GPU it sees.
const CLEARED: [&str; 25] = [
    // The loader of glibc: LD_PRELOAD, LD_AUDIT and others.
    "LD_",
    // ROCm and its libraries.
    "AMDGPU_",
    "AMD_",
    "GPU_",
    "HCC_",
    "HIP",
    "HSA_",
    "MIOPEN_",
    "ORIGAMI_",
    "RCCL_",
    "ROCBLAS_",
    "ROCFFT_",
    "ROCM_",
    "ROCP",
    "ROCRAND_",
    "ROCR_",
    "ROCSOLVER_",
    "ROCSPARSE_",
    "ROCTRACER_",
    "ROCTX",
    "ROCWMMA_",
    "TENSILE",
    // The Vulkan loader, with its layers, and Mesa's drivers.
    "VK_",
    "RADV_",
    "LP_",
];

/// Further variables with such an effect: HIP reads CUDA's choice of devices, and llama.cpp loads the backend that is
/// named.
const CLEARED_NAMES: [&str; 9] = [
    "CUDA_VISIBLE_DEVICES",
    "DEVICE_LIB_PATH",
    "DRIRC_CONFIGDIR",
    "GGML_BACKEND_PATH",
    "LLVM_PATH",
    "MESA_LOADER_DRIVER_OVERRIDE",
    "MESA_VK_DEVICE_SELECT",
    "OCL_ICD_VENDORS",
    "OPENCL_VENDOR_PATH",
];

/// The usual `PATH` of a caller that has none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The environment of an output's programs, as far as it does not depend on the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The directories of its programs.
    path: Vec<String>,
    variables: BTreeMap<String, String>,
    /// The directory of all trees of the store.
    trees: PathBuf,
}

/// The trees whose programs run together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trees<'a> {
    /// The build.
    pub llama: Option<&'a Path>,
    /// ROCm, whole or trimmed.
    pub rocm: Option<&'a Path>,
    /// True for a whole ROCm tree, with its compilers.
    pub compilers: bool,
    /// The Vulkan runtime, with its drivers.
    pub vulkan: Option<(&'a Path, &'a [String])>,
}

/// The changes that turn the environment of a caller into that of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Variables that get a value.
    pub set: BTreeMap<String, OsString>,
    /// Variables of the caller that are removed.
    pub unset: Vec<OsString>,
}

impl Environment {
    /// Returns the environment for these trees of a store, which all lie below `trees`.
    pub fn new(trees: &Path, parts: &Trees) -> Result<Self> {
        let has_bitcode = parts.rocm.is_some_and(|rocm| rocm.join(BITCODE).is_dir());
        let (llama, rocm) = (parts.llama.map(searchable).transpose()?, parts.rocm.map(searchable).transpose()?);
        let vulkan = match parts.vulkan {
            Some((tree, drivers)) => Some(VulkanPart { prefix: searchable(tree)?, drivers }),
            None => None,
        };
        let prefixes = Prefixes { rocm, llama, vulkan };
        let variables = prefixes.variables(has_bitcode);
        Ok(Self { path: prefixes.programs(parts.compilers), variables, trees: trees.to_path_buf() })
    }

    /// Returns what has to change in the environment of a caller. All else, such as `HOME` and the settings of
    /// llama.cpp, stays.
    pub fn changes(&self, caller: impl IntoIterator<Item = (OsString, OsString)>) -> Changes {
        let caller: BTreeMap<OsString, OsString> = caller.into_iter().collect();
        let mut set: BTreeMap<String, OsString> =
            self.variables.iter().map(|(name, value)| (name.clone(), value.into())).collect();
        set.insert("PATH".to_owned(), self.search_path(caller.get(OsStr::new("PATH"))));
        let is_set = |name: &OsStr| name.to_str().is_some_and(|name| set.contains_key(name));
        let unset = caller.into_keys().filter(|name| is_cleared(name) && !is_set(name)).collect();
        Changes { set, unset }
    }

    /// Returns the value of `PATH`: the programs of the trees, then what the caller has, without trees of the store
    /// and without the ROCm of the machine.
    fn search_path(&self, callers: Option<&OsString>) -> OsString {
        let callers = callers.map_or(OsStr::new(USUAL_PATH), OsString::as_os_str);
        let others = callers.as_bytes().split(|byte| *byte == b':').filter(|entry| {
            let path = Path::new(OsStr::from_bytes(entry));
            !path.starts_with(&self.trees) && !is_rocm_of_machine(path)
        });
        let all: Vec<&[u8]> = self.path.iter().map(String::as_bytes).chain(others).collect();
        OsString::from_vec(all.join(&b':'))
    }
}

impl Changes {
    /// Returns the environment of a program that a caller with this environment starts.
    pub fn apply(&self, caller: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<OsString, OsString> {
        let mut all: BTreeMap<OsString, OsString> = caller.into_iter().collect();
        all.retain(|name, _| !self.unset.contains(name));
        all.extend(self.set.iter().map(|(name, value)| (name.into(), value.clone())));
        all
    }
}

fn is_cleared(name: &OsStr) -> bool {
    let name = name.as_bytes();
    CLEARED.iter().any(|start| name.starts_with(start.as_bytes()))
        || CLEARED_NAMES.iter().any(|known| name == known.as_bytes())
}

/// Returns true for `/opt/rocm`, `/opt/rocm-6.4.1` and what is below them.
fn is_rocm_of_machine(path: &Path) -> bool {
    let first = path.strip_prefix("/opt").ok().and_then(|below| below.iter().next());
    first.is_some_and(|name| name == "rocm" || name.as_bytes().starts_with(b"rocm-"))
}

/// Returns a directory as it can stand in a search path.
fn searchable(tree: &Path) -> Result<&str> {
    tree.to_str().filter(|path| !path.contains([':', ';', '\n'])).ok_or_else(|| {
        Error::new(
            Kind::Invalid,
            "programs in this store cannot find their libraries: its path has `:`, `;` or odd characters",
        )
        .fact("path", tree.display())
        .hint("choose another place with --store, and realize there")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn environment() -> Environment {
        let (llama, rocm) = (Path::new("/s/trees/1/tree"), Path::new("/s/trees/2/tree"));
        let trees = Trees { llama: Some(llama), rocm: Some(rocm), ..Trees::default() };
        Environment::new(Path::new("/s/trees"), &trees).unwrap()
    }

    #[test]
    fn the_variables_lead_to_the_trees() {
        let set = environment().changes(caller(&[("PATH", "/usr/bin")])).set;
        let found: Vec<_> = set.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(
            found,
            [
                ("HIP_PATH", "/s/trees/2/tree"),
                ("HIP_PLATFORM", "amd"),
                ("LD_LIBRARY_PATH", "/s/trees/1/tree/lib:/s/trees/2/tree/lib"),
                ("PATH", "/s/trees/1/tree/bin:/s/trees/2/tree/bin:/usr/bin"),
                ("ROCM_PATH", "/s/trees/2/tree"),
            ]
        );
    }

    #[test]
    fn what_the_loader_and_rocm_read_is_not_the_caller_s() {
        let hostile = [
            "LD_PRELOAD",
            "LD_AUDIT",
            "ROCM_HOME",
            "HIPCC_COMPILE_FLAGS_APPEND",
            "HIP_DEVICE_LIB_PATH",
            "HSA_OVERRIDE_GFX_VERSION",
            "ROCBLAS_TENSILE_LIBPATH",
            "HIPBLASLT_TENSILE_LIBPATH",
            "CUDA_VISIBLE_DEVICES",
            "GGML_BACKEND_PATH",
        ];
        let kept = ["HOME", "LANG", "LLAMA_ARG_PORT", "GGML_CUDA_ENABLE_UNIFIED_MEMORY", "ROCKET", "GPUS"];
        let all = hostile.iter().chain(&kept).chain(&["LD_LIBRARY_PATH", "ROCM_PATH"]);
        let all: Vec<_> = all.map(|name| (OsString::from(name), OsString::from("/evil"))).collect();
        let changes = environment().changes(all.clone());
        assert_eq!(changes.unset.len(), hostile.len(), "{:?}", changes.unset);
        let after = changes.apply(all);
        for name in hostile {
            assert_eq!(after.get(OsStr::new(name)), None, "{name}");
        }
        for name in kept {
            assert_eq!(after[OsStr::new(name)], "/evil", "{name}");
        }
        assert_eq!(after[OsStr::new("ROCM_PATH")], "/s/trees/2/tree");
    }

    #[test]
    fn drivers_and_layers_of_the_machine_are_not_looked_for() {
        let drivers = ["radeon".to_owned()];
        let (llama, vulkan) = (Path::new("/s/trees/1/tree"), Path::new("/s/trees/3/tree"));
        let trees = Trees { llama: Some(llama), vulkan: Some((vulkan, &drivers)), ..Trees::default() };
        let environment = Environment::new(Path::new("/s/trees"), &trees).unwrap();
        let foreign = ["VK_LAYER_PATH", "VK_INSTANCE_LAYERS", "VK_ADD_DRIVER_FILES", "RADV_DEBUG", "LP_NUM_THREADS"];
        let callers: Vec<_> = foreign.iter().map(|name| (OsString::from(name), OsString::from("/evil"))).collect();
        let changes = environment.changes(callers.clone());
        assert_eq!(changes.unset.len(), foreign.len(), "{:?}", changes.unset);
        assert_eq!(changes.set["LD_LIBRARY_PATH"], "/s/trees/1/tree/lib:/s/trees/3/tree/lib");
        assert_eq!(changes.set["VK_DRIVER_FILES"], "/s/trees/3/tree/share/vulkan/icd.d/radeon_icd.json");
        assert_eq!(changes.set["VK_LOADER_LAYERS_DISABLE"], "~all~");
        let after = changes.apply(callers.into_iter().chain(caller(&[("GGML_VK_VISIBLE_DEVICES", "1")])));
        assert_eq!(after[OsStr::new("GGML_VK_VISIBLE_DEVICES")], "1", "settings of llama.cpp stay");
    }

    #[test]
    fn applied_twice_it_changes_nothing() {
        let environment = environment();
        let first = caller(&[("PATH", "/opt/rocm/bin:/opt/rocm-6.4/bin:/home/me/bin::/opt/rocmx"), ("A", "b")]);
        let once = environment.changes(first.clone()).apply(first);
        assert_eq!(once[OsStr::new("PATH")], "/s/trees/1/tree/bin:/s/trees/2/tree/bin:/home/me/bin::/opt/rocmx");
        assert_eq!(environment.changes(once.clone()).apply(once.clone()), once);
        let without = environment.changes(Vec::new()).set;
        assert_eq!(without["PATH"], "/s/trees/1/tree/bin:/s/trees/2/tree/bin:/usr/local/bin:/usr/bin:/bin");
    }

    #[test]
    fn a_path_that_no_search_path_can_hold_is_refused() {
        for path in ["/a:b", "/a;b", "/a\nb"] {
            let trees = Trees { llama: Some(Path::new(path)), ..Trees::default() };
            assert!(Environment::new(Path::new("/"), &trees).is_err(), "{path}");
        }
    }
}
