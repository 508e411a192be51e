//! `.toolbox.env`: settings of the shell-script plan, parsed and never executed.
//!
//! Lines are `NAME=value`, with an optional `export` and optional quotes; `#` begins a comment, and the last of several
//! lines with one name counts. A value that a shell would expand is refused, because the shell and this parser would
//! disagree on it. Paths that links must not replace are refused too (see [`crate::realize::place`]).

mod line;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use self::line::invalid;
use crate::error::{Error, Kind, Result};
use crate::export::image_ref;
use crate::gfx::GfxTarget;
use crate::realize::place;
use crate::suggest::nearest;
use crate::upstream::rocm::Platform;

/// Name of the file.
pub const FILE: &str = ".toolbox.env";

/// Maximum size of the file in bytes.
const LARGEST: u64 = 64 * 1024;

/// Settings in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolboxEnv {
    /// `TOOLBOX_NAME`
    pub toolbox_name: Option<String>,
    /// `BASE_IMAGE`
    pub base_image: Option<String>,
    /// `ROCM_HOME`
    pub rocm_home: Option<String>,
    /// `GPU_TARGET`
    pub gpu_target: Option<GfxTarget>,
    /// `BUILD_PLATFORM`, always Linux.
    pub build_platform: Option<Platform>,
    /// `LLAMA_INSTALL_DIR`, or `LLAMA_HOME`
    pub llama_install_dir: Option<String>,
    /// `WORKSPACE_DIR`
    pub workspace_dir: Option<String>,
    /// `NON_INTERACTIVE`
    pub non_interactive: bool,
    /// Notes on lines with unknown settings.
    pub notes: Vec<String>,
}

impl ToolboxEnv {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let problem =
            |error: &dyn std::error::Error| Error::new(Kind::Invalid, "cannot read the settings").because(error);
        let file = fs_err::File::open(path).map_err(|error| problem(&error))?;
        let mut text = String::new();
        file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| problem(&error))?;
        if text.len() as u64 > LARGEST {
            return Err(invalid(&path.display().to_string(), format!("file too large: maximum {LARGEST} bytes")));
        }
        Self::parse(&text, &path.display().to_string(), place::home().as_deref())
    }

    /// Reads the named file, or else that of the project, if it exists.
    pub fn find(named: Option<&Path>, project: &Path) -> Result<Option<Self>> {
        let usual = project.join(FILE);
        match named {
            Some(path) => Self::read(path).map(Some),
            None if usual.is_file() => Self::read(&usual).map(Some),
            None => Ok(None),
        }
    }

    /// Parses the text of a file. Messages name the file by `name`; `home` is the home directory of the user.
    pub fn parse(text: &str, name: &str, home: Option<&Path>) -> Result<Self> {
        let mut parser = Parser { home, ..Parser::default() };
        // Some editors put a byte order mark in front.
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let place = format!("{name}:{}", index + 1);
            if let Some((key, value)) = line::setting(line, &place)? {
                parser.set(key, value.to_owned(), &place)?;
            }
        }
        parser.finish()
    }
}

/// The value of a setting that is a path, with its line.
struct PathSetting {
    path: String,
    line: String,
}

/// Names of all settings.
const NAMES: [&str; 9] = [
    "TOOLBOX_NAME",
    "BASE_IMAGE",
    "ROCM_HOME",
    "GPU_TARGET",
    "BUILD_PLATFORM",
    "LLAMA_INSTALL_DIR",
    "LLAMA_HOME",
    "WORKSPACE_DIR",
    "NON_INTERACTIVE",
];

#[derive(Default)]
struct Parser<'a> {
    env: ToolboxEnv,
    home: Option<&'a Path>,
    rocm_home: Option<PathSetting>,
    llama_install_dir: Option<PathSetting>,
    llama_home: Option<PathSetting>,
}

impl Parser<'_> {
    fn set(&mut self, key: &str, value: String, place: &str) -> Result<()> {
        let refused =
            |fault: &str| invalid(place, format!("invalid directory for {key}: {fault}")).fact("found", &value);
        let path = |hint: &str| match place::fault(Path::new(&value), self.home) {
            Some(fault) => Err(refused(fault).hint(hint)),
            None => Ok(Some(PathSetting { path: tidy(&value), line: place.to_owned() })),
        };
        match key {
            "TOOLBOX_NAME" if !is_container_name(&value) => {
                return Err(invalid(place, "invalid container name in TOOLBOX_NAME")
                    .fact("found", value)
                    .fact("expected", "letters, digits, `_`, `.` and `-`, beginning with a letter or digit"));
            }
            "TOOLBOX_NAME" => self.env.toolbox_name = Some(value),
            "BASE_IMAGE" if !image_ref::is_image(&value) => {
                return Err(invalid(place, "invalid image name in BASE_IMAGE").fact("found", value));
            }
            "BASE_IMAGE" => self.env.base_image = Some(value),
            "ROCM_HOME" => self.rocm_home = path("such as /opt/rocm")?,
            "GPU_TARGET" => self.env.gpu_target = Some(value.parse().map_err(|error: Error| error.about(place))?),
            "BUILD_PLATFORM" => {
                let platform: Platform = value.parse().map_err(|error: Error| error.about(place))?;
                if platform != Platform::Linux {
                    return Err(invalid(place, "unsupported BUILD_PLATFORM: expected linux").fact("found", value));
                }
                self.env.build_platform = Some(platform);
            }
            "LLAMA_INSTALL_DIR" => self.llama_install_dir = path("such as /opt/llama")?,
            "LLAMA_HOME" => self.llama_home = path("such as /opt/llama")?,
            "WORKSPACE_DIR" => match place::workspace_fault(Path::new(&value), self.home) {
                Some(fault) => return Err(refused(fault)),
                None => self.env.workspace_dir = Some(value),
            },
            "NON_INTERACTIVE" => {
                self.env.non_interactive = match value.to_ascii_lowercase().as_str() {
                    "" | "0" | "false" | "no" => false,
                    "1" | "true" | "yes" => true,
                    _ => return Err(invalid(place, "invalid NON_INTERACTIVE: expected 1 or 0").fact("found", value)),
                }
            }
            other => self.env.notes.push(format!("{place}: unknown setting `{other}`{}", suggestion(other))),
        }
        Ok(())
    }

    /// Checks the settings together after all lines were read.
    fn finish(self) -> Result<ToolboxEnv> {
        let llama = self.llama_install_dir.or(self.llama_home);
        if let (Some(rocm), Some(llama)) = (&self.rocm_home, &llama)
            && place::overlap(Path::new(&rocm.path), Path::new(&llama.path))
        {
            return Err(invalid(&llama.line, "the directories of ROCm and llama.cpp overlap")
                .fact("llama.cpp", format!("{}  {}", llama.line, llama.path))
                .fact("ROCm", format!("{}  {}", rocm.line, rocm.path)));
        }
        let path = |setting: Option<PathSetting>| setting.map(|setting| setting.path);
        Ok(ToolboxEnv { rocm_home: path(self.rocm_home), llama_install_dir: path(llama), ..self.env })
    }
}

/// Returns ` (did you mean NAME?)` if the name of a known setting is near.
fn suggestion(unknown: &str) -> String {
    nearest(unknown, NAMES.into_iter()).map_or_else(String::new, |near| format!(" (did you mean {near}?)"))
}

/// Removes a trailing slash, with which a symlink would be followed.
fn tidy(path: &str) -> String {
    Path::new(path).components().collect::<PathBuf>().display().to_string()
}

/// Returns true for names that every engine accepts.
fn is_container_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

#[cfg(test)]
mod tests;
