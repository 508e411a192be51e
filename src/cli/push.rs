//! `strixlock push`

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use super::Session;
use super::remote::open;
use super::table::{Column, Table};
use crate::digest::DerivationId;
use crate::error::{About as _, Error, Kind, Result};
use crate::fetch::Access;
use crate::lock::Lock;
use crate::realize::short_version;
use crate::recipe::Origin;
use crate::remote::{About, Notes, Outgoing, SignedStatement, attach, attach_notes, push};
use crate::store::Store;
use crate::text;
use crate::trust::Statement;

/// Send realized outputs to a remote, for other machines
///
/// Sends only what the remote does not have: what has changed since the last nightly. Without names, sends the outputs
/// that are made here; those that consist of published files can be fetched from where they are published.
#[derive(Debug, clap::Args)]
pub struct PushArgs {
    /// Outputs [default: those that are made here]
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Send all outputs of the lock that are realized, also those of published files
    #[arg(long, conflicts_with = "outputs")]
    all: bool,
    /// Name or address of the remote [default: the first of the configuration]
    #[arg(long, value_name = "REMOTE")]
    to: Option<String>,
    /// SSH key to sign with that the derivations have these trees [default: the key that git signs with]
    #[arg(long, value_name = "FILE", value_parser = super::paths::path())]
    key: Option<PathBuf>,
    /// Sign nothing: others take only what their lock has the digest of
    #[arg(long, conflicts_with = "key")]
    no_sign: bool,
}

pub fn run(args: &PushArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    let store = session.store()?;
    let outgoing = outgoing(args, session, lock, store)?;
    let (name, remote) = open(session, args.to.as_deref(), Access::Write)?;
    // A key that is not there, or a passphrase that is not known, is told before anything is sent.
    let signed = Signed::of(args, session, lock, &outgoing)?;
    let sent = push(&*remote, store, &outgoing, &lock.to_text()?, &*ui.progress)?;
    let staging = store.stage()?;
    for (output, statement) in &signed.statements {
        let pushed = sent.outputs.iter().find(|pushed| pushed.name == *output);
        if let Some(pushed) = pushed {
            attach(&*remote, pushed.manifest, statement, staging.path()).about(output)?;
        }
    }
    ui.total();
    for output in made(store, lock, &outgoing)? {
        if let Some(pushed) = sent.outputs.iter().find(|pushed| pushed.name == output.about.name) {
            let read = |path: Option<PathBuf>| path.map(fs_err::read).transpose();
            // The log of a build that failed is not that of this tree.
            let log = store.output_log(output.derivation).filter(|path| path.ends_with("log"));
            let notes = Notes { log: read(log)?, about: read(store.output_about(output.derivation))? };
            attach_notes(&*remote, pushed.manifest, output.derivation, &notes, staging.path())
                .about(&output.about.name)?;
        }
    }
    let names: Vec<&String> = signed.statements.keys().collect();
    let json = json!({
        "remote": name, "address": remote.address(), "outputs": sent.outputs,
        "sent": { "bytes": sent.bytes, "packs": sent.packs }, "reused": sent.reused,
        "signed": names, "key": signed.key,
    });
    ui.result(json, || {
        let mut table = Table::new([
            Column::name("output"),
            Column::number("size"),
            Column::word("result"),
            Column::word("tree"),
            Column::word(""),
        ]);
        for one in &sent.outputs {
            let result = if one.there { "present" } else { "sent" };
            let by = if signed.statements.contains_key(&one.name) { "signed" } else { "" };
            table.row([one.name.as_str(), &text::bytes(one.size), result, &one.tree.hex()[..12], by]);
        }
        ui.table(&table);
        let packs = text::counted(sent.packs, "pack");
        ui.line(format!(
            "{}: sent {} in {packs}; it had {}",
            remote.address(),
            text::bytes(sent.bytes),
            text::bytes(sent.reused)
        ));
    });
    Ok(0)
}

/// Statements about outputs, signed.
struct Signed {
    /// By output.
    statements: BTreeMap<String, SignedStatement>,
    /// The fingerprint of the key.
    key: Option<String>,
}

impl Signed {
    /// Signs that the derivations of outputs have their trees, for those that were made here.
    fn of(args: &PushArgs, session: &Session, lock: &Lock, outgoing: &[Outgoing]) -> Result<Self> {
        let mut signed = Self { statements: BTreeMap::new(), key: None };
        let made = made(session.store()?, lock, outgoing)?;
        if args.no_sign || made.is_empty() {
            return Ok(signed);
        }
        let key = match session.signing_key(args.key.as_deref()) {
            Ok(key) => key,
            Err(error) if args.key.is_none() && error.kind() == Kind::NotFound => {
                session.ui.warning(&format!(
                    "nothing is signed, so others take only what their lock has the digest of: {}",
                    error.advice().unwrap_or(error.message())
                ));
                return Ok(signed);
            }
            Err(error) => return Err(error),
        };
        for output in made {
            let About { name, version, .. } = output.about.clone();
            let (kind, version) = (lock.output(&name)?.recipe.kind().to_owned(), Some(version));
            let (derivation, tree) = (output.derivation, output.tree.digest);
            let statement = Statement { derivation, tree, name: name.clone(), kind, version };
            let (text, signature) = statement.sign(&key)?;
            signed.statements.insert(name, SignedStatement { text, signature: signature.into_bytes() });
        }
        signed.key = Some(key.public()?.fingerprint());
        Ok(signed)
    }
}

/// Returns the outputs that were made here: somebody else's word is not repeated as one's own.
fn made<'o>(store: &Store, lock: &Lock, outgoing: &'o [Outgoing]) -> Result<Vec<&'o Outgoing>> {
    let mut made = Vec::new();
    for output in outgoing {
        let is_taken = lock.output(&output.about.name)?.recipe.origin() == Origin::Taken;
        if !is_taken && store.received(output.derivation, output.tree.digest).is_none() {
            made.push(output);
        }
    }
    Ok(made)
}

/// Returns the outputs to send.
fn outgoing(args: &PushArgs, session: &Session, lock: &Lock, store: &Store) -> Result<Vec<Outgoing>> {
    let names: Vec<String> = if args.all {
        lock.outputs.keys().cloned().collect()
    } else if args.outputs.is_empty() {
        let made = |name: &&String| lock.outputs.get(*name).is_some_and(|one| one.recipe.origin() != Origin::Taken);
        lock.usual_outputs().filter(made).cloned().collect()
    } else {
        args.outputs.clone()
    };
    let mut all: BTreeMap<usize, Outgoing> = BTreeMap::new();
    let order = lock.ordered();
    for name in &names {
        let output = lock.output(name)?;
        let record = store.output_record(output.derivation)?;
        let tree = record.map(|record| record.tree).filter(|tree| output.tree.is_none_or(|sealed| sealed == *tree));
        let tree = tree.or_else(|| output.tree.filter(|_| output.recipe.published().is_some()));
        let tree = match tree {
            Some(tree) => store.thaw(tree, name, &*session.ui.progress).about(name)?,
            None => None,
        };
        let Some(tree) = tree else {
            if args.all {
                session.ui.warning(&format!("{name}: passed over, since it is not realized"));
                continue;
            }
            return Err(Error::new(Kind::NotFound, "the output is not realized")
                .about(name)
                .hint(format!("`strixlock realize {name}` makes it")));
        };
        let about = About {
            name: name.clone(),
            version: short_version(lock, name),
            seconds: seconds(store, output.derivation),
        };
        let place = order.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        all.insert(place, Outgoing { about, derivation: output.derivation, tree });
    }
    if all.is_empty() {
        return Err(Error::new(Kind::NotFound, "there is nothing to push")
            .hint("`strixlock push --all` sends outputs of published files, too"));
    }
    Ok(all.into_values().collect())
}

/// Returns the seconds that the build of an output took, if this store has its record.
fn seconds(store: &Store, derivation: DerivationId) -> Option<u64> {
    #[derive(Deserialize)]
    struct Build {
        seconds: u64,
    }
    let text = fs_err::read(store.output_about(derivation)?).ok()?;
    serde_json::from_slice::<Build>(&text).ok().map(|build| build.seconds)
}
