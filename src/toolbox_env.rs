//! `.toolbox.env`: settings of the shell-script plan, read as data and never run.
//!
//! Lines are `NAME=value`, with an optional `export` and optional quotes; `#` begins a comment. A value in which a shell
//! would expand something is refused, because two readers would not agree on what it means.

use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::export::image_ref;
use crate::gfx::GfxTarget;
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
        Self::parse(&text, &path.display().to_string())
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

    /// Parses the text of a file that messages call `name`.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let mut env = Self::default();
        for (index, line) in text.lines().enumerate() {
            let place = format!("{name}:{}", index + 1);
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| wrong(&place, "this is not NAME=value"))?;
            env.set(key, value_of(value, &place)?, &place)?;
        }
        Ok(env)
    }

    fn set(&mut self, key: &str, value: String, place: &str) -> Result<()> {
        let path = |value: String| {
            if value.starts_with('/') && !value.split('/').any(|part| part == "..") {
                Ok(Some(value))
            } else {
                Err(wrong(place, format!("{key} must be an absolute path without `..`")).fact("found", value))
            }
        };
        match key {
            "TOOLBOX_NAME" if !is_container_name(&value) => {
                return Err(wrong(place, "TOOLBOX_NAME is not a name for a container")
                    .fact("found", value)
                    .hint("letters, digits, `_`, `.` and `-`, beginning with a letter or digit"));
            }
            "TOOLBOX_NAME" => self.toolbox_name = Some(value),
            "BASE_IMAGE" if !image_ref::is_image(&value) => {
                return Err(wrong(place, "BASE_IMAGE is not the name of an image").fact("found", value));
            }
            "BASE_IMAGE" => self.base_image = Some(value),
            "ROCM_HOME" => self.rocm_home = path(value)?,
            "GPU_TARGET" => self.gpu_target = Some(value.parse().map_err(|error: Error| error.about(place))?),
            "BUILD_PLATFORM" => {
                let platform: Platform = value.parse().map_err(|error: Error| error.about(place))?;
                if platform != Platform::Linux {
                    return Err(wrong(place, "builds are made for Linux").fact("found", value));
                }
                self.build_platform = Some(platform);
            }
            "LLAMA_INSTALL_DIR" => self.llama_install_dir = path(value)?,
            "LLAMA_HOME" if self.llama_install_dir.is_none() => self.llama_install_dir = path(value)?,
            "LLAMA_HOME" => {}
            "WORKSPACE_DIR" => self.workspace_dir = path(value)?,
            "NON_INTERACTIVE" => {
                self.non_interactive = match value.to_ascii_lowercase().as_str() {
                    "" | "0" | "false" | "no" => false,
                    "1" | "true" | "yes" => true,
                    _ => return Err(wrong(place, "NON_INTERACTIVE is 1 or 0").fact("found", value)),
                }
            }
            other => self.notes.push(format!("{place}: nothing here is called `{other}`")),
        }
        Ok(())
    }
}

fn value_of(text: &str, place: &str) -> Result<String> {
    let text = text.trim();
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.split_once(quote));
    let (value, rest, literal) = if let Some((value, rest)) = quoted('\'') {
        (value, rest, true)
    } else if let Some((value, rest)) = quoted('"') {
        (value, rest, false)
    } else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        (&text[..end], &text[end..], false)
    };
    if value.chars().any(char::is_control) {
        return Err(wrong(place, "there is a control character in the value"));
    }
    if (!literal && value.contains(['$', '`', '\\', ';', '&', '|', '<', '>', '(', ')'])) || value.contains(['\'', '"'])
    {
        return Err(wrong(place, "a shell would expand or run this value")
            .fact("value", value)
            .hint("write the value out, or put it in single quotes"));
    }
    let rest = rest.trim_start();
    if !rest.is_empty() && !rest.starts_with('#') {
        return Err(wrong(place, "there is something behind the value").fact("found", rest));
    }
    Ok(value.to_owned())
}

/// What every engine accepts.
fn is_container_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

fn wrong(place: &str, message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, message).about(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_a_shell_would_read_them() {
        let text = "# plan\nexport GPU_TARGET=gfx1151 # Strix Halo\nROCM_HOME=\"/opt/rocm\"\nLLAMA_HOME='/home/me/llama cpp'\nNON_INTERACTIVE=1\nODD=1\n";
        let env = ToolboxEnv::parse(text, "f").unwrap();
        assert_eq!(env.gpu_target.unwrap().as_str(), "gfx1151");
        assert_eq!(env.rocm_home.unwrap(), "/opt/rocm");
        assert_eq!(env.llama_install_dir.unwrap(), "/home/me/llama cpp");
        assert!(env.non_interactive);
        assert_eq!(env.notes, ["f:6: nothing here is called `ODD`"]);
    }

    #[test]
    fn nothing_is_expanded_or_run() {
        for line in [
            "ROCM_HOME=$(id)",
            "ROCM_HOME=`id`",
            "ROCM_HOME=\"$HOME/rocm\"",
            "TOOLBOX_NAME=a; rm x",
            "TOOLBOX_NAME=a b",
            "oops",
            "ROCM_HOME=rocm",
            "ROCM_HOME=/opt/../etc",
            "TOOLBOX_NAME='-rm'",
            "TOOLBOX_NAME='a/b'",
            "BASE_IMAGE='Ubuntu latest'",
            "BUILD_PLATFORM=windows",
            "BUILD_PLATFORM=solaris",
            "NON_INTERACTIVE=perhaps",
            "WORKSPACE_DIR='/a\u{1b}[2J'",
            "GPU_TARGET=strix",
        ] {
            let error = ToolboxEnv::parse(&format!("\n{line}\n"), "f").unwrap_err();
            assert!(error.to_string().starts_with("f:2: "), "{line}: {error}");
        }
    }
}
