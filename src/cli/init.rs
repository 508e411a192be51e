//! `strixlock init`

use std::path::PathBuf;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::manifest::{Packages, TemplateSettings, template};
use crate::store::replace_file;
use crate::toolbox_env::ToolboxEnv;

/// Write a commented manifest to start from
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// GPU that the manifest is for
    #[arg(long, value_name = "GFX")]
    target: Option<GfxTarget>,
    /// Take target and prefixes from this file, which is parsed and never executed [default: .toolbox.env, if it
    /// exists]
    #[arg(long, value_name = "FILE", value_parser = super::paths::path())]
    from: Option<PathBuf>,
    /// Look up ROCm on these index pages instead of AMD's
    #[arg(long = "source", value_name = "URL")]
    sources: Vec<String>,
    /// Use this llama.cpp repository
    #[arg(long, value_name = "URL")]
    llama_url: Option<String>,
    /// Source of the packages for the build sysroot: `host` (this machine's apt sources), `none` (no sysroot: builds
    /// use the host's tools), or the URL of an archive [default: Ubuntu 24.04 of a fixed day]
    #[arg(long, value_name = "ARCHIVE")]
    packages: Option<String>,
    /// Suites of that archive
    #[arg(long = "suite", value_name = "SUITE", requires = "packages")]
    suites: Vec<String>,
    /// Replace an existing manifest
    #[arg(short, long)]
    force: bool,
}

pub fn run(args: &InitArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let path = session.project.new_manifest_path();
    if path.exists() && !args.force {
        return Err(Error::failure("the manifest already exists")
            .fact("path", path.display())
            .hint("replace it with --force"));
    }
    let mut settings = TemplateSettings::default();
    if let Some(env) = ToolboxEnv::find(args.from.as_deref(), &session.project.directory())? {
        for note in &env.notes {
            ui.warning(note);
        }
        if let Some(target) = env.gpu_target {
            settings.target = target.to_string();
        }
        settings.rocm_prefix = env.rocm_home.unwrap_or(settings.rocm_prefix);
        settings.llama_prefix = env.llama_install_dir.unwrap_or(settings.llama_prefix);
    }
    if let Some(target) = &args.target {
        settings.target = target.to_string();
    }
    settings.sources.clone_from(&args.sources);
    if let Some(url) = &args.llama_url {
        settings.llama_url.clone_from(url);
    }
    match args.packages.as_deref() {
        None => {}
        Some("host") => settings.packages = Packages::Host,
        Some("none") => settings.packages = Packages::None,
        Some(other) if args.suites.is_empty() => {
            let error = if other.contains(':') {
                Error::new(Kind::Usage, "missing suites of the archive")
                    .hint("name them with --suite, such as --suite noble")
            } else {
                Error::new(Kind::Usage, format!("`{other}` is not `host`, `none` or a URL")).about("--packages")
            };
            return Err(error);
        }
        Some(url) => settings.packages = Packages::Archive { url: url.to_owned(), suites: args.suites.clone() },
    }
    let text = template(&settings);
    // Report invalid arguments now rather than at the next command.
    crate::manifest::Manifest::parse(&text, "the new manifest")?;
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    replace_file(&path, text.as_bytes())?;
    ui.result(serde_json::json!({ "manifest": path.display().to_string() }), || {
        ui.line(format!("wrote {} for {}", path.display(), settings.target));
        ui.note("next: strixlock update");
    });
    Ok(0)
}
