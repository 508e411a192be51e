//! The shared libraries of the demo's ROCm tree, with their dependencies and search paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::nightly::Nightly;
use crate::elf_maker::Elf;
use crate::error::{Error, Result};

/// One shared library.
pub(super) struct Library {
    /// The directory of the file.
    pub directory: &'static str,
    /// Such as `libamdhip64.so.7`.
    pub soname: &'static str,
    /// The rest of the file name after the soname, such as `.13.0`; empty if the soname is the file name.
    suffix: &'static str,
    runpath: &'static str,
    needed: &'static [&'static str],
    source: &'static str,
    /// True if each nightly has another build of it.
    varies: bool,
}

const SYSDEPS: &str = "lib/rocm_sysdeps/lib";
const FROM_LIB: &str = "$ORIGIN:$ORIGIN/rocm_sysdeps/lib:$ORIGIN/host-math/lib";

const fn library(soname: &'static str, suffix: &'static str, needed: &'static [&'static str]) -> Library {
    Library { directory: "lib", soname, suffix, runpath: FROM_LIB, needed, source: "", varies: false }
}

const fn sysdep(soname: &'static str, needed: &'static [&'static str]) -> Library {
    Library { directory: SYSDEPS, runpath: "$ORIGIN", ..library(soname, "", needed) }
}

/// All libraries, each after those that it needs.
#[rustfmt::skip]
pub(super) const LIBRARIES: &[Library] = &[
    sysdep("librocm_sysdeps_z.so.1", &[]),
    sysdep("librocm_sysdeps_zstd.so.1", &[]),
    sysdep("librocm_sysdeps_elf.so.1", &["librocm_sysdeps_z.so.1", "librocm_sysdeps_zstd.so.1"]),
    sysdep("librocm_sysdeps_drm.so.2", &[]),
    sysdep("librocm_sysdeps_drm_amdgpu.so.1", &["librocm_sysdeps_drm.so.2"]),
    sysdep("librocm_sysdeps_numa.so.1", &[]),
    Library {
        directory: "lib/host-math/lib",
        runpath: "$ORIGIN:$ORIGIN/../../rocm_sysdeps/lib",
        ..library("librocm-openblas.so.0", "", &["librocm_sysdeps_numa.so.1"])
    },
    library("librocm_kpack.so.0", ".1.0", &["librocm_sysdeps_zstd.so.1"]),
    library("librocprofiler-register.so.0", ".6.0", &[]),
    // No file names this one in DT_NEEDED or in a constant.
    library("libhsa-amd-aqlprofile64.so.1", ".0", &["librocm_sysdeps_elf.so.1"]),
    Library {
        source: include_str!("../templates/rocm/hsa-runtime64.c"),
        ..library("libhsa-runtime64.so.1", ".18.0", &[
            "librocm_sysdeps_elf.so.1", "librocm_sysdeps_drm.so.2", "librocm_sysdeps_drm_amdgpu.so.1",
            "librocm_sysdeps_numa.so.1", "librocm_sysdeps_z.so.1", "librocm_sysdeps_zstd.so.1",
            "librocprofiler-register.so.0",
        ])
    },
    Library {
        source: include_str!("../templates/rocm/amd_comgr.c"),
        varies: true,
        ..library("libamd_comgr.so.3", ".0", &["librocm_sysdeps_z.so.1", "librocm_sysdeps_zstd.so.1"])
    },
    library("libhiprtc-builtins.so.7", ".0", &[]),
    // No file has this one in DT_NEEDED.
    Library {
        source: include_str!("../templates/rocm/hiprtc.c"),
        ..library("libhiprtc.so.7", ".0", &["libamd_comgr.so.3"])
    },
    Library {
        source: include_str!("../templates/rocm/amdhip64.c"),
        varies: true,
        ..library("libamdhip64.so.7", "", &[
            "libamd_comgr.so.3", "libhsa-runtime64.so.1", "librocprofiler-register.so.0", "librocm_kpack.so.0",
        ])
    },
    library("libroctx64.so.4", ".1.0", &[]),
    library("librocm_smi64.so.7", ".8.0", &["librocm_sysdeps_drm.so.2"]),
    library("librocroller.so.1", ".0.0", &[]),
    library("liborigami.so.1", ".0.0", &[]),
    library("libtensilelite-host.so.1", ".0.0", &["libamdhip64.so.7"]),
    Library {
        source: include_str!("../templates/rocm/hipblaslt.c"),
        varies: true,
        ..library("libhipblaslt.so.1", ".2", &[
            "libamdhip64.so.7", "librocroller.so.1", "liborigami.so.1", "librocm-openblas.so.0",
            "libtensilelite-host.so.1",
        ])
    },
    Library {
        source: include_str!("../templates/rocm/librocblas.c"),
        varies: true,
        ..library("librocblas.so.5", ".2", &[
            "libamdhip64.so.7", "libhipblaslt.so.1", "libroctx64.so.4", "librocm_smi64.so.7",
        ])
    },
    library("librocsolver.so.0", ".8.0", &["librocblas.so.5", "libamdhip64.so.7"]),
    Library {
        source: include_str!("../templates/rocm/libhipblas.c"),
        ..library("libhipblas.so.3", ".2", &["librocblas.so.5", "librocsolver.so.0"])
    },
    // No llama.cpp needs these.
    library("librocfft.so.0", ".1.40", &["libamdhip64.so.7"]),
    library("librocsparse.so.1", ".1", &["libamdhip64.so.7"]),
    library("libMIOpen.so.1", ".0", &["librocblas.so.5", "libhiprtc.so.7"]),
    Library {
        directory: "lib/rocprofiler-sdk/tools",
        runpath: "$ORIGIN/../..:$ORIGIN/../../rocm_sysdeps/lib",
        ..library("librocprofiler-tool.so.1", ".0", &["libhsa-runtime64.so.1"])
    },
];

/// A library that came in September 2026, at which hand-kept lists broke, and the date from which on it is there.
const NEWCOMER: (&str, u32) = ("libtensilelite-host.so.1", 20_260_901);

impl Library {
    /// Returns the name of the development link: `libamdhip64.so`.
    pub fn link_name(&self) -> &'static str {
        self.soname.split_inclusive(".so").next().unwrap_or(self.soname)
    }

    /// Returns the file name: `libamdhip64.so.7.13.60515`.
    pub fn file_name(&self, nightly: &Nightly) -> String {
        if self.soname == "libamdhip64.so.7" {
            return format!("libamdhip64.so.{}", hip_version(nightly));
        }
        format!("{}{}", self.soname, self.suffix)
    }

    /// Returns the prefix of its C names: `amdhip64`.
    fn identifier(&self) -> String {
        let name = self.link_name().trim_start_matches("lib").trim_end_matches(".so");
        name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    }
}

/// Returns the version in the file name of libamdhip64: the soname stayed at 7 while releases went on to 10.
pub(super) fn hip_version(nightly: &Nightly) -> String {
    let (major, minor) = nightly.major_minor();
    let minor = if major > 7 { 20 + minor } else { minor };
    format!("7.{minor}.{}", nightly.date() % 1_000_000)
}

/// Returns the macros that tell the C sources about the nightly.
pub(super) fn defines(nightly: &Nightly) -> String {
    let broken = if nightly.broken { "#define BROKEN 1\n" } else { "" };
    format!(
        "#define TARGET \"{}\"\n#define VERSION \"{}\"\n#define VERSION_NUMBER {}\n{broken}",
        nightly.target,
        nightly.version,
        u64::from(nightly.major_minor().0) * 10_000_000 + u64::from(nightly.major_minor().1) * 100_000
    )
}

/// Libraries with their bytes, by soname.
pub(super) type Made = BTreeMap<&'static str, (&'static Library, Arc<[u8]>)>;

/// Makes all libraries of a nightly.
pub(super) fn make_all(nightly: &Nightly) -> Result<Made> {
    let is_there = |soname: &str| soname != NEWCOMER.0 || nightly.date() >= NEWCOMER.1;
    let mut made = Made::new();
    for library in LIBRARIES.iter().filter(|library| is_there(library.soname)) {
        let mut needed = Vec::new();
        let (mut externs, mut sum) = (String::new(), String::from("1"));
        for soname in library.needed.iter().copied().filter(|soname| is_there(soname)) {
            let (other, bytes) = made.get(soname).ok_or_else(|| Error::failure(format!("{soname} is not made yet")))?;
            externs += &["extern int ", &other.identifier(), "_check(void);\n"].concat();
            sum += &[" + ", &other.identifier(), "_check()"].concat();
            needed.push((soname.to_owned(), Arc::clone(bytes)));
        }
        let identifier = library.identifier();
        let mut source = if library.varies {
            format!(
                "{}const char {identifier}_build[] = \"{} {}\";\n",
                defines(nightly),
                nightly.version,
                nightly.variation
            )
        } else {
            format!("#define TARGET \"{}\"\n", nightly.target)
        };
        source +=
            &[library.source, "\n", &externs, "int ", &identifier, "_check(void) { return ", &sum, "; }\n"].concat();
        let elf =
            Elf { soname: Some(library.soname.to_owned()), runpath: Some(library.runpath.to_owned()), source, needed };
        made.insert(library.soname, (library, elf.make()?));
    }
    Ok(made)
}

/// Makes a build of one library for newer processors, which ld.so prefers on those. Returns its path and bytes.
pub(super) fn make_newer() -> Result<(String, Arc<[u8]>)> {
    const SONAME: &str = "librocm_sysdeps_numa.so.1";
    let source = "const int level = 3;\nint rocm_sysdeps_numa_check(void) { return 1; }\n".to_owned();
    let elf = Elf { soname: Some(SONAME.to_owned()), runpath: None, source, needed: Vec::new() };
    Ok((format!("{SYSDEPS}/glibc-hwcaps/x86-64-v3/{SONAME}"), elf.make()?))
}
