//! Steps of a deployment to one host.

use fs_err::File;
use serde_json::Value;

use super::host::{Host, LOCK, NEW_LOCK, PARTS, TRIAL_LOCK};
use super::{Deployment, Outcome, Verdict};
use crate::digest::TreeDigest;
use crate::error::{Error, Kind, Result};
use crate::export::snapshot::{Base, Part, SnapshotOutput, left_in, useful};
use crate::realize::version;
use crate::text;
use crate::tree::Listing;
use crate::validate::Extent;

/// State of a host before anything was sent.
struct State {
    /// Outputs that its store lacks.
    lacking: Vec<String>,
    /// The current generation.
    current: Option<u64>,
    /// True if the current generation passed a validation.
    passed: bool,
    /// Trees of all of its generations, those of the current one first.
    trees: Vec<TreeDigest>,
}

impl Deployment<'_> {
    /// Brings the outputs to a host. A failure is in the result.
    pub(super) fn to(&self, name: &str) -> Outcome {
        let mut outcome = Outcome { host: name.to_owned(), dry_run: self.settings.dry_run, ..Outcome::default() };
        let host = Host { settings: self.settings, name };
        outcome.error = self.all_steps(&host, &mut outcome).err();
        outcome
    }

    fn all_steps(&self, host: &Host, outcome: &mut Outcome) -> Result<()> {
        self.demand_program(host)?;
        let state = self.look(host)?;
        (outcome.before, outcome.after) = (state.current, state.current);
        self.send(host, &state, outcome)?;
        if self.settings.dry_run {
            return Ok(());
        }
        let (number, profile) = Self::realize(host, outcome.left.is_empty())?;
        outcome.generation = Some(number);
        if !(state.passed && state.current == Some(number)) {
            outcome.validation = self.validate(host, number)?;
        }
        if outcome.validation.as_ref().is_none_or(|verdict| verdict.passed) {
            self.accept(host, number, &profile)?;
            outcome.after = Some(number);
        }
        Ok(())
    }

    /// Fails unless the host has a strixlock that reads what this one writes.
    fn demand_program(&self, host: &Host) -> Result<()> {
        let command = format!("{} version --json", text::shell_word(&self.settings.program));
        let answer = host.ask_one(&command, None)?;
        for name in ["lock", "listing", "json", "snapshot"] {
            let (here, there) = (&self.settings.formats[name], &answer["formats"][name]);
            if here != there {
                let version = answer["version"].as_str().unwrap_or("unknown");
                return Err(Error::new(Kind::Invalid, "strixlock on the host has other formats than this one")
                    .about(host.name)
                    .fact("there", text::visible(version))
                    .fact("here", env!("CARGO_PKG_VERSION"))
                    .fact("format", format!("{name}: {} there, {here} here", text::visible(&there.to_string())))
                    .hint("install the same version of strixlock on both machines"));
            }
        }
        Ok(())
    }

    /// Writes the lock beside that of the host, and asks what the host has. A dry run leaves no file there.
    fn look(&self, host: &Host) -> Result<State> {
        let lock = if self.settings.dry_run { TRIAL_LOCK } else { NEW_LOCK };
        let (new, part, directory) = (host.path(lock), host.path(&format!("{lock}.part")), host.path("lock"));
        let mut script = format!(
            "mkdir -p -- {directory} && cat > {part} && mv -f -- {part} {new} && {} && {} && {}",
            host.command(lock, &["realize", "--dry-run"]),
            host.command(lock, &["generations"]),
            host.command(lock, &["generations", "--all"]),
        );
        if self.settings.dry_run {
            // Directories that were made for it are empty then.
            let clean = format!("rm -f -- {part} {new}; rmdir -p -- {directory} 2> /dev/null");
            script = format!("clean() {{ {clean}; }}; trap clean EXIT; {script}");
        }
        let answers = host.ask(&script, Some(File::open(self.text)?.into_parts().0))?;
        let [plan, own, all] = answers.as_slice() else { return Err(host.odd("unexpected number of answers")) };
        let steps = plan["steps"].as_array().ok_or_else(|| host.odd("the plan has no steps"))?;
        let lacks = |step: &&Value| {
            step["what"] == "output" && step["action"]["do"] != "have" && step["action"]["do"] != "thaw"
        };
        let lacking = steps.iter().filter(lacks).filter_map(|step| Some(step["name"].as_str()?.to_owned())).collect();
        let list = |value: &Value| value["generations"].as_array().cloned().unwrap_or_default();
        let mut generations = list(own);
        let current = generations.iter().position(|one| one["current"] == true).map(|at| generations.remove(at));
        let others = all["profiles"].as_array().into_iter().flatten().flat_map(list);
        let mut trees = Vec::new();
        for generation in current.iter().cloned().chain(generations.into_iter().rev()).chain(others) {
            let outputs = generation["outputs"].as_object().cloned().unwrap_or_default();
            let digests = outputs.values().filter_map(|output| output["tree"].as_str()?.parse::<TreeDigest>().ok());
            digests.for_each(|tree| {
                if !trees.contains(&tree) {
                    trees.push(tree);
                }
            });
        }
        let passed = current.as_ref().is_some_and(|one| one["validation"]["passed"] == true);
        Ok(State { lacking, current: current.and_then(|one| one["number"].as_u64()), passed, trees })
    }

    /// Sends the outputs that the host lacks and this machine has.
    fn send(&self, host: &Host, state: &State, outcome: &mut Outcome) -> Result<()> {
        let (mut parts, mut listings): (Vec<Part>, Vec<Listing>) = (Vec::new(), Vec::new());
        for name in &state.lacking {
            match self.part(name)? {
                Some(part) => {
                    listings.push(part.tree.listing()?);
                    parts.push(part);
                }
                None => outcome.left.push(name.clone()),
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let mut known = Vec::new();
        for tree in &state.trees {
            known.extend(Base::of(self.store, *tree)?);
        }
        let beside = useful(&listings, known);
        outcome.outputs = parts.iter().map(|part| part.output.name.clone()).collect();
        outcome.beside = beside.iter().map(|base| base.digest).collect();
        outcome.contents = left_in(&listings, &beside);
        if self.settings.dry_run {
            return Ok(());
        }
        match self.ship(host, parts.clone(), &beside, outcome) {
            // A base was removed or damaged there.
            Err(error) if error.kind() == Kind::NotFound && !beside.is_empty() => {
                self.progress.note(&format!("{}: {}: sending everything", host.name, error.message()));
                outcome.whole = true;
                outcome.contents = left_in(&listings, &[]);
                self.ship(host, parts, &[], outcome)
            }
            other => other,
        }
    }

    /// Returns an output as it is here, if it is realized.
    fn part(&self, name: &str) -> Result<Option<Part>> {
        let locked = self.lock.output(name)?;
        let found = self.store.hot_output(locked.derivation, name, self.progress)?;
        let found = found.filter(|(record, _)| locked.tree.is_none_or(|sealed| sealed == record.tree));
        Ok(found.map(|(record, tree)| {
            let output = SnapshotOutput {
                name: name.to_owned(),
                version: version(self.lock, name),
                derivation: locked.derivation,
                tree: record.tree,
            };
            Part { output, tree }
        }))
    }

    /// Makes a generation that is not current. Returns its number and the profile's name.
    fn realize(host: &Host, has_all: bool) -> Result<(u64, String)> {
        let offline = if has_all { ["--offline"].as_slice() } else { &[] };
        let answer = host.ask_one(&host.command(NEW_LOCK, &[&["realize", "--no-switch"], offline].concat()), None)?;
        let number = answer["generation"].as_u64();
        let profile = answer["profile"].as_str();
        number.zip(profile.map(str::to_owned)).ok_or_else(|| host.odd("`realize` made no generation"))
    }

    /// Validates what the lock says. `None` if that is not wanted.
    fn validate(&self, host: &Host, number: u64) -> Result<Option<Verdict>> {
        let settings = self.settings;
        let mut words = vec!["validate"];
        match settings.checks {
            None => return Ok(None),
            Some(Extent::Quick) => words.push("--quick"),
            Some(Extent::Usual) => {}
            Some(Extent::Deep) => words.push("--deep"),
        }
        words.extend(settings.model.iter().flat_map(|model| ["--model", model]));
        words.extend(settings.device.iter().flat_map(|device| ["--device", device]));
        self.progress.note(&format!("{}: validating generation {number}", host.name));
        let answer = host.ask_one(&host.command(NEW_LOCK, &words), None)?;
        let checks = answer["checks"].as_array().into_iter().flatten();
        let failed = checks.filter(|check| check["outcome"] == "failed").filter_map(|check| check["name"].as_str());
        Ok(Some(Verdict {
            passed: answer["passed"] == true,
            failed: failed.map(text::visible).collect(),
            device: answer["device"].as_str().map(text::visible).unwrap_or_default(),
        }))
    }

    /// Makes the lock that of the project, and the generation current.
    fn accept(&self, host: &Host, number: u64, profile: &str) -> Result<()> {
        let (new, lock) = (host.path(NEW_LOCK), host.path(LOCK));
        // Another deployment may have replaced the lock meanwhile. The profile was the new lock's, if the host had none.
        let replaced = "{\"error\": {\"message\": \"another deployment replaced the lock on the host\"}}";
        let script = format!(
            "[ \"$(sha256sum < {new})\" = '{}  -' ] || {{ echo '{replaced}'; exit {}; }}; mv -f -- {new} {lock} && rm -rf -- {} \
             && {} && {}",
            self.digest.hex(),
            Kind::Busy as u8,
            host.path(PARTS),
            host.command(LOCK, &["generations", "--adopt", profile]),
            host.command(LOCK, &["realize", "--offline"]),
        );
        let answer = host.ask_one(&script, None)?;
        if answer["generation"].as_u64() == Some(number) {
            Ok(())
        } else {
            Err(host.odd("the host switched to another generation than the one that was made"))
        }
    }
}
