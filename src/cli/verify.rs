//! `strixlock verify`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::tree_names::TreeNames;
use super::{Session, Ui};
use crate::digest::{Sha256Digest, TreeDigest};
use crate::error::{About, Error, Kind, Result};
use crate::lock::Lock;
use crate::store::verify::{Contents, Damage, Modes, repair, verify as compare};
use crate::store::{ColdTree, Profile, Store, StoredTree};
use crate::suggest::nearest;
use crate::text;
use crate::tree::Listing;

/// Compare trees with their listings, file by file
///
/// Lists each damaged, missing or extra file and each file with a wrong mode, and fails with exit code 7. With
/// --repair, repairs exactly these: from other copies in the store, or by fetching that input or building that output
/// again.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Outputs of the lock, tree digests, or directories written by `realize --to` [default: every tree in the store]
    #[arg(value_name = "OUTPUT|TREE|PATH")]
    what: Vec<String>,
    /// Repair damaged trees in the store
    #[arg(long)]
    repair: bool,
}

/// A tree to verify.
struct Subject {
    name: String,
    digest: TreeDigest,
    form: Form,
}

/// Form and place of a tree.
enum Form {
    /// A tree in the store.
    Hot(StoredTree),
    /// A packed tree in the store.
    Cold(ColdTree),
    /// A plain copy outside the store.
    Copy(PathBuf),
}

pub fn run(args: &VerifyArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let store = session.store()?;
    // The whole store can be verified even if the lock is invalid.
    let lock = if args.what.is_empty() && !args.repair { None } else { session.lock_if_there()? };
    let subjects = if args.what.is_empty() {
        everything(store, session.profile().ok().as_ref())?
    } else {
        named(store, lock, &args.what)?.into_iter().map(Ok).collect()
    };
    // A tree that cannot be inspected must not hide damage elsewhere.
    let (mut reports, mut uninspected) = (Vec::new(), Ok(()));
    for subject in subjects {
        match subject.and_then(|subject| inspect(ui, store, subject)) {
            Ok(report) => reports.push(report),
            Err(error) => uninspected = uninspected.and(Err(error)),
        }
    }
    let repaired = if args.repair { repair_all(session, store, lock, &mut reports) } else { Ok(()) };
    for report in &reports {
        show(ui, report);
    }
    let failed = repaired.and(uninspected);
    let bad = reports.iter().filter(|report| report.is_damaged()).count();
    if ui.is_json() {
        // One document, so that an error does not hide the reports on other trees.
        let trees: Vec<_> = reports.iter().map(TreeReport::to_json).collect();
        let error = failed.as_ref().err().map(Error::to_json);
        ui.json(serde_json::json!({ "trees": trees, "damaged": bad, "error": error }));
        let damaged = if bad > 0 { Kind::Damaged as u8 } else { 0 };
        return Ok(failed.map_or_else(|error| error.kind() as u8, |()| damaged));
    }
    failed?;
    if bad == 0 {
        let entries: usize = reports.iter().map(|report| report.listing.entries().len()).sum();
        match reports.len() {
            0 => ui.line("nothing to verify: the store has no trees"),
            1 => {}
            trees => ui.line(format!("{trees} trees ok ({entries} entries)")),
        }
        return Ok(0);
    }
    let damaged = reports.iter().filter(|report| report.is_damaged());
    let (copies, stored): (Vec<&TreeReport>, Vec<&TreeReport>) =
        damaged.partition(|report| matches!(report.subject.form, Form::Copy(_)));
    let mut hints: Vec<String> = copies.into_iter().map(|report| report.subject.written_again()).collect();
    if args.repair {
        hints.push("the remaining damage could not be repaired".to_owned());
    } else if !stored.is_empty() {
        hints.insert(0, "`strixlock verify --repair` repairs exactly these".to_owned());
    }
    let hint = hints.join("; ");
    Err(Error::new(Kind::Damaged, format!("{bad} of {} trees are damaged", reports.len())).hint(hint))
}

/// Result of inspecting a tree.
struct TreeReport {
    subject: Subject,
    listing: Listing,
    damages: Vec<Damage>,
    repaired: bool,
}

impl TreeReport {
    /// Returns true if the tree has damage that was not repaired.
    fn is_damaged(&self) -> bool {
        !self.damages.is_empty() && !self.repaired
    }

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

fn show(ui: &Ui, report: &TreeReport) {
    if ui.is_json() {
        return;
    }
    let name = &report.subject.name;
    for damage in &report.damages {
        let done = if report.repaired { "repaired: " } else { "" };
        ui.line(format!("{name}: {done}{} {}", damage.fault.label(), damage.display()));
    }
    if report.damages.is_empty() {
        ui.line(format!("{name}: ok ({} entries)", report.listing.entries().len()));
    }
}

/// Repairs all damaged trees that can be repaired. Repairing one may need another that is damaged too, so the others
/// are tried again as long as one succeeds.
fn repair_all(session: &Session, store: &Store, lock: Option<&Lock>, reports: &mut [TreeReport]) -> Result<()> {
    loop {
        let (mut progress, mut failed) = (false, Ok(()));
        for report in reports.iter_mut().filter(|report| report.is_damaged()) {
            if let Form::Copy(path) = &report.subject.form {
                return Err(Error::failure("cannot repair a copy: it must be written again")
                    .fact("copy", path.display())
                    .hint(report.subject.written_again()));
            }
            if let Err(error) = repair_tree(session, store, lock, report) {
                failed = failed.and(Err(error));
                continue;
            }
            // A repaired cold tree is hot now.
            let repaired = in_store(store, &report.subject.name, report.subject.digest)?;
            report.repaired = damages(&session.ui, &repaired, &report.listing)?.is_empty();
            progress |= report.repaired;
        }
        if failed.is_ok() || !progress {
            return failed;
        }
    }
}

/// Compares a tree with its listing.
fn inspect(ui: &Ui, store: &Store, subject: Subject) -> Result<TreeReport> {
    let listing = store.listing(subject.digest).about(&subject.name)?.unwrap_or_default();
    let damages = damages(ui, &subject, &listing)?;
    Ok(TreeReport { subject, listing, damages, repaired: false })
}

fn damages(ui: &Ui, subject: &Subject, listing: &Listing) -> Result<Vec<Damage>> {
    match &subject.form {
        Form::Hot(tree) => compare(&subject.name, &tree.path, listing, Modes::Store, &*ui.progress),
        Form::Copy(path) => compare(&subject.name, path, listing, Modes::Copy, &*ui.progress),
        Form::Cold(tree) => tree.verify(&subject.name, &*ui.progress),
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

    /// Returns a hint with the command that writes a copy again. The directory has the name of the output.
    fn written_again(&self) -> String {
        let parent = self.path().and_then(Path::parent).map(|parent| parent.display().to_string()).unwrap_or_default();
        let parent = if parent.is_empty() { "." } else { &parent };
        // `named` found the output by the last part of the path.
        let output = self.path().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or(&self.name);
        format!("`strixlock realize {output} --to {} --force` writes the copy again", text::shell_word(parent))
    }
}

/// Returns every tree in the store, or the error for one that is incomplete.
fn everything(store: &Store, profile: Option<&Profile>) -> Result<Vec<Result<Subject>>> {
    let names = TreeNames::read(store, profile);
    let mut named: Vec<(String, TreeDigest)> =
        store.trees()?.into_iter().map(|digest| (names.or_digest(digest), digest)).collect();
    named.sort();
    let subject = |(name, digest): (String, TreeDigest)| {
        in_store(store, &name, digest).map_err(|error| {
            Error::new(Kind::Damaged, "incomplete tree in the store")
                .about(name)
                .fact("tree", digest)
                .because(&error)
                .hint("`strixlock realize` makes it again; `strixlock gc` removes it if no lock needs it")
        })
    };
    Ok(named.into_iter().map(subject).collect())
}

/// Returns a tree in the store, hot or cold.
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
                Error::new(Kind::NotFound, "unknown which tree this directory should hold")
                    .fact("path", path.display())
                    .hint("a copy must have the name of a realized output of the lock")
            })?;
            Subject { name: name.clone(), digest: record.tree, form: Form::Copy(path.to_path_buf()) }
        } else {
            let known = lock.iter().flat_map(|lock| lock.outputs.keys()).map(String::as_str);
            let error = Error::new(Kind::NotFound, format!("unknown output, tree or directory `{name}`"))
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

fn repair_tree(session: &Session, store: &Store, lock: Option<&Lock>, report: &TreeReport) -> Result<()> {
    let mut restore = |lacking: &BTreeSet<Contents>| {
        let Some(lock) = lock else { return Ok(()) };
        session.realizer(lock, None)?.restore_contents(lacking)
    };
    match &report.subject.form {
        Form::Hot(tree) => repair(store, tree, &report.listing, &report.damages, &mut restore),
        // Restores all contents, since the intact ones exist only in chunks. The tree is hot afterwards.
        Form::Cold(_) => {
            let contents = report.listing.entries().iter().filter_map(Contents::of).collect();
            restore(&contents).and_then(|()| store.publish_from_blobs(&report.listing)).map(drop)
        }
        Form::Copy(_) => Ok(()),
    }
    .about(&report.subject.name)
}
