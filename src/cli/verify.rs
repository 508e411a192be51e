//! `strixlock verify`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{GlobalArgs, Ui};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{About, Error, Kind, Result};
use crate::intake::{Intake, git_contents, tarball_contents};
use crate::lock::{Lock, LockedInput};
use crate::store::verify::{Damage, Modes, repair, verify as compare};
use crate::store::{ColdTree, Store, StoredTree};
use crate::tree::{Listing, Node};

/// Compare trees with their listings, file by file, on all cores
///
/// Names each damaged, missing, extra or mode-changed file and fails with exit code 7. With --repair, exactly those are
/// put right: from other copies in the store, or by fetching just that input again.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Outputs of the lock, tree digests, or directories that `realize --to` wrote; every tree in the store when none
    #[arg(value_name = "OUTPUT|TREE|PATH")]
    what: Vec<String>,
    /// Put right what is wrong in the store
    #[arg(long)]
    repair: bool,
}

struct Subject {
    name: String,
    digest: TreeDigest,
    form: Form,
}

enum Form {
    /// A tree in the store.
    Hot(StoredTree),
    /// One that was packed.
    Cold(ColdTree),
    /// A plain copy outside the store.
    Copy(PathBuf),
}

pub fn verify(ui: &Ui, global: &GlobalArgs, args: &VerifyArgs) -> Result<u8> {
    let store = global.open_store()?;
    // A lock that cannot be read must not keep anybody from looking at the store.
    let lock = if args.what.is_empty() && !args.repair { None } else { Lock::read_if_there(&global.lock_path())? };
    let subjects = if args.what.is_empty() { everything(&store)? } else { named(&store, lock.as_ref(), &args.what)? };
    let mut report = Vec::new();
    let mut bad = 0;
    for subject in &subjects {
        let listing = store.listing(subject.digest).about(&subject.name)?.unwrap_or_default();
        let damages = look(ui, &store, subject, &listing)?;
        let mut repaired = false;
        if args.repair && !damages.is_empty() {
            if let Form::Copy(path) = &subject.form {
                return Err(Error::failure("a copy is repaired by writing it again")
                    .fact("copy", path.display())
                    .hint("`strixlock realize OUTPUT --to DIR --force`"));
            }
            mend(ui, global, &store, lock.as_ref(), subject, &listing, &damages)?;
            // A cold tree was brought back hot.
            let mended = Subject { name: subject.name.clone(), ..in_store(&store, &subject.name, subject.digest)? };
            repaired = look(ui, &store, &mended, &listing)?.is_empty();
        }
        if !damages.is_empty() && !repaired {
            bad += 1;
        }
        tell(ui, subject, &listing, &damages, repaired);
        let damages: Vec<_> = damages
            .iter()
            .map(|damage| serde_json::json!({ "path": damage.display(), "fault": damage.fault }))
            .collect();
        report.push(serde_json::json!({ "name": subject.name, "tree": subject.digest, "path": subject.path().map(|path| path.display().to_string()), "damages": damages, "repaired": repaired }));
    }
    if ui.is_json() {
        ui.json(serde_json::json!({ "trees": report, "damaged": bad }));
        return Ok(if bad > 0 { Kind::Damaged as u8 } else { 0 });
    }
    if bad == 0 {
        return Ok(0);
    }
    let hint = if args.repair {
        "what is left could not be repaired"
    } else {
        "`strixlock verify --repair` restores exactly these"
    };
    Err(Error::new(Kind::Damaged, format!("{bad} of {} trees are damaged", subjects.len())).hint(hint))
}

fn tell(ui: &Ui, subject: &Subject, listing: &Listing, damages: &[Damage], repaired: bool) {
    if ui.is_json() {
        return;
    }
    for damage in damages {
        let done = if repaired { "repaired: " } else { "" };
        ui.line(format!("{}: {done}{} {}", subject.name, damage.fault.label(), damage.display()));
    }
    if damages.is_empty() {
        ui.line(format!("{}: {} entries as they should be", subject.name, listing.entries().len()));
    }
}

fn look(ui: &Ui, store: &Store, subject: &Subject, listing: &Listing) -> Result<Vec<Damage>> {
    match &subject.form {
        Form::Hot(tree) => compare(&subject.name, &tree.path, listing, Modes::Store, &*ui.progress),
        Form::Copy(path) => compare(&subject.name, path, listing, Modes::Copy, &*ui.progress),
        Form::Cold(tree) => store.verify_cold(tree, &subject.name, &*ui.progress),
    }
}

impl Subject {
    fn path(&self) -> Option<&Path> {
        match &self.form {
            Form::Hot(tree) => Some(&tree.path),
            Form::Copy(path) => Some(path),
            Form::Cold(_) => None,
        }
    }
}

fn everything(store: &Store) -> Result<Vec<Subject>> {
    store.trees()?.into_iter().map(|digest| in_store(store, &digest.to_string(), digest)).collect()
}

/// A tree in the store, in whichever form it is there.
fn in_store(store: &Store, name: &str, digest: TreeDigest) -> Result<Subject> {
    let hot = store.tree(digest).map(Form::Hot);
    let form = hot
        .or_else(|| store.cold(digest).map(Form::Cold))
        .ok_or_else(|| Error::new(Kind::NotFound, format!("tree {name} is not in the store")))?;
    Ok(Subject { name: name.to_owned(), digest, form })
}

fn named(store: &Store, lock: Option<&Lock>, names: &[String]) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for name in names {
        let output = lock.and_then(|lock| lock.outputs.get(name));
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        let path = Path::new(name);
        let subject = if let Some(output) = output {
            let record = store.output_record(output.derivation)?.ok_or_else(|| {
                Error::new(Kind::NotFound, format!("output `{name}` is not realized"))
                    .hint("`strixlock realize` makes it")
            })?;
            in_store(store, name, record.tree)?
        } else if let Some(digest) = Sha256Digest::from_hex(hex) {
            in_store(store, name, TreeDigest(digest))?
        } else if path.is_dir() {
            let output = path.file_name().and_then(|last| lock?.outputs.get(last.to_str()?));
            let record = match output {
                Some(output) => store.output_record(output.derivation)?,
                None => None,
            };
            let record = record.ok_or_else(|| {
                Error::new(Kind::NotFound, "it is not known which tree this directory should be")
                    .fact("path", path.display())
                    .hint("a copy is compared with the realized output of the lock that has its name")
            })?;
            Subject { name: name.clone(), digest: record.tree, form: Form::Copy(path.to_path_buf()) }
        } else {
            return Err(Error::new(
                Kind::Usage,
                format!("`{name}` is no output of the lock, no tree digest and no directory"),
            ));
        };
        subjects.push(subject);
    }
    Ok(subjects)
}

fn mend(
    ui: &Ui,
    global: &GlobalArgs,
    store: &Store,
    lock: Option<&Lock>,
    subject: &Subject,
    listing: &Listing,
    damages: &[Damage],
) -> Result<()> {
    let mut bring = |lacking: &BTreeSet<Sha256Digest>| {
        let fetcher = global.fetcher(ui)?;
        let intake = Intake { store, fetcher: &fetcher };
        let inputs = lock.map(|lock| &lock.inputs);
        for (name, input) in inputs.into_iter().flatten() {
            let Some(pin) = input.tree() else { continue };
            if !store.listing(pin.digest)?.is_some_and(|listing| holds_any(&listing, lacking)) {
                continue;
            }
            match input {
                LockedInput::Rocm(block) => tarball_contents(intake, name, &block.locked)?,
                LockedInput::Git(block) => git_contents(intake, name, &block.locked)?,
                LockedInput::File(_) | LockedInput::Debs(_) => {}
            }
        }
        Ok(())
    };
    match &subject.form {
        Form::Hot(tree) => repair(store, tree, listing, damages, &mut bring).map(drop),
        // All of its contents come again, since those that are whole are in chunks; then it is an ordinary tree.
        Form::Cold(_) => bring(&contents(listing)).and_then(|()| store.publish_from_blobs(listing)).map(drop),
        Form::Copy(_) => Ok(()),
    }
    .about(&subject.name)
}

fn contents(listing: &Listing) -> BTreeSet<Sha256Digest> {
    let files = listing.entries().iter().filter_map(|entry| match entry.node {
        Node::File { digest, .. } => Some(digest),
        _ => None,
    });
    files.collect()
}

fn holds_any(listing: &Listing, lacking: &BTreeSet<Sha256Digest>) -> bool {
    listing.entries().iter().any(|entry| matches!(entry.node, Node::File { digest, .. } if lacking.contains(&digest)))
}
