//! `.toolbox.env`: settings of the shell-script plan, read as data and never run.
//!
//! Lines are `NAME=value`, with an optional `export` and optional quotes; `#` begins a comment. A value in which a shell
//! would expand something is refused, because two readers would not agree on what it means.

use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;

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
    /// `BUILD_PLATFORM`
    pub build_platform: Option<String>,
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
        let text = fs_err::read_to_string(path)
            .map_err(|error| Error::new(Kind::Invalid, "the settings cannot be read").because(&error))?;
        Self::parse(&text, &path.display().to_string())
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
            if value.starts_with('/') {
                Ok(Some(value))
            } else {
                Err(wrong(place, format!("{key} must be an absolute path")))
            }
        };
        match key {
            "TOOLBOX_NAME" => self.toolbox_name = Some(value),
            "BASE_IMAGE" => self.base_image = Some(value),
            "ROCM_HOME" => self.rocm_home = path(value)?,
            "GPU_TARGET" => self.gpu_target = Some(value.parse().map_err(|error: Error| error.about(place))?),
            "BUILD_PLATFORM" => self.build_platform = Some(value),
            "LLAMA_INSTALL_DIR" => self.llama_install_dir = path(value)?,
            "LLAMA_HOME" if self.llama_install_dir.is_none() => self.llama_install_dir = path(value)?,
            "LLAMA_HOME" => {}
            "WORKSPACE_DIR" => self.workspace_dir = path(value)?,
            "NON_INTERACTIVE" => self.non_interactive = !matches!(value.as_str(), "" | "0" | "false" | "no"),
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
    let rest = rest.trim_start();
    if !rest.is_empty() && !rest.starts_with('#') {
        return Err(wrong(place, "there is something behind the value").fact("found", rest));
    }
    if (!literal && value.contains(['$', '`', '\\', ';', '&', '|', '<', '>', '(', ')'])) || value.contains(['\'', '"'])
    {
        return Err(wrong(place, "a shell would expand or run this value")
            .fact("value", value)
            .hint("write the value out, or put it in single quotes"));
    }
    Ok(value.to_owned())
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
        ] {
            let error = ToolboxEnv::parse(&format!("\n{line}\n"), "f").unwrap_err();
            assert!(error.to_string().starts_with("f:2: "), "{line}: {error}");
        }
    }
}
