//! `strixlock export containerfile`

use std::path::PathBuf;

use crate::cli::Session;
use crate::error::{Error, Kind, Result};
use crate::export::ImageRef;
use crate::export::containerfile::containerfile as text_of;
use crate::store::replace_file;
use crate::toolbox_env::ToolboxEnv;

/// A Containerfile that installs the locked ROCm by streaming it, checked by digest before anything is run
#[derive(Debug, clap::Args)]
pub struct ContainerfileArgs {
    /// The base image, with its digest; it needs sh, coreutils, curl, gzip and tar [default: BASE_IMAGE in .toolbox.env]
    #[arg(long, value_name = "IMAGE@sha256:HEX")]
    image: Option<String>,
    /// Install the directory `llama` of the build's context too, which `strixlock realize llama --to .` makes
    #[arg(long)]
    llama: bool,
    /// Write it to this file instead of standard output
    #[arg(short, long, value_name = "FILE", value_parser = crate::cli::paths::path())]
    output: Option<PathBuf>,
}

pub fn run(args: &ContainerfileArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let env = ToolboxEnv::find(None, &session.project.directory())?.unwrap_or_default();
    let base: ImageRef = args.image.clone().or(env.base_image).map_or_else(
        || Err(Error::new(Kind::Usage, "no base image is named").hint("--image REGISTRY/NAME@sha256:HEX")),
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
