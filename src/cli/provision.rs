//! `strixlock provision`

use std::path::{Path, PathBuf};

use super::choices::BuildArgs;
use super::image::Build;
use super::ui::{ERROR, GOOD};
use super::{Session, Ui, choices, image};
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::export::engine::FileLocation;
use crate::export::inside::{Probe, Wanting, has_gpu};
use crate::export::{ContainerEngine, ImageRef, ImageSource, Machine, Runtime, Steps, Wanted, image_source, oci, run};
use crate::host::{Devices, NodeState};
use crate::llama_source::{Options as ServerOptions, Role, Wish};
use crate::lock::Lock;
use crate::realize::place;
use crate::store::Store;
use crate::text::command_line;
use crate::toolbox_env::ToolboxEnv;

/// Create a container with the GPU, or write the configuration from which another tool creates one
///
/// distrobox, toolbox, podman and docker create it now, and it is checked from inside; the others get a file. The image
/// is always named by digest; an image of the lock is realized if necessary and loaded into podman's storage. The
/// container gets only the GPU's devices and groups, unless --privileged is given; distrobox and toolbox always grant
/// all rights. Exits with code 10 if a created container has no GPU.
#[derive(Debug, clap::Args)]
pub struct ProvisionArgs {
    /// Engine to use [default: the first of distrobox, toolbox, podman and docker that is installed]
    #[arg(value_parser = choices::engine())]
    engine: Option<ContainerEngine>,
    /// Name of the container [default: TOOLBOX_NAME, or strix; strix-server for a server]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Name of an image output, or another image with its digest: IMAGE@sha256:HEX [default: BASE_IMAGE, except for
    /// servers; otherwise the image of the lock that fits best]
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Directory of models, mounted at /models; distrobox mounts it at its own path
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    models: Option<PathBuf>,
    /// Model to serve: a file below that directory
    #[arg(long, value_name = "FILE", requires = "models")]
    model: Option<String>,
    /// Directory for llama.cpp's own downloads [default: $XDG_CACHE_HOME/llama.cpp]
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    cache: Option<PathBuf>,
    /// Port of the server on this machine's loopback
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Grant all rights with `--privileged` instead of only the GPU's devices and groups
    #[arg(long)]
    privileged: bool,
    /// Write the file below this directory [default: WORKSPACE_DIR, or here; for a quadlet podman's directory of units]
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    to: Option<PathBuf>,
    /// Take settings from this file, which is parsed and never executed [default: .toolbox.env, if it exists]
    #[arg(long, value_name = "FILE", value_parser = super::paths::path())]
    from: Option<PathBuf>,
    /// Replace an existing container or file
    #[arg(short, long)]
    force: bool,
    /// Only print the file and the commands
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    build: BuildArgs,
}

pub fn run(args: &ProvisionArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let env = ToolboxEnv::find(args.from.as_deref(), &session.project.directory())?.unwrap_or_default();
    for note in &env.notes {
        ui.warning(note);
    }
    let engine = args.engine.map_or_else(first_installed, Ok)?;
    let chosen = ChosenImage::find(session, args, &env, engine)?;
    let machine = Machine {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        home: text(&home()?)?,
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        devices: Devices::read(Path::new("/")),
        runtime: runtime(engine),
    };
    let plan = |image: ImageRef, options: ServerOptions, programs: Vec<Wanting>| {
        let wanted = Wanted { options, programs, ..wanted(args, &env, engine, &machine, image)? };
        let (container, warnings) = wanted.container(&machine)?;
        Ok::<_, Error>((wanted, engine.steps(&container)?, warnings))
    };
    // Refuse early: realizing an image may take an hour.
    let (_, steps, warnings) = plan(chosen.provisional()?, ServerOptions::unknown(), Vec::new())?;
    for warning in &warnings {
        ui.warning(warning);
    }
    demand_models(ui, args)?;
    let directory = directory(args, &env, engine)?;
    let there = if args.dry_run {
        false
    } else {
        run::demand_programs(engine, chosen.loader(engine))?;
        run::refuse(&steps, &directory, args.force)?
    };
    let (image, source) = chosen.source(session, args, engine)?;
    let (wanted, steps, _) = plan(image, chosen.options(session, engine)?, chosen.programs(session)?)?;
    if args.dry_run {
        show(ui, engine, &steps, &directory, source.as_ref(), None);
        return Ok(0);
    }
    if let Some(source) = &source {
        run::load_image(source, &*ui.progress)?;
    }
    if let Some(cache) = &wanted.cache {
        fs_err::create_dir_all(cache)?;
    }
    run::make(&steps, &directory, there, &*ui.progress)?;
    // Programs may be installed here, and PATH inside may lack these directories.
    let prefixes =
        [env.rocm_home.as_deref().unwrap_or("/opt/rocm"), env.llama_install_dir.as_deref().unwrap_or("/opt/llama")];
    let checks = run::check_inside(&steps, &prefixes.map(|prefix| format!("{prefix}/bin")), &wanted.programs)?;
    show(ui, engine, &steps, &directory, source.as_ref(), Some(&checks));
    let unfit = engine.runs_now() && !has_gpu(&checks);
    if unfit {
        ui.warning(&no_gpu(engine, &machine));
    }
    Ok(if unfit { Kind::Unfit as u8 } else { 0 })
}

/// Returns the options of a build's server: from its sources, or from its files where the sources are gone.
fn server_options(store: &Store, build: Build) -> Result<Option<ServerOptions>> {
    if let Some(source) = build.source.and_then(|content| store.tree(content)) {
        return ServerOptions::in_source(&source, Role::Server);
    }
    let Some((_, tree)) = store.output(build.derivation)? else { return Ok(None) };
    ServerOptions::in_build(&tree, Role::Server)
}

/// Returns podman's runtime, where it decides about the caller's groups.
fn runtime(engine: ContainerEngine) -> Runtime {
    let decides = engine.runs_in_podman() && !rustix::process::geteuid().is_root() && run::is_on_path("podman");
    if decides { Runtime::of_podman() } else { Runtime::Unknown }
}

/// Explains why there may be no GPU inside.
fn no_gpu(engine: ContainerEngine, machine: &Machine) -> String {
    let outside = machine.devices.all().any(|node| node.state == NodeState::Usable);
    let why = match engine {
        _ if !outside => "`strixlock doctor` says what this machine lacks",
        ContainerEngine::Distrobox => {
            "it is usable outside; distrobox passes your groups on only if podman's runtime is crun"
        }
        ContainerEngine::Toolbox => "it is usable outside; toolbox does not pass groups on: use distrobox",
        ContainerEngine::Podman if machine.uid != 0 => {
            "it is usable outside; `--group-add keep-groups` needs crun as podman's runtime"
        }
        _ => "it is usable outside: see what the engine reports about the devices",
    };
    format!("there is no usable GPU inside: {why}")
}

fn first_installed() -> Result<ContainerEngine> {
    let engines =
        [ContainerEngine::Distrobox, ContainerEngine::Toolbox, ContainerEngine::Podman, ContainerEngine::Docker];
    engines.into_iter().find(|engine| run::is_on_path(engine.name())).ok_or_else(|| {
        Error::new(Kind::NotFound, "none of distrobox, toolbox, podman and docker is installed")
            .hint("`sudo apt-get install podman distrobox`")
    })
}

/// The image for the container.
enum ChosenImage<'s> {
    /// An image in a registry.
    Registry(ImageRef),
    /// An output of the lock, and the image's own name.
    OfLock { lock: &'s Lock, output: String, name: String },
}

impl<'s> ChosenImage<'s> {
    fn find(session: &'s Session, args: &ProvisionArgs, env: &ToolboxEnv, engine: ContainerEngine) -> Result<Self> {
        // The base image of a toolbox need not have a llama-server.
        let base = env.base_image.as_ref().filter(|_| !engine.is_server());
        let named = args.image.as_ref().or(base);
        let is_locked = session.project.lock_path().exists();
        match named {
            // A name with a digest needs no lock, so a broken lock does not matter.
            Some(name) if name.contains('@') || !is_locked => return Ok(Self::Registry(name.parse()?)),
            None if !is_locked => {
                return Err(Error::new(Kind::Usage, "missing image: none is named, and there is no lock").hint(
                    "name one with its digest: --image REGISTRY/NAME@sha256:HEX, or for toolboxes BASE_IMAGE in \
                     .toolbox.env; or write a lock with `strixlock update`",
                ));
            }
            _ => {}
        }
        let lock = session.lock()?;
        let output = match named {
            Some(name) if image::recipe(lock, name).is_none() => return Ok(Self::Registry(name.parse()?)),
            Some(name) => name.clone(),
            None => image::suitable(lock, engine.is_server())?,
        };
        if engine.is_server()
            && let Some(other) = image::other_engine(lock, &output)
        {
            return Err(Error::new(
                Kind::Usage,
                format!("{} starts llama-server, and the image has none", engine.name()),
            )
            .fact("image", &output)
            .fact("its engine", other)
            .hint(
                "name an image of llama.cpp with --image; `strixlock provision podman` makes a container of this one",
            ));
        }
        image_source::demand_podman(engine, &output)?;
        if engine.shares_home() && image::recipe(lock, &output).is_some_and(|recipe| !recipe.is_toolbox()) {
            return Err(Error::new(Kind::Usage, format!("{} needs an image that is prepared for it", engine.name()))
                .fact("image", &output)
                .fact("expected", "a shell and its tools, and the label com.github.containers.toolbox")
                .hint(
                    "name another with --image, such as the `toolbox` of `strixlock init`; or add the label if it \
                     has the tools",
                ));
        }
        let name = image::recipe(lock, &output).map_or_else(|| output.clone(), |recipe| recipe.name.clone());
        Ok(Self::OfLock { lock, output, name })
    }

    /// Returns the image with a made-up digest if its own is not known yet, to find out early what an engine refuses.
    fn provisional(&self) -> Result<ImageRef> {
        match self {
            Self::Registry(image) => Ok(image.clone()),
            Self::OfLock { name, .. } => image_source::local(name, Sha256Digest::of(b"")),
        }
    }

    /// Returns the program that loads the image for the engine. Engines that only get a file pull from registries
    /// themselves.
    fn loader(&self, engine: ContainerEngine) -> Option<&'static str> {
        match self {
            Self::OfLock { .. } => Some("podman"),
            Self::Registry(_) if !engine.runs_now() => None,
            Self::Registry(_)
                if engine.uses_podman() && (engine != ContainerEngine::Distrobox || run::is_on_path("podman")) =>
            {
                Some("podman")
            }
            Self::Registry(_) => Some("docker"),
        }
    }

    /// Returns the options of the server in this image, which depend on the version of llama.cpp. Warns if that is not
    /// known.
    fn options(&self, session: &Session, engine: ContainerEngine) -> Result<ServerOptions> {
        if !engine.is_server() {
            return Ok(ServerOptions::unknown());
        }
        let known = match self {
            Self::Registry(_) => None,
            Self::OfLock { lock, output, .. } => match image::llama(lock, output) {
                Some(build) => server_options(session.store()?, build)?,
                None => None,
            },
        };
        Ok(known.unwrap_or_else(|| {
            session.ui.warning(&format!(
                "unknown version of llama.cpp in this image: add the option against memory-mapping the model \
                 yourself, which is one of {}",
                Wish::Unmapped.spellings()
            ));
            ServerOptions::unknown()
        }))
    }

    /// Returns the programs to look for in this image: those of its parts, or the usual ones if these are not known.
    fn programs(&self, session: &Session) -> Result<Vec<Wanting>> {
        let Self::OfLock { lock, output, .. } = self else { return Ok(Wanting::usual()) };
        let store = session.store()?;
        Ok(match image::programs(store, lock, output)? {
            Some(files) => Wanting::of_image(&files, &image::named_programs(lock, output)),
            None => Wanting::usual(),
        })
    }

    /// Returns the image by digest, realized if necessary, and the commands that load it for the engine.
    fn source(
        &self,
        session: &Session,
        args: &ProvisionArgs,
        engine: ContainerEngine,
    ) -> Result<(ImageRef, Option<ImageSource>)> {
        let program = self.loader(engine);
        match self {
            Self::Registry(image) => {
                Ok((image.clone(), program.map(|program| ImageSource::registry(image.clone(), program))))
            }
            Self::OfLock { lock, output, name } => {
                let tree = if args.dry_run {
                    oci::demand(session.store()?, lock, output)?
                } else {
                    image::realize(session, lock, output, None, &args.build)?
                };
                let source = ImageSource::layout(&tree.path, name)?;
                Ok((source.image.clone(), Some(source)))
            }
        }
    }
}

fn wanted(
    args: &ProvisionArgs,
    env: &ToolboxEnv,
    engine: ContainerEngine,
    machine: &Machine,
    image: ImageRef,
) -> Result<Wanted> {
    let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Error::from).and_then(|path| text(&path));
    let models = args.models.as_ref().map(absolute).transpose()?;
    // A container that shares the home directory has llama.cpp's cache already.
    let usual = (!engine.shares_home()).then(|| cache(&machine.home));
    let workspace = match &env.workspace_dir {
        Some(directory) => directory.clone(),
        None => text(&std::env::current_dir()?)?,
    };
    // A starting service replaces the container of its name, which must not be the toolbox.
    let name = if engine.is_server() {
        "strix-server".to_owned()
    } else {
        env.toolbox_name.clone().unwrap_or_else(|| "strix".to_owned())
    };
    Ok(Wanted {
        engine,
        name: args.name.clone().unwrap_or(name),
        image,
        privileged: args.privileged,
        workspace: Some(workspace),
        models,
        model: args.model.clone(),
        cache: args.cache.as_ref().map(absolute).transpose()?.or(usual),
        port: args.port,
        options: ServerOptions::unknown(),
        programs: Vec::new(),
    })
}

/// Fails if the directory of models, or the model in it, is missing. A dry run only warns: it may be for another
/// machine.
fn demand_models(ui: &Ui, args: &ProvisionArgs) -> Result<()> {
    let Some(directory) = &args.models else { return Ok(()) };
    let file = args.model.as_ref().map(|model| directory.join(model));
    let (what, path) = match file {
        _ if !directory.is_dir() => ("directory of models", directory.clone()),
        Some(file) if !file.is_file() => ("model", file),
        _ => return Ok(()),
    };
    let message = format!("missing {what}");
    if args.dry_run {
        ui.warning(&format!("{message}: {}", path.display()));
        return Ok(());
    }
    let error = Error::new(Kind::NotFound, message).fact("path", path.display());
    Err(error.hint(
        "name it with --models DIR, and the file in it with --model FILE; --dry-run prints what would be written",
    ))
}

/// Returns the directory of llama.cpp's own downloads.
fn cache(home: &str) -> String {
    let named = std::env::var("XDG_CACHE_HOME").ok().filter(|path| path.starts_with('/'));
    format!("{}/llama.cpp", named.unwrap_or_else(|| format!("{home}/.cache")))
}

fn directory(args: &ProvisionArgs, env: &ToolboxEnv, engine: ContainerEngine) -> Result<PathBuf> {
    if let Some(to) = &args.to {
        return Ok(std::path::absolute(to)?);
    }
    Ok(match engine.file_location() {
        FileLocation::Units if rustix::process::geteuid().is_root() => PathBuf::from("/etc/containers/systemd"),
        FileLocation::Units => home()?.join(".config/containers/systemd"),
        FileLocation::Workspace => {
            env.workspace_dir.as_ref().map_or_else(std::env::current_dir, |path| Ok(path.into()))?
        }
    })
}

fn home() -> Result<PathBuf> {
    place::home().ok_or_else(|| Error::failure("cannot find your home directory"))
}

/// Converts a path to text for an engine. Fails if it is not UTF-8.
fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::new(Kind::Usage, "the path is not UTF-8").fact("path", path.display()))
}

/// Prints what was done, or without `checks` what would be done.
fn show(
    ui: &Ui,
    engine: ContainerEngine,
    steps: &Steps,
    directory: &Path,
    source: Option<&ImageSource>,
    checks: Option<&[Probe]>,
) {
    let commands: Vec<&Vec<String>> = source.iter().flat_map(|source| &source.load).chain(&steps.create).collect();
    let file = steps.file.as_ref().map(|file| (directory.join(&file.name), &file.text));
    if ui.is_json() {
        ui.json(serde_json::json!({
            "engine": engine.name(),
            "done": checks.is_some(),
            "file": file.map(|(path, text)| serde_json::json!({ "path": path.display().to_string(), "text": text })),
            "commands": commands,
            "checks": checks.unwrap_or_default(),
            "next": steps.next,
        }));
        return;
    }
    match (checks, file) {
        (Some(_), Some((path, _))) => ui.line(format!("{GOOD}wrote{GOOD:#} {}", path.display())),
        (None, Some((path, text))) => ui.line(format!("--- {}\n{text}", path.display())),
        _ => {}
    }
    if checks.is_none() {
        for command in commands {
            ui.line(format!("$ {}", command_line(command)));
        }
    }
    for check in checks.unwrap_or_default() {
        let style = if matches!(check.state.as_str(), "usable" | "found") { GOOD } else { ERROR };
        ui.line(format!("{:24}  {style}{}{style:#}", check.name, check.state));
    }
    for command in &steps.next {
        ui.line(format!("next: {}", command_line(command)));
    }
}
