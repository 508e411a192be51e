//! `strixlock export containerfile`

use std::path::PathBuf;

use crate::cli::Session;
use crate::error::{Error, Kind, Result};
use crate::export::ImageRef;
use crate::export::containerfile::containerfile as text_of;
use crate::store::replace_file;
use crate::toolbox_env::ToolboxEnv;

/// Write a Containerfile that downloads, verifies and unpacks the locked ROCm in one pass
#[derive(Debug, clap::Args)]
pub struct ContainerfileArgs {
    /// Base image with its digest; needs sh, coreutils, curl, gzip and tar [default: BASE_IMAGE in .toolbox.env]
    #[arg(long, value_name = "IMAGE@sha256:HEX")]
    image: Option<String>,
    /// Also install the directory `llama` of the build context, which `strixlock realize llama --to .` writes
    #[arg(long)]
    llama: bool,
    /// File to write [default: standard output]
    #[arg(short, long, value_name = "FILE", value_parser = crate::cli::paths::path())]
    output: Option<PathBuf>,
}

pub fn run(args: &ContainerfileArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let env = ToolboxEnv::find(None, &session.project.directory())?.unwrap_or_default();
    let base: ImageRef = args.image.clone().or(env.base_image).map_or_else(
        || Err(Error::new(Kind::Usage, "missing base image").hint("--image REGISTRY/NAME@sha256:HEX")),
        |name| name.parse(),
    )?;
    let text = text_of(session.lock()?, &base, args.llama)?;
    let Some(output) = &args.output else {
        ui.result(serde_json::json!({ "text": text }), || ui.line(text.trim_end()));
        return Ok(0);
    };
    replace_file(output, text.as_bytes())?;
    let json = serde_json::json!({ "file": output.display().to_string() });
    ui.result(json, || ui.line(format!("wrote {}", output.display())));
    Ok(0)
}
