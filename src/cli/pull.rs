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
    // The hint is given where none is configured.
    let first = session.remote(args.from.as_deref())?;
    let shown = first.name.clone();
    let remotes = if args.from.is_some() { vec![first] } else { session.remotes()? };
    let several = remotes.len() > 1;
    let mut taking = Taking::open(session, remotes)?;
    let mut present = Vec::new();
    for name in &names {
        let output = lock.output(name)?;
        let record = store.output_record(output.derivation)?;
        let there = record.is_some_and(|record| output.tree.is_none_or(|sealed| sealed == record.tree));
        if there {
            present.push(name.clone());
        } else if taking.lacks_trust(lock, name)? {
            return Err(Error::new(Kind::NotFound, "it has no seal, and nobody is trusted to say what it is")
                .about(name)
                .hint(format!(
                    "`strixlock trust add NAME KEY` trusts whoever pushed it; `strixlock realize {name}` builds it"
                )));
        } else if !taking.take(lock, name, several)? {
            if taking.are_down() {
                return Err(Error::new(Kind::Unreachable, "none of the remotes can be reached").about(name));
            }
            let hint =
                format!("`strixlock realize {name}` builds it; `strixlock remote ls {shown}` lists what is there");
            return Err(Error::new(
                Kind::NotFound,
                "no remote has this output, or nobody who is trusted has signed it",
            )
            .about(name)
            .hint(hint));
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
