//! `strixlock snapshot save`

use std::path::Path;

use crate::cli::Session;
use crate::cli::paths::expand;
use crate::digest::TreeDigest;
use crate::error::{Error, Kind, Result};
use crate::export::snapshot::{self, Base, Part, SnapshotOutput, ZstdOptions};
use crate::lock::Lock;
use crate::realize::version;
use crate::text;
use crate::threads::cores;

/// Write realized outputs and their listings to one deterministic archive
#[derive(Debug, clap::Args)]
#[command(override_usage = "strixlock snapshot save [OPTIONS] [OUTPUT]... <FILE.tar.zst>")]
pub struct SaveArgs {
    /// Outputs to save [default: all except images], and last the file to write
    // One argument for both: clap allows no optional list before a required argument.
    #[arg(value_name = "OUTPUT|FILE", required = true)]
    outputs_and_file: Vec<String>,
    /// Level of zstd
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=22))]
    level: i32,
    /// Use a window of 128 MiB, for archives of several nightlies
    #[arg(long)]
    long: bool,
    /// Compress with N threads; the result does not depend on N [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Leave out contents that occur twice
    #[arg(long)]
    delta: bool,
    /// Leave out contents of this tree, which the receiver's store has; implies --delta
    #[arg(long, value_name = "TREE")]
    beside: Vec<TreeDigest>,
}

pub fn run(args: &SaveArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    let store = session.store()?;
    // clap demands one value at least.
    let Some((file, named)) = args.outputs_and_file.split_last() else { return Ok(0) };
    demand_file(file, lock)?;
    let file = &expand(Path::new(file)).map_err(|why| Error::new(Kind::Usage, why))?;
    let names: Vec<&String> = if named.is_empty() { lock.usual_outputs().collect() } else { named.iter().collect() };
    let mut parts: Vec<Part> = Vec::new();
    for name in names {
        let output = lock.output(name)?;
        let found = store.hot_output(output.derivation, name, &*ui.progress)?;
        let (record, tree) =
            found.filter(|(record, _)| output.tree.is_none_or(|sealed| sealed == record.tree)).ok_or_else(|| {
                Error::new(Kind::NotFound, "the output is not realized")
                    .about(name)
                    .hint(format!("`strixlock realize {name}` makes it"))
            })?;
        if parts.iter().any(|part| part.output.name == *name) {
            continue;
        }
        let output = SnapshotOutput {
            name: name.clone(),
            version: version(lock, name),
            derivation: output.derivation,
            tree: record.tree,
        };
        parts.push(Part { output, tree });
    }
    let threads = args.threads.unwrap_or_else(|| cores().min(256) as u32);
    let compression = ZstdOptions { level: args.level, long: args.long, threads };
    let outputs: Vec<SnapshotOutput> = parts.iter().map(|part| part.output.clone()).collect();
    let mut beside = Vec::new();
    for tree in &args.beside {
        beside.push(Base::of(store, *tree)?.ok_or_else(|| {
            Error::new(Kind::NotFound, "the store has no tree with this digest")
                .fact("tree", tree)
                .hint("`strixlock generations --outputs` lists trees")
        })?);
    }
    let beside = (args.delta || !beside.is_empty()).then_some(beside.as_slice());
    let saved = snapshot::save(parts, beside, file, compression, &*ui.progress)?;
    let json = serde_json::json!({
        "file": file.display().to_string(), "size": saved.size, "digest": saved.digest, "outputs": outputs,
        "beside": beside.map(|trees| trees.iter().map(|tree| tree.digest).collect::<Vec<_>>()),
    });
    ui.result(json, || {
        let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
        ui.line(format!("{}: {}, {}", file.display(), names.join(", "), text::bytes(saved.size)));
        ui.line(saved.digest.to_string());
    });
    Ok(0)
}

/// Fails if the last argument looks like an output rather than a file, since the file was probably forgotten.
fn demand_file(file: &str, lock: &Lock) -> Result<()> {
    if file.contains(['/', '.']) && !lock.outputs.contains_key(file) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "missing file to write").fact("last argument", file).hint(format!(
        "name the file last: `strixlock snapshot save {file} {file}.tar.zst`, or `./{file}` for a file of that name"
    )))
}
