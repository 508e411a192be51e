//! Paths of a project's files.

use std::path::{Path, PathBuf};

use crate::cli::paths::path;
use crate::store::project_of;

/// Manifest and lock, if the command line names them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Project {
    /// Manifest [default: manifests/strix.toml here or in a directory above]
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_MANIFEST")]
    manifest: Option<PathBuf>,
    /// Lock [default: lock/NAME.lock for manifests/NAME.toml]
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_LOCK")]
    lock: Option<PathBuf>,
}

impl Project {
    /// Returns the path of a new manifest. Does not search the directories above.
    pub fn new_manifest_path(&self) -> PathBuf {
        self.manifest.clone().unwrap_or_else(|| PathBuf::from(USUAL))
    }

    /// Returns the manifest's path.
    pub fn manifest_path(&self) -> PathBuf {
        self.manifest.clone().unwrap_or_else(|| {
            let usual = Path::new(USUAL);
            let here = std::env::current_dir().unwrap_or_default();
            let above = here.ancestors().skip(1).map(|directory| directory.join(usual)).find(|path| path.is_file());
            if usual.is_file() { usual.to_path_buf() } else { above.unwrap_or_else(|| usual.to_path_buf()) }
        })
    }

    /// Returns the directory of the manifest. Paths in the manifest are relative to it.
    pub fn manifest_directory(&self) -> PathBuf {
        self.manifest_path().parent().unwrap_or(Path::new("")).to_path_buf()
    }

    /// Returns the directory that holds `manifests/` and `lock/`.
    pub fn directory(&self) -> PathBuf {
        let directory = self.manifest_directory();
        if directory.file_name().is_some_and(|name| name == "manifests") {
            directory.parent().map_or_else(PathBuf::new, Path::to_path_buf)
        } else {
            directory
        }
    }

    /// Returns true if the command line names the lock, which then need not belong to the manifest.
    pub fn names_lock(&self) -> bool {
        self.lock.is_some()
    }

    /// Returns the lock's path.
    pub fn lock_path(&self) -> PathBuf {
        self.lock.clone().unwrap_or_else(|| self.usual_lock_path())
    }

    fn usual_lock_path(&self) -> PathBuf {
        let manifest = self.manifest_path();
        // `with_extension` would cut a name at a dot of its own.
        let mut name = manifest.file_stem().unwrap_or("strix".as_ref()).to_owned();
        name.push(".lock");
        self.directory().join("lock").join(name)
    }

    /// Returns the paths by which a store may know this project. A new profile belongs to the first.
    pub fn places(&self) -> Vec<PathBuf> {
        let (manifest, lock, usual) = (self.manifest_path(), self.lock_path(), self.usual_lock_path());
        // A lock that is named without a manifest may be known by its usual manifest.
        let mut name = lock.file_stem().unwrap_or_default().to_owned();
        name.push(".toml");
        let of_lock = project_of(&lock).join("manifests").join(name);
        if manifest.is_file() { vec![manifest, usual, lock, of_lock] } else { vec![lock, of_lock, usual, manifest] }
    }
}

/// Usual path of the manifest in a project.
const USUAL: &str = "manifests/strix.toml";
