//! The contents of a ROCm nightly in miniature: the layout, the links, the kernels beside the libraries, and the
//! unneeded bulk.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::libraries::{self, Library, hip_version};
use super::nightly::Nightly;
use crate::digest::Sha256Digest;
use crate::elf_maker::Elf;
use crate::error::Result;
use crate::noise;

/// The contents of a file.
#[derive(Clone)]
pub enum Bytes {
    /// These bytes.
    Held(Arc<[u8]>),
    /// Pseudo-random bytes.
    Noise {
        /// The seed.
        seed: u64,
        /// The number of bytes.
        length: u64,
    },
}

/// The object at a path.
#[derive(Clone)]
pub enum Node {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Its contents.
        bytes: Bytes,
        /// True for mode 0755, false for 0644.
        executable: bool,
    },
    /// A symbolic link.
    Link(String),
    /// A second name of the file at this path.
    SameAs(String),
}

/// A tree by path, parents included.
#[derive(Default)]
pub struct RocmTree(BTreeMap<String, Node>);

/// Returns the GPUs that a nightly is for.
fn targets(nightly: &Nightly) -> Vec<&str> {
    std::iter::once(&nightly.target).chain(&nightly.more).map(String::as_str).collect()
}

/// Largest piece of a payload, in bytes.
const PIECE: u64 = 64 << 20;

impl RocmTree {
    /// Makes the tree of a nightly. Fails if the compiler does.
    pub fn of(nightly: &Nightly) -> Result<Self> {
        let mut tree = Self::default();
        tree.provenance(nightly);
        tree.libraries(nightly)?;
        tree.programs(nightly)?;
        tree.development(nightly);
        tree.kernels(nightly);
        tree.compiler();
        tree.bulk(nightly);
        Ok(tree)
    }

    /// Returns all entries, parents before children.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, Node> {
        &self.0
    }

    fn add(&mut self, path: &str, node: Node) {
        for (index, _) in path.match_indices('/') {
            self.0.entry(path[..index].to_owned()).or_insert(Node::Directory);
        }
        self.0.insert(path.to_owned(), node);
    }

    fn file(&mut self, path: &str, bytes: impl AsRef<[u8]>) {
        self.add(path, Node::File { bytes: Bytes::Held(bytes.as_ref().into()), executable: false });
    }

    fn program(&mut self, path: &str, bytes: impl AsRef<[u8]>) {
        self.add(path, Node::File { bytes: Bytes::Held(bytes.as_ref().into()), executable: true });
    }

    fn noise(&mut self, path: &str, number: u64, length: u64) {
        let bytes = Bytes::Noise { seed: noise::seed(number, path), length };
        self.add(path, Node::File { bytes, executable: false });
    }

    fn link(&mut self, path: &str, target: &str) {
        self.add(path, Node::Link(target.to_owned()));
    }

    fn provenance(&mut self, nightly: &Nightly) {
        let commit =
            |name: &str| Sha256Digest::of(format!("{name} {}", nightly.version).as_bytes()).hex()[..40].to_owned();
        let submodule = |name: &str, organisation: &str| {
            serde_json::json!({
                "submodule_name": name,
                "submodule_url": format!("https://github.com/{organisation}/{name}.git"),
                "pin_sha": commit(name),
                "patches": [],
            })
        };
        let manifest = serde_json::json!({
            "the_rock_commit": commit("TheRock"),
            "github_run_id": (17_000_000_000 + u64::from(nightly.date())).to_string(),
            "rocm_version": nightly.base(),
            "rocm_package_version": nightly.version,
            "submodules": [
                submodule("llvm-project", "ROCm"),
                submodule("rocm-libraries", "ROCm"),
                submodule("rocm-systems", "ROCm"),
            ],
            "flags": { "KPACK_SPLIT_ARTIFACTS": true },
        });
        self.file("share/therock/therock_manifest.json", format!("{manifest:#}\n"));
        let info = serde_json::json!({ "dist_amdgpu_targets": targets(nightly).join(";") });
        self.file("share/therock/dist_info.json", format!("{info:#}\n"));
        self.file(".info/version", format!("{}\n", nightly.base()));
    }

    fn libraries(&mut self, nightly: &Nightly) -> Result<()> {
        for (library, bytes) in libraries::make_all(nightly)?.values() {
            let Library { directory, soname, .. } = library;
            let file = library.file_name(nightly);
            self.program(&format!("{directory}/{file}"), bytes);
            if file != *soname {
                self.link(&format!("{directory}/{soname}"), &file);
            }
            self.link(&format!("{directory}/{}", library.link_name()), soname);
        }
        let (path, bytes) = libraries::make_newer()?;
        self.program(&path, bytes);
        Ok(())
    }

    fn programs(&mut self, nightly: &Nightly) -> Result<()> {
        let libraries = libraries::make_all(nightly)?;
        let program = |source: &str, needed: &[&str]| {
            let needed =
                needed.iter().filter_map(|soname| Some(((*soname).to_owned(), Arc::clone(&libraries.get(soname)?.1))));
            let runpath = Some("$ORIGIN/../lib".to_owned());
            let source = format!("{}{source}", libraries::defines(nightly));
            Elf { soname: None, runpath, source, needed: needed.collect() }.make()
        };
        self.program(
            "bin/rocminfo",
            program(include_str!("../templates/rocm/rocminfo.c"), &["libhsa-runtime64.so.1"])?,
        );
        self.program("bin/hipconfig", program(include_str!("../templates/rocm/hipconfig.c"), &[])?);
        self.file("share/hip/version", format!("HIP_VERSION={}\n", hip_version(nightly)));
        self.program("bin/rocm_agent_enumerator", format!("#!/bin/sh\necho {}\n", nightly.target));
        // Two names for one file; the order of the archive decides which comes first.
        self.program("libexec/rocm_smi/rocm_smi.py", "#!/usr/bin/env python3\nprint('no GPU in a demo')\n");
        self.add("bin/rocm-smi-real", Node::SameAs("libexec/rocm_smi/rocm_smi.py".to_owned()));
        self.link("bin/rocm-smi", "../libexec/rocm_smi/rocm_smi.py");
        Ok(())
    }

    fn development(&mut self, nightly: &Nightly) {
        self.file("include/hip/hip_runtime.h", include_str!("../templates/rocm/hip_runtime.h"));
        self.file("include/rocblas/rocblas.h", include_str!("../templates/rocm/rocblas.h"));
        self.file("include/hipblas/hipblas.h", include_str!("../templates/rocm/hipblas.h"));
        let filled = |template: &str| {
            template.replace("@VERSION@", &nightly.base()).replace("@HIP_VERSION@", &hip_version(nightly))
        };
        let version = filled(include_str!("../templates/rocm/hip-config-version.cmake"));
        self.file("lib/cmake/hip/hip-config.cmake", filled(include_str!("../templates/rocm/hip-config.cmake")));
        self.file("lib/cmake/hip/hip-config-version.cmake", &version);
        for library in libraries::LIBRARIES {
            let name = match library.soname {
                "librocblas.so.5" => "rocblas",
                "libhipblas.so.3" => "hipblas",
                _ => continue,
            };
            let config = filled(include_str!("../templates/rocm/blas-config.cmake"))
                .replace("@NAME@", name)
                .replace("@FILE@", &library.file_name(nightly))
                .replace("@SONAME@", library.soname);
            self.file(&format!("lib/cmake/{name}/{name}-config.cmake"), config);
            self.file(&format!("lib/cmake/{name}/{name}-config-version.cmake"), &version);
        }
    }

    fn kernels(&mut self, nightly: &Nightly) {
        let build = noise::seed(nightly.variation, &nightly.version);
        // Per-family tarballs hold one family; the last is a decoy that trimming must drop.
        for target in targets(nightly).into_iter().chain(["gfx1100"]) {
            self.noise(&format!(".kpack/blas_lib_{target}.kpack"), build, 9001);
            let flat = "lib/rocblas/library";
            self.noise(&format!("{flat}/TensileLibrary_lazy_{target}.dat"), 0, 700);
            self.noise(&format!("{flat}/Kernels.so-000-{target}.hsaco"), build, 5000);
            self.noise(&format!("{flat}/Kernels.so-000-{target}-xnack+.hsaco"), 0, 300);
            for (operation, number) in
                [("Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk", 0), ("Type_SS_Contraction_l_Ailk_Bljk_Cijk_Dijk", build)]
            {
                self.noise(&format!("{flat}/{target}/TensileLibrary_{operation}_{target}.co"), number, 3000);
                self.noise(&format!("{flat}/{target}/TensileLibrary_{operation}_{target}.dat"), number, 900);
            }
            // Longer than the 100 bytes that the tar header has for a name.
            let long = "TensileLibrary_Type_HH_HPA_Contraction_l_Alik_Bjlk_Cijk_Dijk_SolutionSpecialised_Experimental";
            self.noise(&format!("{flat}/{target}/{long}_{target}.co"), 0, 1100);
            let lt = format!("lib/hipblaslt/library/{target}");
            self.noise(&format!("{lt}/TensileLibrary_lazy_{target}.dat"), 0, 650);
            self.noise(&format!("{lt}/Kernels.so-000-{target}.hsaco"), build, 4000);
            self.noise(&format!("{lt}/extop_{target}.co"), 0, 800);
        }
        for operation in ["Type_SS_Contraction_l_Ailk_Bljk_Cijk_Dijk", "Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk"] {
            self.noise(&format!("lib/rocblas/library/TensileLibrary_{operation}_fallback.dat"), 0, 500);
        }
        self.noise("lib/hipblaslt/library/hipblasltExtOpLibrary.dat", 0, 400);
    }

    fn compiler(&mut self) {
        let script = include_str!("../templates/rocm/clang.sh");
        self.program("lib/llvm/bin/clang", script.replace("@COMPILER@", "cc"));
        self.program("lib/llvm/bin/clang++", script.replace("@COMPILER@", "c++"));
        self.link("bin/amdclang", "../lib/llvm/bin/clang");
        self.link("bin/amdclang++", "../lib/llvm/bin/clang++");
        self.link("bin/hipcc", "amdclang++");
        for name in
            ["ocml", "ockl", "hip", "opencl", "oclc_isa_version_1151", "oclc_isa_version_1100", "oclc_abi_version_600"]
        {
            self.noise(&format!("lib/llvm/amdgcn/bitcode/{name}.bc"), 0, 600);
        }
        for name in ["oclc_unsafe_math_off", "oclc_finite_only_off", "oclc_wavefrontsize64_off"] {
            self.noise(&format!("lib/llvm/amdgcn/bitcode/{name}.bc"), 0, 150);
        }
        self.link("llvm", "lib/llvm");
        self.link("amdgcn", "lib/llvm/amdgcn");
        self.link("lib64", "lib");
    }

    fn bulk(&mut self, nightly: &Nightly) {
        self.file("share/doc/rocblas/README.md", "# rocBLAS\n\nNot really.\n");
        self.file("share/doc/rocm/configure.txt", "configured in /__w/TheRock/TheRock/build\n");
        self.file("include/rocfft/rocfft.h", "/* nothing */\n");
        self.noise("lib/librocrand_static.a", 0, 7000);
        self.noise("lib/llvm/lib/libLLVMDemo.a", 0, 11_000);
        self.file("lib/rocfft/empty.db", "");
        self.add("share/rocm/plugins", Node::Directory);
        // Half of a payload is the same in every nightly, as most of a real one is.
        let (mut left, mut index) = (nightly.payload, 0_u64);
        while left > 0 {
            let length = if index == 0 { left.min(PIECE).div_ceil(2) } else { left.min(PIECE) };
            let number = if index.is_multiple_of(2) { 0 } else { noise::seed(nightly.variation, &nightly.version) };
            self.noise(&format!("lib/rocfft/library/rocfft_kernels_{index:03}.bin"), number, length);
            left -= length;
            index += 1;
        }
    }
}
