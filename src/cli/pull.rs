//! `strixlock pull`

use serde_json::json;

use super::Session;
use super::remote::take::Taking;
use super::table::{Column, Table};
use crate::error::{Error, Kind, Result};
use crate::text;

/// Receive outputs of the lock from a remote, and build nothing
///
/// Receives only what the store lacks. Makes no generation: `strixlock realize` then finds the outputs in the store.
#[derive(Debug, clap::Args)]
pub struct PullArgs {
    /// Outputs [default: all except images]
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Name or address of the remote [default: all of the configuration, in order]
    #[arg(long, value_name = "REMOTE")]
    from: Option<String>,
}

pub fn run(args: &PullArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    let store = session.store()?;
    store.demand_writable()?;
    store.register_lock(&session.project.lock_path())?;
    let names: Vec<String> =
        if args.outputs.is_empty() { lock.usual_outputs().cloned().collect() } else { args.outputs.clone() };
    let from = match &args.from {
        Some(name) => name.clone(),
        // The hint is given where none is configured.
        None => session.remote(None)?.name,
    };
    let several = args.from.is_none() && session.remotes()?.len() > 1;
    let mut taking = Taking::open(session, if several { None } else { Some(&from) })?;
    let mut present = Vec::new();
    for name in &names {
        let output = lock.output(name)?;
        let record = store.output_record(output.derivation)?;
        let there = record.is_some_and(|record| output.tree.is_none_or(|sealed| sealed == record.tree));
        if there {
            present.push(name.clone());
        } else if !taking.take(lock, name, several)? {
            return Err(Error::new(
                Kind::NotFound,
                "no remote has this output, or nobody who is trusted has signed it",
            )
            .about(name)
            .hint(format!("`strixlock realize {name}` builds it; `strixlock remote ls` lists what a remote has")));
        }
    }
    ui.total();
    ui.result(json!({ "taken": taking.taken(), "present": present }), || {
        let mut table = Table::new([
            Column::name("output"),
            Column::number("received"),
            Column::word("from"),
            Column::word("tree"),
        ]);
        for one in taking.taken() {
            let (bytes, tree) = (text::bytes(one.bytes), &one.tree.hex()[..12]);
            table.row([one.output.as_str(), &bytes, &one.remote, tree]);
        }
        for name in &present {
            table.row([name.as_str(), "", "present"]);
        }
        ui.table(&table);
    });
    Ok(0)
}
