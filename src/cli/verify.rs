//! `strixlock verify`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Session, Ui};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{About, Error, Kind, Result};
use crate::lock::Lock;
use crate::store::verify::{Contents, Damage, Modes, repair, verify as compare};
use crate::store::{ColdTree, Store, StoredTree};
use crate::suggest::nearest;
use crate::text;
use crate::tree::Listing;

/// Compare trees with their listings, file by file, on all cores
///
/// Names each damaged, missing, extra or mode-changed file and fails with exit code 7. With --repair, exactly those are
/// put right: from other copies in the store, by fetching just that input again, or by making just that output again.
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

pub fn run(args: &VerifyArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = session.store()?;
    // A lock that cannot be read must not keep anybody from looking at the store.
    let lock = if args.what.is_empty() && !args.repair { None } else { session.lock_if_there()? };
    let subjects = if args.what.is_empty() {
        everything(store)?
    } else {
        named(store, lock, &args.what)?.into_iter().map(Ok).collect()
    };
    // What cannot be looked at at all must not hide what is wrong elsewhere.
    let (mut looks, mut unseen) = (Vec::new(), Ok(()));
    for subject in subjects {
        match subject.and_then(|subject| see(ui, store, subject)) {
            Ok(look) => looks.push(look),
            Err(error) => unseen = unseen.and(Err(error)),
        }
    }
    let mended = if args.repair { mend_all(session, store, lock, &mut looks) } else { Ok(()) };
    for look in &looks {
        tell(ui, look);
    }
    let failed = mended.and(unseen);
    let bad = looks.iter().filter(|look| !look.damages.is_empty() && !look.repaired).count();
    if ui.is_json() {
        // One document, so that an error does not hide what was seen of the other trees.
        let report: Vec<_> = looks.iter().map(Look::to_json).collect();
        let error = failed.as_ref().err().map(Error::to_json);
        ui.json(serde_json::json!({ "trees": report, "damaged": bad, "error": error }));
        let damaged = if bad > 0 { Kind::Damaged as u8 } else { 0 };
        return Ok(failed.map_or_else(|error| error.kind() as u8, |()| damaged));
    }
    failed?;
    if bad == 0 {
        return Ok(0);
    }
    let damaged = looks.iter().filter(|look| !look.damages.is_empty() && !look.repaired);
    let (copies, stored): (Vec<&Look>, Vec<&Look>) =
        damaged.partition(|look| matches!(look.subject.form, Form::Copy(_)));
    let mut hints: Vec<String> = copies.into_iter().map(|look| look.subject.written_again()).collect();
    if args.repair {
        hints.push("what is left could not be repaired".to_owned());
    } else if !stored.is_empty() {
        hints.insert(0, "`strixlock verify --repair` restores exactly these".to_owned());
    }
    let hint = hints.join("; ");
    Err(Error::new(Kind::Damaged, format!("{bad} of {} trees are damaged", looks.len())).hint(hint))
}

/// What was seen of a subject.
struct Look {
    subject: Subject,
    listing: Listing,
    damages: Vec<Damage>,
    repaired: bool,
}

impl Look {
    fn to_json(&self) -> serde_json::Value {
        let damages: Vec<_> = self
            .damages
            .iter()
            .map(|damage| serde_json::json!({ "path": damage.display(), "fault": damage.fault }))
            .collect();
        serde_json::json!({
            "name": self.subject.name,
            "tree": self.subject.digest,
            "path": self.subject.path().map(|path| path.display().to_string()),
            "damages": damages,
            "repaired": self.repaired,
        })
    }
}

fn tell(ui: &Ui, look: &Look) {
    if ui.is_json() {
        return;
    }
    let name = &look.subject.name;
    for damage in &look.damages {
        let done = if look.repaired { "repaired: " } else { "" };
        ui.line(format!("{name}: {done}{} {}", damage.fault.label(), damage.display()));
    }
    if look.damages.is_empty() {
        ui.line(format!("{name}: {} entries as they should be", look.listing.entries().len()));
    }
}

/// Repairs what can be. What one tree lacks may have to be built in another that is damaged too: as long as one is
/// repaired, the others are tried again.
fn mend_all(session: &Session, store: &Store, lock: Option<&Lock>, looks: &mut [Look]) -> Result<()> {
    loop {
        let (mut progress, mut failed) = (false, Ok(()));
        for seen in looks.iter_mut().filter(|seen| !seen.damages.is_empty() && !seen.repaired) {
            if let Form::Copy(path) = &seen.subject.form {
                return Err(Error::failure("a copy is repaired by writing it again")
                    .fact("copy", path.display())
                    .hint(seen.subject.written_again()));
            }
            if let Err(error) = mend(session, store, lock, seen) {
                failed = failed.and(Err(error));
                continue;
            }
            // A cold tree was brought back hot.
            let mended = in_store(store, &seen.subject.name, seen.subject.digest)?;
            seen.repaired = look(&session.ui, store, &mended, &seen.listing)?.is_empty();
            progress |= seen.repaired;
        }
        if failed.is_ok() || !progress {
            return failed;
        }
    }
}

fn see(ui: &Ui, store: &Store, subject: Subject) -> Result<Look> {
    let listing = store.listing(subject.digest).about(&subject.name)?.unwrap_or_default();
    let damages = look(ui, store, &subject, &listing)?;
    Ok(Look { subject, listing, damages, repaired: false })
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

    /// Says how a copy is written again: the directory is called as the output is.
    fn written_again(&self) -> String {
        let parent = self.path().and_then(Path::parent).map(|parent| parent.display().to_string()).unwrap_or_default();
        let parent = if parent.is_empty() { "." } else { &parent };
        // Found by its last part when it was looked up.
        let output = self.path().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or(&self.name);
        format!("`strixlock realize {output} --to {} --force` writes the copy again", text::shell_word(parent))
    }
}

/// Every tree in the store, or what is wrong where that is none any more.
fn everything(store: &Store) -> Result<Vec<Result<Subject>>> {
    let subject = |digest: TreeDigest| {
        in_store(store, &digest.to_string(), digest).map_err(|error| {
            Error::new(Kind::Damaged, "only a part of a tree is left in the store")
                .about(digest.to_string())
                .because(&error)
                .hint("`strixlock realize` makes it again; `strixlock gc` removes it where no lock has it")
        })
    };
    Ok(store.trees()?.into_iter().map(subject).collect())
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
            let known = lock.iter().flat_map(|lock| lock.outputs.keys()).map(String::as_str);
            let error = Error::new(Kind::NotFound, format!("nothing here is called `{name}`"))
                .fact("expected", "an output of the lock, a tree digest or a directory");
            return Err(match nearest(name, known) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            });
        };
        subjects.push(subject);
    }
    Ok(subjects)
}

fn mend(session: &Session, store: &Store, lock: Option<&Lock>, seen: &Look) -> Result<()> {
    let mut bring = |lacking: &BTreeSet<Contents>| {
        let Some(lock) = lock else { return Ok(()) };
        session.realizer(lock, None)?.restore_contents(lacking)
    };
    match &seen.subject.form {
        Form::Hot(tree) => repair(store, tree, &seen.listing, &seen.damages, &mut bring),
        // All of its contents come again, since those that are whole are in chunks; then it is an ordinary tree.
        Form::Cold(_) => {
            let contents = seen.listing.entries().iter().filter_map(Contents::of).collect();
            bring(&contents).and_then(|()| store.publish_from_blobs(&seen.listing)).map(drop)
        }
        Form::Copy(_) => Ok(()),
    }
    .about(&seen.subject.name)
}
