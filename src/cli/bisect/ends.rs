//! The ends of a bisect: versions that were named, or pins of generations and of the lock.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::{Archive, ArchiveName};
use crate::bisect::{End, Known};
use crate::cli::Session;
use crate::error::{Error, Kind, Result};
use crate::fetch::Access;
use crate::inputs::{InputKind, LockedInput};
use crate::lock::Lock;
use crate::suggest::suggest;

/// Both ends of a bisect.
pub(super) struct Ends {
    /// The lock of the bad end, at whose pins all other inputs are held.
    pub base: Lock,
    /// The ends of each input, good and bad.
    pub of: BTreeMap<String, (End, End)>,
    /// Inputs that moved between the ends and are held.
    pub held: Vec<String>,
}

/// One end as it was given: the lock of a generation, and versions of inputs by name.
#[derive(Default)]
struct Given {
    lock: Option<Lock>,
    named: BTreeMap<String, String>,
    /// A version without the name of an input.
    bare: Option<String>,
}

impl Given {
    fn of(session: &Session, option: &str, values: &[String], base: &Lock) -> Result<Self> {
        let mut given = Self::default();
        for value in values {
            if let Ok(number) = value.parse::<u64>() {
                given.lock = Some(generation_lock(session, number)?);
            } else if let Some((input, version)) = value.split_once('=') {
                base.inputs.get(input).ok_or_else(|| no_input(base, input))?;
                given.named.insert(input.to_owned(), version.to_owned());
            } else if given.bare.replace(value.clone()).is_some() {
                return Err(Error::new(Kind::Usage, format!("{option} has two versions without the name of an input"))
                    .hint(format!("{option} INPUT=VERSION, for each input")));
            }
        }
        Ok(given)
    }

    /// Gives the version without a name to the only input that it can be meant for.
    fn settle(&mut self, option: &str, inputs: &BTreeSet<String>) -> Result<()> {
        let Some(version) = self.bare.take() else { return Ok(()) };
        match inputs.iter().collect::<Vec<_>>().as_slice() {
            [only] => {
                self.named.insert((*only).clone(), version);
                Ok(())
            }
            _ => Err(Error::new(Kind::Usage, format!("{option} {version} does not say which input it is of")).hint(
                format!("name the input, as in `strixlock bisect rocm {option} {version}`, or {option} rocm={version}"),
            )),
        }
    }

    fn end(&self, input: &str, lock: &Lock) -> Result<End> {
        if let Some(version) = self.named.get(input) {
            return Ok(End::Named(version.clone()));
        }
        let pin = self.lock.as_ref().unwrap_or(lock).inputs.get(input);
        let pin = pin.ok_or_else(|| {
            Error::new(Kind::NotFound, "the lock of the good end does not have the input")
                .about(input)
                .hint(format!("name its version with --good {input}=VERSION"))
        })?;
        Ok(End::Pin(Box::new(pin.clone())))
    }
}

/// Returns the ends that the options name, and for the others those of the lock and of the newest generation that
/// differs from it.
pub(super) fn ends(session: &Session, inputs: &[String], good: &[String], bad: &[String]) -> Result<Ends> {
    let lock = session.lock()?;
    for input in inputs {
        lock.inputs.get(input).ok_or_else(|| no_input(lock, input))?;
    }
    let mut good = Given::of(session, "--good", good, lock)?;
    let mut bad = Given::of(session, "--bad", bad, lock)?;
    let base = bad.lock.clone().unwrap_or_else(|| lock.clone());
    let named = inputs.iter().chain(good.named.keys()).chain(bad.named.keys());
    let mut wanted: BTreeSet<String> = named.cloned().collect();
    let needs_lock =
        good.lock.is_none() && (wanted.is_empty() || !wanted.iter().all(|input| good.named.contains_key(input)));
    if needs_lock && good.bare.is_none() {
        good.lock = newest_other(session, &base, &wanted)?;
    }
    let moved: BTreeSet<String> = good.lock.iter().flat_map(|lock| moved(lock, &base)).collect();
    if wanted.is_empty() {
        if good.bare.is_some() || bad.bare.is_some() {
            let can = can_be_bisected(&base);
            wanted.extend(if can.len() == 1 { can } else { BTreeSet::new() });
        } else {
            wanted.extend(moved.iter().cloned());
        }
    }
    good.settle("--good", &wanted)?;
    bad.settle("--bad", &wanted)?;
    if wanted.is_empty() || (good.lock.is_none() && good.named.is_empty()) {
        return Err(Error::new(Kind::Usage, "the good end is not known")
            .fact("expected", "a generation of this project with other versions than the lock, or --good")
            .hint("such as `strixlock bisect rocm --good 10.1.0a20260901 run ./test.sh`"));
    }
    let mut of = BTreeMap::new();
    for input in &wanted {
        of.insert(input.clone(), (good.end(input, &base)?, bad.end(input, &base)?));
    }
    let held = moved.into_iter().filter(|input| !wanted.contains(input)).collect();
    Ok(Ends { base, of, held })
}

fn generation_lock(session: &Session, number: u64) -> Result<Lock> {
    let profile = session.profile_there()?;
    profile.generation(number)?;
    Lock::read(&profile.generation_lock(number))
}

/// Returns the lock of the newest generation in which one of these inputs, or any if none is given, has another version.
fn newest_other(session: &Session, base: &Lock, inputs: &BTreeSet<String>) -> Result<Option<Lock>> {
    let profile = session.profile()?;
    for number in profile.generations()?.into_iter().rev() {
        // A lock that cannot be read was written by a newer version: it is no end.
        let Ok(lock) = Lock::read(&profile.generation_lock(number)) else { continue };
        if moved(&lock, base).into_iter().any(|input| inputs.is_empty() || inputs.contains(&input)) {
            return Ok(Some(lock));
        }
    }
    Ok(None)
}

fn can_be_bisected(lock: &Lock) -> BTreeSet<String> {
    let can = |input: &LockedInput| matches!(input.kind(), InputKind::Rocm | InputKind::Git | InputKind::Release);
    lock.inputs.iter().filter(|(_, input)| can(input)).map(|(name, _)| name.clone()).collect()
}

/// Returns the inputs that can be bisected and have other versions in two locks.
fn moved(one: &Lock, other: &Lock) -> Vec<String> {
    let differs = |name: &String| match (one.inputs.get(name), other.inputs.get(name)) {
        (Some(one), Some(other)) => one.version() != other.version(),
        _ => false,
    };
    can_be_bisected(other).into_iter().filter(differs).collect()
}

fn no_input(lock: &Lock, name: &str) -> Error {
    Error::new(Kind::NotFound, format!("the lock has no input `{}`", crate::text::visible(name)))
        .hint(suggest(name, lock.inputs.keys().map(String::as_str)))
}

/// Returns the pins of all locks that this store knows: of generations of any profile, and registered ones. Those of an
/// archive in a directory or registry are added.
pub(super) fn known(session: &Session, archive: Option<&ArchiveName>) -> Result<Known> {
    let store = session.store()?;
    let mut paths = store.registered_locks(false, true).unwrap_or_default();
    for profile in store.profiles()? {
        paths.extend(profile.generations()?.into_iter().map(|number| profile.generation_lock(number)));
    }
    let mut locks: Vec<Result<Lock>> = paths.iter().map(|path| Lock::read(path)).collect();
    let archived = match archive {
        Some(ArchiveName::Directory(path) | ArchiveName::Layout(path)) => Archive::open(path)?.locks()?,
        Some(ArchiveName::Registry { host, repository }) => {
            session.registry_archive(host, repository, Access::Read)?.locks()?
        }
        _ => Vec::new(),
    };
    locks.extend(archived.into_iter().map(|archived| archived.lock));
    let (mut pins, mut unread) = (Vec::new(), 0_usize);
    for lock in locks {
        match lock {
            Ok(lock) => pins.extend(
                lock.inputs
                    .into_values()
                    .filter(|input| matches!(input.kind(), InputKind::Rocm | InputKind::Git | InputKind::Release)),
            ),
            Err(_) => unread += 1,
        }
    }
    if unread > 0 {
        let locks = crate::text::counted(unread, "lock");
        session
            .ui
            .warning(&format!("{locks} of this store or archive cannot be read, and their pins are no candidates"));
    }
    Ok(Known { pins })
}
