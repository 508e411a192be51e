//! One step: a combination is realized beside the project's generations, and tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::driver::Driver;
use crate::bisect::{Answer, Attempt, How, Point, known_pin, lock_of, pin, untestable};
use crate::cli::remote::take::Taking;
use crate::error::{Error, Kind, Result};
use crate::launch::Outputs;
use crate::lock::Lock;
use crate::progress::{Doing, Unit};
use crate::realize::{Plan, add_aside};
use crate::validate::validate;

/// A combination that is in the store.
pub(super) struct Realized {
    /// The number of its generation in the bisect's profile.
    pub number: u64,
    /// Its lock.
    pub lock: Lock,
}

/// The result of realizing a combination.
pub(super) enum Outcome {
    /// It can be tested.
    Realized(Realized),
    /// It cannot, for this reason.
    Skipped(String),
}

impl Driver<'_> {
    /// Realizes a combination. What is in the store already is not made again.
    pub fn realize(&mut self, point: &Point) -> Result<Outcome> {
        match self.realize_unless_unfit(point) {
            Ok(realized) => Ok(Outcome::Realized(realized)),
            Err(error) => match untestable(&error) {
                Some(why) => Ok(Outcome::Skipped(why)),
                None => Err(error.fact("bisect", "`strixlock bisect` goes on from here")),
            },
        }
    }

    fn realize_unless_unfit(&mut self, point: &Point) -> Result<Realized> {
        let (session, intake) = (self.session, self.session.intake()?);
        let directory = session.project.manifest_directory();
        let mut pins = BTreeMap::new();
        for (line, at) in self.journal.plan.lines.iter().zip(point) {
            let unknown = || Error::new(Kind::Invalid, format!("the lock of the bisect has no input `{}`", line.input));
            let like = self.base.inputs.get(&line.input).ok_or_else(unknown)?;
            let version = line.versions.get(*at).ok_or_else(unknown)?;
            like.bring(intake, &line.input, &directory)?;
            // Upstream may not have the bytes of a pin any more.
            if let (Some(archive), Some(known)) = (&self.archive, known_pin(like, version, &self.known)?) {
                archive.take(&[(line.input.as_str(), &known)])?;
            }
            let pin = pin(intake, &line.input, like, version, &self.known)?;
            // A second combination with this version needs no look-up.
            self.known.pins.push(pin.clone());
            pins.insert(line.input.clone(), pin);
        }
        let lock = lock_of(intake, &self.base, pins, session.now, directory)?;
        let make_plan = || Plan::new(&lock, intake.store, &self.journal.plan.outputs);
        let mut taking = Taking::before_building(session, &self.build)?;
        let plan = taking.take_planned(&lock, make_plan()?, &|_| false, &make_plan)?;
        let realized = session.caching_realizer(&lock, self.jobs, self.build.builder.as_ref())?.run(&plan)?;
        let number = add_aside(&self.profile()?, &lock, &realized)?;
        Ok(Realized { number, lock })
    }

    /// Returns the file with the output of the command for a generation.
    pub fn output(&self, number: u64) -> PathBuf {
        self.directory().join("runs").join(format!("{number}.log"))
    }

    /// Removes output that an interrupted run left.
    pub fn forget_output(&self, number: u64) -> Result<()> {
        match fs_err::remove_file(self.output(number)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Tests a realized combination. Returns the answer, and how it came about.
    pub fn attempt(&self, realized: &Realized) -> Result<(Answer, String)> {
        fs_err::create_dir_all(self.directory().join("runs"))?;
        match &self.journal.plan.how {
            How::Run(command) => self.run(command, realized),
            How::Validate(options) => self.validate(options, realized),
            How::Interactive => Err(Error::new(Kind::Usage, "this bisect is answered by hand")
                .hint("`strixlock bisect good`, `bad` or `skip`")),
        }
    }

    fn run(&self, command: &[String], realized: &Realized) -> Result<(Answer, String)> {
        let session = self.session;
        let generation = self.profile()?.generation(realized.number)?;
        let outputs = Outputs::new(session.store()?, realized.number, generation, realized.lock.clone());
        let environment = outputs.environment(outputs.choose(None)?, &*session.ui.progress)?;
        let environment = environment.changes(std::env::vars_os()).apply(std::env::vars_os());
        let limit = Some(self.journal.plan.timeout).filter(|seconds| *seconds > 0).map(Duration::from_secs);
        let output = self.output(realized.number);
        let begun = Instant::now();
        let _task = session.ui.progress.begin(Doing::Validate, "the version", None, Unit::Steps);
        let ended = Attempt { command, environment, output: &output, limit }.run()?;
        let how = format!("{} after {:.1} s", ended.text(), begun.elapsed().as_secs_f64());
        match ended.answer() {
            Some(answer) => Ok((answer, how)),
            None => Err(aborted(&how, &output)),
        }
    }

    fn validate(&self, options: &[String], realized: &Realized) -> Result<(Answer, String)> {
        let session = self.session;
        let options = crate::cli::validate::options_of(options, session.now)?;
        let logs = self.directory().join("runs").join(realized.number.to_string());
        let _task = session.ui.progress.begin(Doing::Validate, "the version", None, Unit::Steps);
        let validation = validate(&realized.lock, session.intake()?, &options, &logs)?;
        if validation.passed() {
            return Ok((Answer::Good, "the validation passed".to_owned()));
        }
        let failed: Vec<&str> = validation.failed().collect();
        Ok((Answer::Bad, format!("the validation failed: {}", failed.join(", "))))
    }
}

/// Returns the error for a command that ended the bisect.
fn aborted(how: &str, output: &Path) -> Error {
    Error::failure("the command ended the bisect: it gave no answer")
        .fact("ended", how)
        .fact("expected", "exit code 0 for good, 125 to skip, another up to 127 for bad")
        .fact("output", output.display())
        .hint("`strixlock bisect` tries this version again; a crash counts as bad with `sh -c 'COMMAND || exit 1'`")
}
