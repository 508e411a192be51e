//! A bisect that is under way: its files, and the loop over its steps.
//!
//! The log is the truth. Each answer is appended and synced before the next step; all else follows from it.

use std::fs::File;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::realized::Outcome;
use super::{BisectArgs, ending, told};
use crate::archive::{ArchiveName, Source};
use crate::bisect::{Answer, Event, How, Journal, Known, Now, Point, State, Word, event_line};
use crate::cli::Session;
use crate::cli::choices::BuildArgs;
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::realize::{Plan, StepKind};
use crate::recipe::{BuildRoot, Recipe};
use crate::store::{Profile, replace_file};
use crate::text;

/// The word for the profile with the generations of a bisect.
const PROFILE: &str = "bisect";

/// A bisect that is under way.
pub(super) struct Driver<'s> {
    pub session: &'s Session,
    pub journal: Journal,
    /// The lock at whose pins all other inputs are held.
    pub base: Lock,
    /// Pins of the locks of this store.
    pub known: Known,
    /// The archive from which inputs are taken.
    pub archive: Option<Source<'s>>,
    /// Number of compilers at a time.
    pub(super) jobs: Option<NonZeroUsize>,
    /// Who builds.
    pub(super) build: BuildArgs,
    directory: PathBuf,
    _held: File,
}

/// Returns the directory with the files of a bisect, beside `lock/`.
pub(super) fn directory(session: &Session) -> PathBuf {
    session.project.directory().join("bisect")
}

/// Makes the directory if it is missing, and holds it. Fails if another process has it.
pub(super) fn hold(directory: &Path) -> Result<File> {
    fs_err::create_dir_all(directory)?;
    let held = File::open(directory)?;
    flock(&held, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::new(Kind::Busy, "another process works on this bisect").fact("directory", directory.display())
    })?;
    Ok(held)
}

/// Reads the log in a directory, if there is one, with its text.
pub(super) fn read(directory: &Path) -> Result<Option<(Journal, String)>> {
    let path = directory.join("log");
    let text = match fs_err::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let journal = Journal::parse(&text).map_err(|error| {
        error.fact("log", path.display()).hint(
            "copy the log, `strixlock bisect reset`, mend that line of the copy, and `strixlock bisect replay` it",
        )
    })?;
    Ok(Some((journal, text)))
}

impl<'s> Driver<'s> {
    /// Opens the bisect of the project, if one is under way.
    pub fn open(session: &'s Session) -> Result<Option<Self>> {
        let directory = directory(session);
        if !directory.join("log").is_file() {
            return Ok(None);
        }
        let held = hold(&directory)?;
        let Some((journal, text)) = read(&directory)? else { return Ok(None) };
        // A crash may have left the last line unfinished.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            let log = fs_err::OpenOptions::new().write(true).open(directory.join("log"))?;
            log.set_len(whole as u64)?;
            log.sync_all()?;
        }
        let base = Lock::read(&directory.join("strix.lock"))?;
        let found = crate::digest::Sha256Digest::of(base.to_text()?.as_bytes());
        if found != journal.plan.lock {
            return Err(Error::new(Kind::Invalid, "the lock of the bisect is not the one that it was begun with")
                .fact("lock", directory.join("strix.lock").display())
                .fact("expected", journal.plan.lock)
                .fact("found", found)
                .hint("`strixlock bisect reset` ends this bisect"));
        }
        let expand = |path: &Path| Ok(path.to_path_buf());
        let name = journal.plan.archive.as_ref().map(|name| ArchiveName::parse(name, expand)).transpose();
        let name = name.map_err(|why| Error::new(Kind::Invalid, format!("invalid archive in the log: {why}")))?;
        let archive = name.as_ref().map(|name| session.open_archive(name)).transpose()?;
        let known = super::ends::known(session, name.as_ref())?;
        Ok(Some(Self::new(session, journal, (base, known, archive), held)))
    }

    pub fn new(
        session: &'s Session,
        journal: Journal,
        (base, known, archive): (Lock, Known, Option<Source<'s>>),
        held: File,
    ) -> Self {
        let (jobs, build, directory) = (None, BuildArgs::default(), directory(session));
        Self { session, journal, base, known, archive, jobs, build, directory, _held: held }
    }

    /// Builds as these options say. Fails if the builder can build no version of an output, which is not the fault of one.
    pub fn build_as(&mut self, args: &BisectArgs) -> Result<()> {
        (self.jobs, self.build) = (args.jobs, args.build.clone());
        if self.session.builder(self.build.builder.as_ref())?.is_none() {
            return Ok(());
        }
        for step in Plan::new(&self.base, self.session.store()?, &self.journal.plan.outputs)?.steps {
            let root = self.base.recipe(&step.name).filter(|_| step.what == StepKind::Output).map(Recipe::build_root);
            if matches!(root, Some(BuildRoot::Host)) {
                return Err(Error::new(Kind::Invalid, "a remote builder cannot build an output without a sysroot")
                    .about(&step.name)
                    .hint("build it here with `--builder local`"));
            }
        }
        Ok(())
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the profile that has the generations of the bisect.
    pub fn profile(&self) -> Result<Profile<'s>> {
        profile(self.session)
    }

    /// Appends an answer to the log, and writes the state that follows from it.
    pub fn append(&mut self, word: Word, point: &Point, why: String) -> Result<()> {
        let event = Event { word, point: point.clone(), why };
        let mut log = fs_err::OpenOptions::new().append(true).open(self.directory.join("log"))?;
        log.write_all(event_line(&self.journal.plan, &event).as_bytes())?;
        log.sync_all()?;
        self.journal.events.push(event);
        self.write_state()
    }

    pub fn write_state(&self) -> Result<()> {
        let state = State::of(&self.journal).text(&self.journal);
        replace_file(&self.directory.join("state"), state.as_bytes())
    }

    /// Goes on until the end, or until a person has to answer. Returns the exit code.
    pub fn drive(mut self) -> Result<u8> {
        self.write_state()?;
        loop {
            let state = State::of(&self.journal);
            match state.now.clone() {
                Now::Test { point, question, left, steps } => {
                    told::step(&self, &question, left, steps);
                    if self.journal.plan.how == How::Interactive {
                        match self.realize(&point)? {
                            Outcome::Realized(realized) => {
                                told::to_try(&self, &state, &point, &realized)?;
                                return Ok(0);
                            }
                            Outcome::Skipped(why) => self.answered(Word::First(Answer::Skip), &point, why)?,
                        }
                    } else {
                        self.test(&point)?;
                    }
                }
                Now::Again(point) => self.confirm(&point)?,
                Now::Flaky { point, why } => return Err(told::flaky(&self, &point, &why)),
                Now::Done(verdict) => return ending::end(&self, &state, &verdict),
            }
        }
    }

    /// Appends an answer and says it.
    fn answered(&mut self, word: Word, point: &Point, why: String) -> Result<()> {
        told::answer(self, word, point, &why);
        self.append(word, point, why)
    }

    /// Realizes a combination and tests it as often as was asked.
    fn test(&mut self, point: &Point) -> Result<()> {
        let realized = match self.realize(point)? {
            Outcome::Realized(realized) => realized,
            Outcome::Skipped(why) => return self.answered(Word::First(Answer::Skip), point, why),
        };
        self.forget_output(realized.number)?;
        let mut answers = Vec::new();
        for _ in 0..self.journal.plan.repeat {
            answers.push(self.attempt(&realized)?);
        }
        let Some((first, why)) = answers.first().cloned() else { return Ok(()) };
        let why = format!("{why}; generation {}", realized.number);
        if answers.iter().all(|(answer, _)| *answer == first) {
            return self.answered(Word::First(first), point, why);
        }
        let all: Vec<&str> = answers.iter().map(|(answer, _)| answer.word()).collect();
        self.answered(Word::Flaky, point, format!("{}; generation {}", all.join(", "), realized.number))
    }

    /// Tests a combination once more.
    fn confirm(&mut self, point: &Point) -> Result<()> {
        let before = State::of(&self.journal).answers.get(point).map_or("", |answer| answer.word());
        let (answer, why) = match self.realize(point)? {
            Outcome::Realized(realized) => self.attempt(&realized)?,
            Outcome::Skipped(why) => (Answer::Skip, why),
        };
        match answer {
            Answer::Good | Answer::Bad if answer.word() == before => self.answered(Word::Again(answer), point, why),
            other => self.answered(Word::Flaky, point, format!("{before}, then {}: {why}", other.word())),
        }
    }

    /// Returns the number of versions that were realized.
    pub fn generations(&self) -> Result<usize> {
        Ok(self.profile()?.generations()?.len())
    }

    /// Returns a number of versions of an input, with the word for them.
    pub fn counted(&self, input: usize, count: usize) -> String {
        let word = self.journal.plan.lines.get(input).map_or("versions", |line| line.word.as_str());
        match (count, word) {
            (1, "nightlies") => "1 nightly".to_owned(),
            (1, word) => text::counted(1, word.trim_end_matches('s')),
            (count, word) => format!("{count} {word}"),
        }
    }
}

/// Returns the profile that has the generations of the project's bisect.
pub(super) fn profile(session: &Session) -> Result<Profile<'_>> {
    let own = session.profile()?;
    let places = session.project.places();
    let place = places.first().cloned().unwrap_or_default();
    session.store()?.named_profile(&own.name().beside(PROFILE), &place)
}
