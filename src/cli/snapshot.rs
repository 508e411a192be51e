//! `strixlock snapshot`

use std::path::{Path, PathBuf};

use super::{GlobalArgs, Ui};
use crate::error::{About, Error, Kind, Result};
use crate::export::snapshot::{self, Compression, Part, SnapshotOutput};
use crate::lock::Lock;
use crate::realize::version;
use crate::store::{LinkMode, checkout};
use crate::text;

/// Put realized outputs into one file, and bring them back
///
/// The same outputs give the same file on every machine: for a cache, key it with `strixlock lock digest OUTPUT`.
#[derive(Debug, clap::Subcommand)]
pub enum SnapshotCommand {
    Save(SaveArgs),
    Restore(RestoreArgs),
}

/// Write realized outputs to one deterministic archive that carries their listings
#[derive(Debug, clap::Args)]
#[command(override_usage = "strixlock snapshot save [OPTIONS] [OUTPUT]... <FILE.tar.zst>")]
pub struct SaveArgs {
    /// The outputs, all but images when none is named; last, the file to write
    // One argument for both: clap allows no optional list before a required argument.
    #[arg(value_name = "OUTPUT|FILE", required = true)]
    outputs_and_file: Vec<String>,
    /// zstd's level
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=22))]
    level: i32,
    /// Look for repetitions in a window of 128 MiB: for archives of several nightlies
    #[arg(long)]
    long: bool,
    /// Threads that compress; the file is the same with any number [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
}

/// Unpack a snapshot, verified against its listings and the lock, without network
///
/// What the lock names is then realized; `strixlock realize` switches to it. With --to, plain copies are written as well.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The snapshot
    #[arg(value_name = "FILE.tar.zst", value_parser = super::paths::path())]
    file: PathBuf,
    /// Write plain copies below this directory; needs no lock
    #[arg(long, value_name = "DIR", value_parser = super::paths::path())]
    to: Option<PathBuf>,
    /// How files get into the copies
    #[arg(long, value_enum, default_value_t, requires = "to")]
    link_mode: LinkMode,
    /// Replace what stands where a copy should go
    #[arg(short, long, requires = "to")]
    force: bool,
}

pub fn snapshot(ui: &Ui, global: &GlobalArgs, command: &SnapshotCommand) -> Result<u8> {
    match command {
        SnapshotCommand::Save(args) => save(ui, global, args),
        SnapshotCommand::Restore(args) => restore(ui, global, args),
    }
}

fn save(ui: &Ui, global: &GlobalArgs, args: &SaveArgs) -> Result<u8> {
    let lock = global.lock_to_use(ui)?;
    let store = global.open_store()?;
    // clap demands one value at least.
    let Some((file, named)) = args.outputs_and_file.split_last() else { return Ok(0) };
    demand_file(file, &lock)?;
    let file = &super::paths::expand(Path::new(file)).map_err(|why| Error::new(Kind::Usage, why))?;
    let names: Vec<&String> = if named.is_empty() { lock.usual_outputs().collect() } else { named.iter().collect() };
    let mut parts: Vec<Part> = Vec::new();
    for name in names {
        let output = lock.output(name)?;
        let found = store.hot_output(output.derivation, name, &*ui.progress)?;
        let (record, tree) =
            found.filter(|(record, _)| output.tree.is_none_or(|sealed| sealed == record.tree)).ok_or_else(|| {
                Error::new(Kind::NotFound, "this output is not realized")
                    .about(name)
                    .hint(format!("`strixlock realize {name}` makes it"))
            })?;
        if parts.iter().any(|part| part.output.name == *name) {
            continue;
        }
        let output = SnapshotOutput {
            name: name.clone(),
            version: version(&lock, name),
            derivation: output.derivation,
            tree: record.tree,
        };
        parts.push(Part { output, tree });
    }
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get().min(256) as u32));
    let compression = Compression { level: args.level, long: args.long, threads };
    let outputs: Vec<SnapshotOutput> = parts.iter().map(|part| part.output.clone()).collect();
    let saved = snapshot::save(parts, file, compression, &*ui.progress)?;
    if ui.is_json() {
        ui.json(serde_json::json!({
            "file": file.display().to_string(), "size": saved.size, "digest": saved.digest, "outputs": outputs,
        }));
    } else {
        let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
        ui.line(format!("{}: {}, {}", file.display(), names.join(", "), text::bytes(saved.size)));
        ui.line(saved.digest.to_string());
    }
    Ok(0)
}

/// Fails if the last argument looks like an output and not like a file: whoever forgot the file means no file of that name.
fn demand_file(file: &str, lock: &Lock) -> Result<()> {
    if file.contains(['/', '.']) && !lock.outputs.contains_key(file) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "the file to write is missing").fact("last argument", file).hint(format!(
        "name the file last: `strixlock snapshot save {file} {file}.tar.zst`, or `./{file}` for a file of that name"
    )))
}

fn restore(ui: &Ui, global: &GlobalArgs, args: &RestoreArgs) -> Result<u8> {
    let path = global.lock_path();
    let lock = if args.to.is_some() { Lock::read_if_there(&path)? } else { Some(global.read_lock()?) };
    let store = global.open_store()?;
    let restored = snapshot::restore(&store, &args.file, lock.as_ref(), &*ui.progress)?;
    for one in &restored {
        if let Some(to) = &args.to {
            checkout(&one.tree, &to.join(&one.output.name), args.link_mode, args.force).about(&one.output.name)?;
        }
    }
    let locked = |one: &snapshot::Restored| {
        lock.as_ref().is_some_and(|lock| lock.outputs.values().any(|out| out.derivation == one.output.derivation))
    };
    if ui.is_json() {
        let outputs: Vec<_> = restored
            .iter()
            .map(|one| {
                let path = args.to.as_ref().map_or_else(|| one.tree.path.clone(), |to| to.join(&one.output.name));
                serde_json::json!({ "output": one.output, "locked": locked(one), "path": path.display().to_string() })
            })
            .collect();
        ui.json(serde_json::json!({ "restored": outputs }));
        return Ok(0);
    }
    ui.table(
        &restored
            .iter()
            .map(|one| vec![one.output.name.clone(), one.output.tree.to_string(), one.output.version.clone()])
            .collect::<Vec<_>>(),
    );
    for one in restored.iter().filter(|one| args.to.is_none() && !locked(one)) {
        ui.warning(&format!(
            "{} is not what this lock makes: its tree is in the store, and nothing uses it",
            one.output.name
        ));
    }
    Ok(0)
}
