//! `.toolbox.env`: settings of the shell-script plan, read as data and never run.
//!
//! Lines are `NAME=value`, with an optional `export` and optional quotes; `#` begins a comment, and of two lines with one name
//! the last counts. A value in which a shell would expand something is refused, because two readers would not agree on what
//! it means; so are places that links must not take (see [`crate::realize::place`]).

mod line;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use self::line::wrong;
use crate::error::{Error, Kind, Result};
use crate::export::image_ref;
use crate::gfx::GfxTarget;
use crate::realize::place;
use crate::upstream::rocm::Platform;

/// The name of the file.
pub const FILE: &str = ".toolbox.env";

/// More than this is no file of settings.
const LARGEST: u64 = 64 * 1024;

/// The settings that were found.
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
    /// `BUILD_PLATFORM`; everything here is built for Linux.
    pub build_platform: Option<Platform>,
    /// `LLAMA_INSTALL_DIR`, or `LLAMA_HOME`
    pub llama_install_dir: Option<String>,
    /// `WORKSPACE_DIR`
    pub workspace_dir: Option<String>,
    /// `NON_INTERACTIVE`
    pub non_interactive: bool,
    /// Lines that mean nothing here.
    pub notes: Vec<String>,
}

impl ToolboxEnv {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let problem =
            |error: &dyn std::error::Error| Error::new(Kind::Invalid, "the settings cannot be read").because(error);
        let file = fs_err::File::open(path).map_err(|error| problem(&error))?;
        let mut text = String::new();
        file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| problem(&error))?;
        if text.len() as u64 > LARGEST {
            return Err(wrong(&path.display().to_string(), "this is too large to be a file of settings"));
        }
        Self::parse(&text, &path.display().to_string(), place::home().as_deref())
    }

    /// Reads the file that was named, or else the one of the project, if there is one.
    pub fn find(named: Option<&Path>, project: &Path) -> Result<Option<Self>> {
        let usual = project.join(FILE);
        match named {
            Some(path) => Self::read(path).map(Some),
            None if usual.is_file() => Self::read(&usual).map(Some),
            None => Ok(None),
        }
    }

    /// Parses the text of a file that messages call `name`, for somebody with this home directory.
    pub fn parse(text: &str, name: &str, home: Option<&Path>) -> Result<Self> {
        let mut parser = Parser { home, ..Parser::default() };
        // Editors of other systems put a mark in front.
        for (index, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            let place = format!("{name}:{}", index + 1);
            if let Some((key, value)) = line::setting(line, &place)? {
                parser.set(key, value.to_owned(), &place)?;
            }
        }
        parser.finish()
    }
}

/// A path and the line that it was read from.
struct Placed {
    path: String,
    line: String,
}

#[derive(Default)]
struct Parser<'a> {
    env: ToolboxEnv,
    home: Option<&'a Path>,
    rocm_home: Option<Placed>,
    llama_install_dir: Option<Placed>,
    llama_home: Option<Placed>,
}

impl Parser<'_> {
    fn set(&mut self, key: &str, value: String, place: &str) -> Result<()> {
        let refused =
            |fault: &str| wrong(place, format!("{key} cannot be this directory: {fault}")).fact("found", &value);
        let placed = |hint: &str| match place::fault(Path::new(&value), self.home) {
            Some(fault) => Err(refused(fault).hint(hint)),
            None => Ok(Some(Placed { path: tidy(&value), line: place.to_owned() })),
        };
        match key {
            "TOOLBOX_NAME" if !is_container_name(&value) => {
                return Err(wrong(place, "TOOLBOX_NAME is not a name for a container")
                    .fact("found", value)
                    .hint("letters, digits, `_`, `.` and `-`, beginning with a letter or digit"));
            }
            "TOOLBOX_NAME" => self.env.toolbox_name = Some(value),
            "BASE_IMAGE" if !image_ref::is_image(&value) => {
                return Err(wrong(place, "BASE_IMAGE is not the name of an image").fact("found", value));
            }
            "BASE_IMAGE" => self.env.base_image = Some(value),
            "ROCM_HOME" => self.rocm_home = placed("such as /opt/rocm")?,
            "GPU_TARGET" => self.env.gpu_target = Some(value.parse().map_err(|error: Error| error.about(place))?),
            "BUILD_PLATFORM" => {
                let platform: Platform = value.parse().map_err(|error: Error| error.about(place))?;
                if platform != Platform::Linux {
                    return Err(wrong(place, "builds are made for Linux").fact("found", value));
                }
                self.env.build_platform = Some(platform);
            }
            "LLAMA_INSTALL_DIR" => self.llama_install_dir = placed("such as /opt/llama")?,
            "LLAMA_HOME" => self.llama_home = placed("such as /opt/llama")?,
            "WORKSPACE_DIR" => match place::workspace_fault(Path::new(&value), self.home) {
                Some(fault) => return Err(refused(fault)),
                None => self.env.workspace_dir = Some(value),
            },
            "NON_INTERACTIVE" => {
                self.env.non_interactive = match value.to_ascii_lowercase().as_str() {
                    "" | "0" | "false" | "no" => false,
                    "1" | "true" | "yes" => true,
                    _ => return Err(wrong(place, "NON_INTERACTIVE is 1 or 0").fact("found", value)),
                }
            }
            other => self.env.notes.push(format!("{place}: nothing here is called `{other}`")),
        }
        Ok(())
    }

    /// All lines were read: what they say together.
    fn finish(self) -> Result<ToolboxEnv> {
        let llama = self.llama_install_dir.or(self.llama_home);
        if let (Some(rocm), Some(llama)) = (&self.rocm_home, &llama)
            && place::overlap(Path::new(&rocm.path), Path::new(&llama.path))
        {
            return Err(wrong(&llama.line, "ROCm and llama.cpp cannot stand in one place, nor one in the other")
                .fact("llama.cpp", format!("{}  {}", llama.line, llama.path))
                .fact("ROCm", format!("{}  {}", rocm.line, rocm.path)));
        }
        let path = |placed: Option<Placed>| placed.map(|placed| placed.path);
        Ok(ToolboxEnv { rocm_home: path(self.rocm_home), llama_install_dir: path(llama), ..self.env })
    }
}

/// A path without a slash at its end, behind which a link is what it leads to.
fn tidy(path: &str) -> String {
    Path::new(path).components().collect::<PathBuf>().display().to_string()
}

/// What every engine accepts.
fn is_container_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

#[cfg(test)]
mod tests;
