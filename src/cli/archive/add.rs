//! `strixlock archive` without a command: adds locks.

use std::path::Path;

use super::{beside, directory};
use crate::archive::{Added, Archive, ArchiveName, RegistryArchive, add, make_layout, pack, refresh, unpacked};
use crate::cli::Session;
use crate::cli::paths::{archive, shown};
use crate::error::{Error, Kind, Result};
use crate::fetch::Access;
use crate::intake::Intake;
use crate::lock::Lock;
use crate::text;

#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Archive: a directory, a .tar file of one, a repository of a registry (oci://HOST/REPOSITORY), or a directory that
    /// is an OCI image layout too [default: $XDG_DATA_HOME/strixlock/archive]
    #[arg(long, value_name = "DIR|FILE.tar|oci://...|oci-layout:DIR", value_parser = archive)]
    to: Option<ArchiveName>,
    /// Keep the locks of all generations of this project too
    #[arg(long)]
    all_generations: bool,
    /// Keep ROCm as trees in compressed chunks that nightlies share, in place of tarballs: less space, but the tarballs
    /// themselves cannot be restored
    #[arg(long)]
    cold: bool,
}

/// The result of archiving.
struct Archived {
    added: Vec<Added>,
    locks: usize,
    warnings: Vec<String>,
    /// The size of the tar file that it is.
    size: Option<u64>,
}

pub fn run(args: &AddArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let in_registry = match &args.to {
        Some(ArchiveName::Registry { host, repository }) => {
            if args.cold {
                return Err(whole_files("a registry"));
            }
            Some(session.registry_archive(host, repository, Access::Write)?)
        }
        _ => None,
    };
    let mut locks = if args.all_generations { of_generations(session)? } else { Vec::new() };
    let lock = session.lock_to_use()?;
    locks.retain(|one| one.to_text().ok() != lock.to_text().ok());
    locks.push(lock.clone());
    let (place, archived) = match (&args.to, in_registry) {
        (_, Some(archive)) => (archive.address(), send(session, &locks, archive)?),
        (Some(ArchiveName::File(file)), _) => {
            let temporary = beside(file)?;
            if file.exists() {
                unpacked(file, temporary.path(), &*ui.progress)?;
            }
            let archived = keep(session, &locks, temporary.path(), args.cold, false)?;
            let size = pack(&Archive::open(temporary.path())?, file, &*ui.progress)?;
            (file.display().to_string(), Archived { size: Some(size), ..archived })
        }
        (name, _) => {
            let place = directory(name.as_ref(), session)?;
            let is_layout = matches!(name, Some(ArchiveName::Layout(_)));
            if is_layout && args.cold {
                return Err(whole_files("an OCI image layout"));
            }
            (place.display().to_string(), keep(session, &locks, &place, args.cold, is_layout)?)
        }
    };
    for warning in &archived.warnings {
        ui.warning(warning);
    }
    let json = serde_json::json!({
        "archive": place, "added": archived.added, "locks": archived.locks, "size": archived.size,
    });
    ui.result(json, || {
        for one in &archived.added {
            ui.line(line(one));
        }
        let size = archived.size.map(|size| format!(", {}", text::bytes(size))).unwrap_or_default();
        ui.line(format!("{}: {}{size}", shown(Path::new(&place)), text::counted(archived.locks, "lock")));
    });
    Ok(0)
}

/// Returns the error for a form of archive that cannot have trees in place of tarballs.
fn whole_files(form: &str) -> Error {
    Error::new(Kind::Usage, format!("{form} has whole files, and --cold keeps trees"))
        .hint("use a plain directory with --cold")
}

/// Describes an added lock.
fn line(one: &Added) -> String {
    let lock = &one.lock.hex()[..12];
    let there = if one.there > 0 { format!(", {} there", one.there) } else { String::new() };
    match (one.files, one.new) {
        (0, false) => format!("lock {lock}: nothing new{there}"),
        (files, _) => {
            format!("lock {lock}: {}, {}{there}", text::counted(files as usize, "new file"), text::bytes(one.bytes))
        }
    }
}

/// Adds locks to the archive in a directory.
fn keep(session: &Session, locks: &[Lock], place: &Path, cold: bool, is_layout: bool) -> Result<Archived> {
    let archive = Archive::open_to_write(place)?;
    if is_layout {
        make_layout(&archive)?;
    }
    let added = add_all(session, locks, |intake, lock| add(&archive, intake, lock, cold))?;
    let warnings = refresh(&archive, added.last().map(|one| one.lock))?;
    Ok(Archived { added, locks: archive.locks()?.len(), warnings, size: None })
}

/// Adds locks to the archive in a registry.
fn send(session: &Session, locks: &[Lock], mut archive: RegistryArchive) -> Result<Archived> {
    let added = add_all(session, locks, |intake, lock| archive.add(intake, lock))?;
    Ok(Archived { added, locks: archive.count(), warnings: archive.warnings(), size: None })
}

/// Adds locks, after their files beside the manifest were taken into the store.
fn add_all(
    session: &Session,
    locks: &[Lock],
    mut add: impl FnMut(Intake, &Lock) -> Result<Added>,
) -> Result<Vec<Added>> {
    let (intake, project) = (session.intake()?, session.project.manifest_directory());
    let mut added: Vec<Added> = Vec::new();
    for lock in locks {
        for (name, input) in &lock.inputs {
            input.bring(intake, name, &project)?;
        }
        let one = add(intake, lock)?;
        // Two generations may have one lock.
        if added.iter().all(|other| other.lock != one.lock) {
            added.push(one);
        }
    }
    Ok(added)
}

/// Returns the locks of all generations. Warns of those that cannot be read.
fn of_generations(session: &Session) -> Result<Vec<Lock>> {
    let profile = session.profile_there()?;
    let mut locks = Vec::new();
    for number in profile.generations()? {
        match Lock::read(&profile.generation_lock(number)) {
            Ok(lock) => locks.push(lock),
            Err(error) => {
                session
                    .ui
                    .warning(&format!("passed over generation {number}: its lock cannot be read: {}", error.message()));
            }
        }
    }
    Ok(locks)
}
