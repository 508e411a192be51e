//! `strixlock init`: looks at the machine, asks nothing, and writes a manifest that works on it.

mod attributes;

use std::path::{Path, PathBuf};

use attributes::Attributes;

use super::table::{Column, Table};
use super::{Session, Ui};
use crate::error::{Error, Kind, Result};
use crate::gfx::GfxTarget;
use crate::host::Host;
use crate::inputs::InputRequest;
use crate::inputs::debs::{KeyPlace, key_place};
use crate::lock::merge::SET;
use crate::manifest::{Manifest, Packages, TemplateSettings, template};
use crate::sandbox::Engine;
use crate::store::replace_file;
use crate::suggest::nearest_within;
use crate::toolbox_env::ToolboxEnv;
use crate::upstream::rocm::{Channel, known_targets};

/// Write a commented manifest that works on this machine
///
/// Takes the GPU target from --target, else from .toolbox.env, else from the GPU of this machine. Says what it chose
/// and why, and asks nothing. In a git repository it also writes a line to .gitattributes, by which git merges locks.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// GPU that the manifest is for [default: this machine's, or gfx1151]
    #[arg(long, value_name = "GFX")]
    target: Option<GfxTarget>,
    /// Channel of ROCm builds: `nightly` or `stable`
    #[arg(long, value_name = "CHANNEL", default_value = "nightly")]
    channel: Channel,
    /// Take target and prefixes from this file, which is parsed and never executed [default: .toolbox.env, if it
    /// exists]
    #[arg(long, value_name = "FILE", value_parser = super::paths::path())]
    from: Option<PathBuf>,
    /// Look up ROCm on these index pages instead of AMD's
    #[arg(long = "source", value_name = "URL")]
    sources: Vec<String>,
    /// Use this llama.cpp repository, without the web UI that llama.cpp publishes for its own
    #[arg(long, value_name = "URL")]
    llama_url: Option<String>,
    /// Take the archive that llama.cpp's CI publishes for ROCm in place of a build: minutes instead of half an hour
    #[arg(long)]
    prebuilt: bool,
    /// Source of the packages for the build sysroot: `host` (this machine's apt sources), `none` (no sysroot: builds
    /// use the host's tools), or the URL of an archive [default: Ubuntu 24.04 of a fixed day]
    #[arg(long, value_name = "ARCHIVE")]
    packages: Option<String>,
    /// Suites of that archive
    #[arg(long = "suite", value_name = "SUITE", requires = "packages")]
    suites: Vec<String>,
    /// Fingerprint of a key that signs that archive [default: those of Debian's and Ubuntu's archives]
    #[arg(long = "key", value_name = "FINGERPRINT", requires = "packages")]
    keys: Vec<String>,
    /// Replace an existing manifest
    #[arg(short, long)]
    force: bool,
    /// Read system files below this directory instead of /
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

pub fn run(args: &InitArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let path = session.project.new_manifest_path();
    if path.exists() && !args.force {
        return Err(Error::failure("the manifest already exists")
            .fact("path", path.display())
            .hint("edit it, or replace it with --force"));
    }
    let env = ToolboxEnv::find(args.from.as_deref(), &session.project.directory())?;
    for note in env.iter().flat_map(|env| &env.notes) {
        ui.warning(note);
    }
    let (target, why) = target(args, env.as_ref())?;
    let usual = TemplateSettings::default();
    let settings = TemplateSettings {
        target: target.unwrap_or(usual.target),
        channel: args.channel.to_string(),
        rocm_prefix: env.as_ref().and_then(|env| env.rocm_home.clone()).unwrap_or(usual.rocm_prefix),
        llama_prefix: env.and_then(|env| env.llama_install_dir).unwrap_or(usual.llama_prefix),
        sources: args.sources.clone(),
        llama_url: args.llama_url.clone().unwrap_or(usual.llama_url),
        prebuilt: args.prebuilt,
        // The numbers of another repository are its own.
        ui: args.llama_url.is_none(),
        packages: packages(args, usual.packages)?,
    };
    let text = template(&settings);
    // Report invalid arguments now rather than at the next command.
    let manifest = Manifest::parse(&text, "the new manifest")?;
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    replace_file(&path, text.as_bytes())?;
    let lock = session.project.lock_path();
    let attributes = attributes::write(&session.project.directory(), &lock).unwrap_or_else(|error| {
        ui.warning(&format!("git was not told how to merge locks: {}", error.message()));
        None
    });
    let written = attributes.as_ref().and_then(|attributes| attributes.written.clone());

    let chosen = chosen(&settings, &why, &manifest, &session.project.manifest_directory());
    let json = serde_json::json!({
        "manifest": path.display().to_string(),
        "target": settings.target,
        "channel": settings.channel,
        "gitattributes": written.as_ref().map(|path| path.display().to_string()),
        "chosen": chosen.iter().map(|(what, text)| serde_json::json!({ "what": what, "text": text })).collect::<Vec<_>>(),
    });
    ui.result(json, || {
        ui.line(format!("wrote {}", path.display()));
        let mut table = Table::new([Column::word(""), Column::text("")]);
        for (what, text) in &chosen {
            table.row([format!("  {what}"), text.clone()]);
        }
        ui.table(&table);
        if let Some(path) = &written {
            ui.line(format!("wrote {}", path.display()));
        }
        next(ui, &settings, &path, &lock);
        if let Some(Attributes { has_command: false, .. }) = attributes {
            ui.note(&format!("so that git merges locks, run once in each clone: `{SET}`"));
        }
    });
    Ok(0)
}

/// Returns the target, if there is one to take, and where it is from.
fn target(args: &InitArgs, env: Option<&ToolboxEnv>) -> Result<(Option<String>, String)> {
    if let Some(target) = &args.target {
        demand_likely(target, Kind::Usage, "--target")?;
        return Ok((Some(target.to_string()), "as asked".to_owned()));
    }
    if let Some(target) = env.and_then(|env| env.gpu_target.as_ref()) {
        demand_likely(target, Kind::Invalid, "GPU_TARGET")?;
        return Ok((Some(target.to_string()), "from the settings of the toolbox".to_owned()));
    }
    let gpus: Vec<String> = Host::read(&args.root).gpus.into_iter().map(|gpu| gpu.name).collect();
    let usual = TemplateSettings::default().target;
    // A machine may have another GPU besides.
    let own = gpus.iter().find(|name| **name == usual).or_else(|| gpus.first());
    Ok(match own {
        Some(own) if gpus.len() > 1 => (Some(own.clone()), format!("of this machine's GPUs {}", gpus.join(", "))),
        Some(own) => (Some(own.clone()), "the GPU of this machine".to_owned()),
        None => (None, "Strix Halo; no GPU was found here, --target names another".to_owned()),
    })
}

/// Fails if a target is not known but looks like one that is. A GPU that is newer than this program may be unlike all.
fn demand_likely(target: &GfxTarget, kind: Kind, from: &str) -> Result<()> {
    let (name, usual) = (target.as_str(), TemplateSettings::default().target);
    if known_targets().any(|known| known == name) {
        return Ok(());
    }
    let mut names: Vec<&str> = known_targets().collect();
    names.insert(0, &usual);
    let Some(near) = nearest_within(1, name, names.into_iter()) else { return Ok(()) };
    Err(Error::new(kind, format!("unknown GPU target `{name}`")).about(from.to_owned()).hint(format!(
        "did you mean `{near}`? A GPU that is newer than this strixlock can be written into the manifest by hand"
    )))
}

/// Returns the packages that the options ask for.
fn packages(args: &InitArgs, usual: Packages) -> Result<Packages> {
    Ok(match args.packages.as_deref() {
        None => usual,
        Some("host") => Packages::Host,
        Some("none") => Packages::None,
        Some(other) if args.suites.is_empty() => {
            return Err(if other.contains(':') {
                Error::new(Kind::Usage, "missing suites of the archive")
                    .hint("name them with --suite, such as --suite noble")
            } else {
                Error::new(Kind::Usage, format!("`{other}` is not `host`, `none` or a URL")).about("--packages")
            });
        }
        Some(url) => Packages::archive(url, &args.suites, &args.keys),
    })
}

/// Describes each choice and its reason.
fn chosen(
    settings: &TemplateSettings,
    why: &str,
    manifest: &Manifest,
    directory: &Path,
) -> Vec<(&'static str, String)> {
    let builds = match settings.channel.as_str() {
        "nightly" => "the newest nightly; `--channel stable` takes releases",
        "stable" => "the newest release; `--channel nightly` takes nightlies",
        _ => "the newest build",
    };
    let mut lines = vec![
        ("target", format!("{}, {why}", settings.target)),
        ("channel", format!("{}: {builds}", settings.channel)),
        (
            "llama.cpp",
            if settings.prebuilt {
                format!("the newest archive for ROCm of {}: built by its publisher, proven here", settings.llama_url)
            } else {
                format!("built from {}", settings.llama_url)
            },
        ),
    ];
    let ui = if settings.ui { "that of the pinned build" } else { "none: llama.cpp's are for its own repository" };
    lines.push(("web UI", ui.to_owned()));
    lines.push((
        "packages",
        match &settings.packages {
            Packages::Archive { url, suites, .. } => format!("{} of {url}", suites.join(", ")),
            Packages::Host => "of the archives that this machine's apt uses".to_owned(),
            Packages::None if settings.prebuilt => "none: programs are proven in the root of this machine".to_owned(),
            Packages::None => "none: builds use the tools of this machine".to_owned(),
        },
    ));
    let place = manifest.inputs.values().find_map(|request| match request {
        InputRequest::Debs(request) => Some(key_place(request, directory)),
        _ => None,
    });
    lines.extend(place.map(|place| {
        let text = match place {
            Ok(KeyPlace::Keyrings(names)) => names,
            Ok(KeyPlace::Archive(keys)) => {
                format!("{}, to be taken from the archive: no keyring here has it", keys.join(" or "))
            }
            Ok(KeyPlace::Unsigned) => "none".to_owned(),
            Err(error) => format!("{}; `strixlock doctor` says what helps", error.message()),
        };
        ("keys", text)
    }));
    lines
}

/// Says what comes next, and what builds lack here.
fn next(ui: &Ui, settings: &TemplateSettings, path: &Path, lock: &Path) {
    if let Err(error) = Engine::demand(settings.packages != Packages::None) {
        let what = if settings.prebuilt { "proofs do" } else { "builds do" };
        ui.note(&format!("{what} not work here yet: {}; see `strixlock doctor`", error.message()));
    }
    ui.note(&format!("next: `strixlock update`, and commit {} and {}", path.display(), lock.display()));
}
