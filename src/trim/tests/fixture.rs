//! Makes the two trees with the machine's compiler.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::digest::Sha256Digest;
use crate::elf::testing::cc;
use crate::error::Result;
use crate::gfx::GfxTarget;
use crate::manifest::known_edges;
use crate::recipe::Edge;
use crate::tree::{Entry, Listing, Node};
use crate::trim::{Mounted, Request, Trimmed, trim};

/// Two trees at `opt/llama` and `opt/rocm` of a temporary directory, with the files of a test.
pub(super) struct Fixture {
    dir: tempfile::TempDir,
    root: PathBuf,
    /// The known edges, and those of the test.
    pub edges: Vec<Edge>,
    /// The GPUs: gfx1151, and those of the test.
    pub targets: Vec<GfxTarget>,
}

/// A file to compile. The default is a library without a name and without needs.
#[derive(Clone, Default)]
pub(super) struct Made<'a> {
    /// A program rather than a library.
    pub program: bool,
    pub soname: &'a str,
    pub needs: &'a [&'a str],
    pub runpath: &'a str,
    pub rpath: &'a str,
    /// Text constants.
    pub names: &'a [&'a str],
    pub kpack: &'a [&'a str],
    /// More options of the linker.
    pub linker: &'a [&'a str],
    /// Symbol versions that the file defines, each with a symbol of that name in lower case.
    pub versions: &'a [&'a str],
    /// Libraries that the file needs, each with the wanted symbol version.
    pub wants: &'a [(&'a str, &'a str)],
}

impl Fixture {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(dir.path()).unwrap();
        for tree in ["opt/llama/bin", "opt/rocm/lib"] {
            fs_err::create_dir_all(root.join(tree)).unwrap();
        }
        Self { dir, root, edges: known_edges().unwrap().to_vec(), targets: vec!["gfx1151".parse().unwrap()] }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join("opt").join(path)
    }

    /// Compiles a file at `path`, such as `rocm/lib/libx.so.1`. Its needs do not have to exist.
    pub fn make(&self, path: &str, made: &Made) -> &Self {
        let mut arguments: Vec<String> = vec!["-Wl,-z,norelro".into()];
        arguments.push(if made.program { "-Wl,-e,main".into() } else { "-shared".into() });
        if !made.soname.is_empty() {
            arguments.push(format!("-Wl,-soname,{}", made.soname));
        }
        for (tags, directories) in [("enable", made.runpath), ("disable", made.rpath)] {
            if !directories.is_empty() {
                arguments.push(format!("-Wl,--{tags}-new-dtags,-rpath,{directories}"));
            }
        }
        arguments.extend(made.linker.iter().map(|option| (*option).to_owned()));
        arguments.extend(made.needs.iter().map(|name| self.stub(name)));
        let mut code = String::from("int main(void) { return 0; }\n");
        for (library, version) in made.wants {
            arguments.push(self.versioned_stub(library, version));
            let name = version.to_lowercase();
            writeln!(code, "int {name}(void); int use_{name}(void) {{ return {name}(); }}").unwrap();
        }
        if !made.versions.is_empty() {
            arguments.push(self.version_script(made.versions));
        }
        made.versions.iter().for_each(|version| code.push_str(&defined(version)));
        for (index, name) in made.names.iter().enumerate() {
            writeln!(code, "const char name{index}[] = \"{name}\";").unwrap();
        }
        for (index, reference) in made.kpack.iter().enumerate() {
            let section = "__attribute__((section(\".rocm_kpack_ref\")))";
            writeln!(code, "{section} const char ref{index}[] = \"{reference}\";").unwrap();
        }
        if !made.program {
            code = code.replace("main", "call");
        }
        cc(&self.path(path), &code, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        self
    }

    /// Returns a library that has only a name, for linking.
    fn stub(&self, name: &str) -> String {
        let path = self.dir.path().join("stubs").join(name);
        if !path.exists() {
            cc(&path, "", &["-shared", "-nostdlib", &format!("-Wl,-soname,{name}")]);
        }
        path.display().to_string()
    }

    /// Returns a library that has only a name and this version, for linking.
    fn versioned_stub(&self, name: &str, version: &str) -> String {
        let path = self.dir.path().join("stubs").join(version).join(name);
        let soname = format!("-Wl,-soname,{name}");
        cc(&path, &defined(version), &["-shared", "-nostdlib", &soname, &self.version_script(&[version])]);
        path.display().to_string()
    }

    fn version_script(&self, versions: &[&str]) -> String {
        let path = self.dir.path().join("versions");
        let text = |version: &&str| format!("{version} {{ {}; }};\n", version.to_lowercase());
        fs_err::write(&path, versions.iter().map(text).collect::<String>()).unwrap();
        format!("-Wl,--version-script={}", path.display())
    }

    pub fn library(&self, path: &str, needs: &[&str], runpath: &str) -> &Self {
        let soname = path.rsplit('/').next().unwrap();
        self.make(path, &Made { soname, needs, runpath, ..Made::default() })
    }

    /// Compiles the program `llama-server`.
    pub fn server(&self, needs: &[&str]) -> &Self {
        let runpath = "$ORIGIN/../lib";
        self.make("llama/bin/llama-server", &Made { program: true, needs, runpath, ..Made::default() })
    }

    pub fn link(&self, path: &str, target: &str) -> &Self {
        fs_err::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        symlink(target, self.path(path)).unwrap();
        self
    }

    pub fn file(&self, path: &str) -> &Self {
        fs_err::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs_err::write(self.path(path), path).unwrap();
        self
    }

    /// Trims for gfx1151 with the trees at /opt/llama and /opt/rocm.
    pub fn trim(&self) -> Result<Trimmed> {
        self.trim_at("/opt/rocm", "/opt/llama")
    }

    /// Trims for gfx1151 with the trees at these prefixes.
    pub fn trim_at(&self, rocm: &str, llama: &str) -> Result<Trimmed> {
        self.trim_with(rocm, llama, None)
    }

    /// Trims for gfx1151, with the tree at `opt/base` as the base system.
    pub fn trim_on_base(&self) -> Result<Trimmed> {
        let (dir, listing) = (self.path("base"), listing(&self.path("base")));
        self.trim_with("/opt/rocm", "/opt/llama", Some(Mounted { dir: &dir, listing: &listing, prefix: "" }))
    }

    fn trim_with(&self, rocm: &str, llama: &str, base: Option<Mounted>) -> Result<Trimmed> {
        let (rocm_dir, llama_dir) = (self.path("rocm"), self.path("llama"));
        let (rocm_listing, llama_listing) = (listing(&rocm_dir), listing(&llama_dir));
        trim(&Request {
            rocm: Mounted { dir: &rocm_dir, listing: &rocm_listing, prefix: rocm },
            llama: Mounted { dir: &llama_dir, listing: &llama_listing, prefix: llama },
            roots: &["llama-server".to_owned()],
            targets: &self.targets,
            edges: &self.edges,
            base,
        })
    }

    /// Returns the names of the kept ROCm files.
    pub fn kept(&self) -> Vec<String> {
        self.trim().unwrap().kept.keys().map(|path| String::from_utf8(path.clone()).unwrap()).collect()
    }

    /// Returns the error as it is shown.
    pub fn refusal(&self) -> String {
        self.trim().unwrap_err().to_string()
    }
}

/// Returns the definition of a version's symbol.
fn defined(version: &str) -> String {
    format!("int {}(void) {{ return 0; }}\n", version.to_lowercase())
}

/// Returns the listing of a directory.
pub(super) fn listing(dir: &Path) -> Listing {
    use std::os::unix::ffi::OsStrExt as _;
    let mut entries = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs_err::symlink_metadata(&path).unwrap();
            let node = if meta.is_dir() {
                open.push(path.clone());
                Node::Directory
            } else if meta.is_symlink() {
                Node::Link { target: fs_err::read_link(&path).unwrap().as_os_str().as_bytes().to_vec() }
            } else {
                let digest = Sha256Digest::of(&fs_err::read(&path).unwrap());
                Node::File { executable: meta.permissions().mode() & 0o100 != 0, size: meta.len(), digest }
            };
            entries.push(Entry { path: path.strip_prefix(dir).unwrap().as_os_str().as_bytes().to_vec(), node });
        }
    }
    Listing::new(entries)
}
