//! `strixlock demo`: runs the commands that a person would type.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::table::{Column, Table};
use super::ui::{DIM, GOOD};
use super::{Session, Ui};
use crate::demo::gguf_maker::{Shape, model, model_parts, model_with_vocabulary_of, part_name};
use crate::demo::git_http::GitHttp;
use crate::demo::hub::{Access, Hub};
use crate::demo::{Generation, Nightly, Server, Upstream};
use crate::error::{Error, Kind, Result};
use crate::llama_source::Wish;
use crate::sandbox::{Engine, Root};
use crate::text::shell_word;
use crate::tree::scan::scan;

/// Run the whole workflow against a local upstream: index, tarballs and git server on loopback
///
/// Runs init, update and realize in two stores, compares the results byte by byte, updates to a newer nightly, rolls
/// back, audits, and realizes again after the upstream is gone. Needs bubblewrap, and gcc, g++, cmake and ninja for its
/// small build.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Directory to work in [default: a new temporary directory]
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    dir: Option<PathBuf>,
    /// Only serve the upstream and print its addresses, until interrupted
    #[arg(long)]
    serve: bool,
    /// Only serve this git repository over HTTP on loopback and print its address, until interrupted
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "serve", value_parser = super::paths::path())]
    serve_git: Option<PathBuf>,
    /// Only serve the tarballs in this directory with an index page like AMD's and print its address, until interrupted
    #[arg(long, value_name = "DIR", conflicts_with_all = ["serve", "serve_git"], value_parser = super::paths::path())]
    serve_tarballs: Option<PathBuf>,
    /// Only write a small language model with fixed random weights to this file
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["serve", "serve_git", "serve_tarballs"],
        value_parser = super::paths::path()
    )]
    make_model: Option<PathBuf>,
    /// Give the model the vocabulary of this GGUF file
    #[arg(long, value_name = "GGUF", requires = "make_model", value_parser = super::paths::path())]
    vocabulary: Option<PathBuf>,
    /// Split the model into parts of N tensors, like llama-gguf-split
    #[arg(long, value_name = "N", requires = "make_model", conflicts_with = "vocabulary")]
    split: Option<usize>,
}

/// Programs that the demo runs or that its build of llama.cpp calls, with the packages that Debian has them in.
const PROGRAMS: [(&str, &str); 6] = [
    ("bwrap", "bubblewrap"),
    ("cmake", "cmake"),
    ("ninja", "ninja-build"),
    ("cc", "gcc"),
    ("c++", "g++"),
    ("diff", "diffutils"),
];

/// The shape of a made model: its context has room for the long prompts of `validate`.
const MADE: Shape = Shape { width: 64, inner: 128, heads: 4, layers: 2, context: 8192, seed: 1151 };

/// The commands for a person to go on with.
const FOR_REAL: &str = "\
strixlock init      # writes a manifest for this machine, and says what it chose
strixlock update    # finds the newest ROCm and llama.cpp, and pins them
strixlock realize   # builds llama.cpp, and says how to run it";

/// Nightly that the demo begins with.
const FIRST: &str = "10.1.0a20260901";

pub fn run(args: &DemoArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if let Some(repository) = &args.serve_git {
        git2::Repository::open(repository).map_err(|error| {
            Error::new(Kind::NotFound, "not a git repository").fact("path", repository.display()).because(&error)
        })?;
        let server = Server::start()?;
        server.handle("/repository.git/", GitHttp::new("/repository.git", repository));
        return serve(ui, &server.url("/repository.git"));
    }
    if let Some(tarballs) = &args.serve_tarballs {
        let (_server, address) = crate::demo::serve_tarballs(tarballs)?;
        return serve(ui, &address);
    }
    if let (Some(path), Some(tensors)) = (&args.make_model, args.split) {
        let parts = model_parts(MADE, tensors);
        let stem = path.with_extension("").display().to_string();
        let names = (1..=parts.len()).map(|number| part_name(&stem, number, parts.len()));
        let names: Vec<String> = names.collect();
        for (part, name) in parts.iter().zip(&names) {
            fs_err::write(name, part)?;
        }
        report_written(ui, &names);
        return Ok(0);
    }
    if let Some(path) = &args.make_model {
        let model = match &args.vocabulary {
            Some(vocabulary) => model_with_vocabulary_of(MADE, vocabulary)?,
            None => model(MADE),
        };
        fs_err::write(path, model)?;
        report_written(ui, &[path.display().to_string()]);
        return Ok(0);
    }
    if !args.serve {
        demand_programs()?;
        session.fetcher()?;
    }
    let directory = match &args.dir {
        Some(directory) => {
            if directory.join("project").exists() {
                return Err(Error::failure("a demo ran here already")
                    .fact("path", directory.display())
                    .hint("name an empty directory"));
            }
            std::path::absolute(directory)?
        }
        None => tempfile::Builder::new().prefix("strixlock-demo-").tempdir()?.keep(),
    };
    let upstream = Upstream::start(&directory.join("upstream"))?;
    if args.serve {
        // The index of a living upstream ends with today.
        upstream.publish(Generation::Streams, &Nightly::of_day(session.now));
        let indexes = Generation::ALL.map(|generation| format!("index {}", upstream.index_url(generation)));
        return serve(ui, &format!("{}\ngit   {}", indexes.join("\n"), upstream.git_url()));
    }
    let mut demo = Demo { ui, directory, shown: Vec::new(), begun: Instant::now() };
    demo.run(upstream)?;
    Ok(0)
}

/// Fails if this machine cannot run the demo, before anything is written. Builds see only programs in /usr/bin.
fn demand_programs() -> Result<()> {
    let is_missing = |program: &&(&str, &str)| !Root::Host.has(&format!("usr/bin/{}", program.0));
    let (missing, packages): (Vec<_>, Vec<_>) = PROGRAMS.iter().filter(is_missing).copied().unzip();
    if missing.is_empty() {
        return Engine::demand(false).map(drop);
    }
    Err(Error::new(Kind::Unfit, "the demo builds a small program, and cannot find what that takes")
        .fact("missing from /usr/bin", missing.join(", "))
        .hint(format!("on Debian and Ubuntu, `sudo apt-get install {}`", packages.join(" "))))
}

/// Prints the names of the written files as JSON, for scripts.
fn report_written(ui: &Ui, files: &[String]) {
    if ui.is_json() {
        ui.json(serde_json::json!({ "wrote": files }));
    }
}

fn serve(ui: &Ui, addresses: &str) -> Result<u8> {
    ui.line(addresses);
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}

struct Demo<'a> {
    ui: &'a Ui,
    directory: PathBuf,
    /// Claims that were shown, each with its proof.
    shown: Vec<[String; 2]>,
    begun: Instant,
}

impl Demo<'_> {
    fn run(&mut self, upstream: Upstream) -> Result<()> {
        let hub = Hub::start(upstream.server(), "/hub")?;
        hub.commit("demo/tiny-GGUF", Access::Open, &[("tiny-F32.gguf", model(Shape::default()))]);
        self.heading("An upstream on loopback: three generations of index, their tarballs, a git server, a model hub");
        for generation in Generation::ALL {
            self.ui.line(upstream.index_url(generation));
        }
        self.ui.line(upstream.git_url());
        self.ui.line(hub.endpoint());

        self.heading("A manifest, resolved and pinned");
        let index = upstream.index_url(Generation::Streams);
        self.strixlock(
            "a",
            &[
                "init",
                "--target",
                "gfx1151",
                "--source",
                &index,
                "--llama-url",
                &upstream.git_url(),
                "--packages",
                "none",
                "--force",
            ],
        )?;
        self.want_version("latest", FIRST)?;
        self.want_model(hub.endpoint())?;
        self.strixlock("a", &["update"])?;
        let lock = fs_err::read(self.lock())?;
        self.strixlock("a", &["update"])?;
        self.prove("update twice leaves the lock as it is", lock == fs_err::read(self.lock())?, "lock/strix.lock")?;

        self.heading("The same trees in two stores, from the lock alone");
        let first = self.realized("a", &["realize", "--seal"])?;
        let second = self.realized("elsewhere/of/another/depth/b", &["realize", "--jobs", "1"])?;
        for (name, digest) in &first {
            let same = second.iter().any(|other| other == &(name.clone(), digest.clone()));
            self.prove(&format!("{name}: equal in both stores"), same, digest)?;
        }
        self.strixlock("a", &["realize", "--to", "copies/a"])?;
        self.strixlock("elsewhere/of/another/depth/b", &["realize", "--to", "copies/b", "--link-mode", "copy"])?;
        let copies = self.project().join("copies");
        let equal =
            Command::new("diff").args(["-r", "--no-dereference", "a", "b"]).current_dir(&copies).status()?.success();
        self.prove("their copies are equal byte for byte (diff -r)", equal, "project/copies")?;
        let llama = self.output(Command::new(copies.join("a/llama/bin/llama-cli")).arg("--version"))?;
        self.prove(
            "the build knows its number and commit",
            llama.contains("version: "),
            llama.lines().next().unwrap_or_default(),
        )?;
        let (full, trimmed) =
            (scan(&copies.join("a/rocm"))?.total_size(), scan(&copies.join("a/runtime"))?.total_size());
        let sizes = format!("{} of {}", crate::text::bytes(trimmed), crate::text::bytes(full));
        self.prove("the runtime holds only what the build needs", trimmed < full, &sizes)?;
        let mut devices = Command::new(copies.join("a/llama/bin/llama-cli"));
        devices.arg(Wish::ListDevices.name()).env("LD_LIBRARY_PATH", copies.join("a/runtime/lib"));
        let devices = self.output(&mut devices)?;
        self.prove("llama-cli runs with the trimmed runtime", true, devices.lines().last().unwrap_or_default().trim())?;

        self.heading("The model computes the same text twice");
        let [one, two] = [self.validated()?, self.validated()?];
        self.prove("both runs give the same text", one == two, &one)?;

        self.heading("A newer nightly, and back again");
        self.want_version(FIRST, "latest")?;
        upstream.add_llama_commit()?;
        self.strixlock("a", &["outdated"])?;
        self.strixlock("a", &["update"])?;
        let newer = self.realized("a", &["realize"])?;
        self.prove("the newer nightly is another tree", newer != first, "generation 2")?;
        self.strixlock("a", &["rollback"])?;
        self.strixlock("a", &["generations"])?;
        let back = fs_err::canonicalize(self.store("a").join("current/rocm"))?;
        let was = first
            .iter()
            .find(|(name, _)| name == "rocm")
            .map_or("", |(_, digest)| digest.trim_start_matches("sha256:"));
        self.prove("rolled back with one rename", back.to_string_lossy().contains(was), "stores/a/current")?;

        self.heading("The page by which others check it");
        self.strixlock("a", &["audit"])?;
        self.strixlock("a", &["audit", "--check"])?;
        self.prove("REPRODUCIBLE.md is up to date with the lock", true, "project/REPRODUCIBLE.md")?;

        self.heading("Upstream disappears");
        drop((hub, upstream));
        let offline = self.realized("a", &["--offline", "realize"])?;
        self.prove("the lock can still be realized", offline == newer, "without any server")?;
        self.table();
        Ok(())
    }

    fn project(&self) -> PathBuf {
        self.directory.join("project")
    }

    fn lock(&self) -> PathBuf {
        self.project().join("lock/strix.lock")
    }

    fn store(&self, name: &str) -> PathBuf {
        self.directory.join("stores").join(name)
    }

    fn heading(&self, text: &str) {
        self.ui.line(format!("\n{GOOD}== {text}{GOOD:#}"));
    }

    /// Runs strixlock like a person, and shows the command and its output.
    fn strixlock(&self, store: &str, arguments: &[&str]) -> Result<()> {
        self.ui.line(format!("{DIM}$ strixlock {}{DIM:#}", arguments.join(" ")));
        let status = self.command(store, arguments)?.status()?;
        if status.success() { Ok(()) } else { Err(failed(arguments, status)) }
    }

    /// Runs `realize` and returns the names and tree digests of the outputs.
    fn realized(&self, store: &str, arguments: &[&str]) -> Result<Vec<(String, String)>> {
        self.ui.line(format!("{DIM}$ strixlock {}   # store {store}{DIM:#}", arguments.join(" ")));
        let output = self.command(store, arguments)?.arg("--json").stderr(std::process::Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(failed(arguments, output.status));
        }
        let value: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| Error::failure("realize printed no JSON").because(&error))?;
        let outputs = value["outputs"].as_object().cloned().unwrap_or_default();
        let trees: Vec<(String, String)> = outputs
            .iter()
            .map(|(name, output)| (name.clone(), output["tree"].as_str().unwrap_or_default().to_owned()))
            .collect();
        for (name, digest) in &trees {
            self.ui.line(format!("{name:8} {digest}"));
        }
        Ok(trees)
    }

    fn command(&self, store: &str, arguments: &[&str]) -> Result<Command> {
        fs_err::create_dir_all(self.project())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--store").arg(self.store(store)).args(arguments).current_dir(self.project());
        // The configuration of the person who runs the demo must not change the demo.
        command.env("XDG_CONFIG_HOME", self.directory.join("no-configuration"));
        // Builds of seconds gain nothing, and would tell whether this machine has ccache.
        command.env("STRIXLOCK_COMPILE_CACHE", "off");
        for name in ["STRIXLOCK_STORE", "STRIXLOCK_MANIFEST", "STRIXLOCK_LOCK", "STRIXLOCK_CONFIG"] {
            command.env_remove(name);
        }
        Ok(command)
    }

    fn output(&self, command: &mut Command) -> Result<String> {
        let output = command.output()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        self.ui.line(&text);
        if output.status.success() {
            Ok(text)
        } else {
            Err(Error::failure(format!("a built program failed: {}", output.status)).excerpt(text))
        }
    }

    fn want_version(&self, old: &str, new: &str) -> Result<()> {
        let path = self.project().join("manifests/strix.toml");
        let text = fs_err::read_to_string(&path)?;
        self.ui.line(format!("{DIM}manifests/strix.toml: version = \"{new}\"{DIM:#}"));
        Ok(fs_err::write(&path, text.replacen(&format!("version = \"{old}\""), &format!("version = \"{new}\""), 1))?)
    }

    fn want_model(&self, endpoint: &str) -> Result<()> {
        let path = self.project().join("manifests/strix.toml");
        let model = format!(
            "\n[inputs.model]\ntype = \"huggingface\"\nmodel = \"demo/tiny-GGUF:F32\"\nendpoints = [{endpoint:?}]\n\n\
             [outputs.model]\ntype = \"model\"\n"
        );
        self.ui.line(format!("{DIM}manifests/strix.toml: and a model, demo/tiny-GGUF:F32{DIM:#}"));
        Ok(fs_err::write(&path, fs_err::read_to_string(&path)? + &model)?)
    }

    /// Validates on the CPU and returns the digest of the generated text.
    fn validated(&self) -> Result<String> {
        self.strixlock("a", &["validate", "--device", "cpu"])?;
        let lock = crate::digest::Sha256Digest::of(&fs_err::read(self.lock())?);
        let validation = crate::validate::of(&self.project().join("validation"), lock);
        let generation = validation.and_then(|validation| validation.generation);
        generation
            .map(|generation| generation.sha256.to_string())
            .ok_or_else(|| Error::failure("validate wrote no record with a text"))
    }

    fn prove(&mut self, what: &str, holds: bool, proof: &str) -> Result<()> {
        if !holds {
            return Err(Error::new(Kind::NotReproducible, format!("the demo failed: {what}"))
                .fact("files", self.directory.display()));
        }
        self.shown.push([what.to_owned(), proof.to_owned()]);
        Ok(())
    }

    fn table(&self) {
        self.heading(&format!("Shown in {} seconds", self.begun.elapsed().as_secs()));
        let mut table = Table::new([Column::text(""), Column::text("")]);
        for row in &self.shown {
            table.row(row.clone());
        }
        self.ui.table(&table);
        self.ui.line(format!("\nfiles: {}", self.directory.display()));
        self.ui.line(format!(
            "clean up: chmod -R u+w {0} && rm -rf {0}",
            shell_word(&self.directory.display().to_string())
        ));
        self.heading("Now for real, in a directory of your own");
        self.ui.line(FOR_REAL);
    }
}

fn failed(arguments: &[&str], status: std::process::ExitStatus) -> Error {
    Error::failure(format!("`strixlock {}` failed: {status}", arguments.join(" ")))
}
