//! The end of a bisect: the result, what changed in it, a text for upstream, and a draft advisory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::driver::Driver;
use super::told;
use crate::advisories::{Advisory, Bound, Pinned, Since, Software, draft};
use crate::bisect::{Answer, Culprit, Ending, How, Point, State, Verdict, known_pin, report};
use crate::changes::{Side, between, sections};
use crate::cli::advisory::id;
use crate::cli::ui::GOOD;
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::store::replace_file;
use crate::text;
use crate::validate::Machine;

/// Files that a bisect writes besides its log. The first two are its result.
const FILES: [&str; 4] = ["report.md", "advisory.toml", "state", "strix.lock"];
/// Number of lines of a command's output in the report.
const TAIL: usize = 20;
/// Greatest number of bytes of a command's output that are read for it.
const TAIL_BYTES: usize = 64 << 10;

/// Removes the files of an earlier bisect, except its result and its log.
pub(super) fn forget(directory: &Path) -> Result<()> {
    for name in &FILES[2..] {
        match fs_err::remove_file(directory.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    match fs_err::remove_dir_all(directory.join("runs")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints the result and writes its files. Returns the exit code.
pub(super) fn end(driver: &Driver, state: &State, verdict: &Verdict) -> Result<u8> {
    let plan = &driver.journal.plan;
    let lasts = plan.lasts();
    let (first, last) = (vec![0; lasts.len()], lasts);
    let tested = |point: &Point| {
        let event = driver.journal.events.iter().rev().find(|event| event.point == *point);
        event.map(|event| event.why.clone()).unwrap_or_default()
    };
    let unfit = |message: &str| Error::new(Kind::Unfit, message);
    match verdict {
        Verdict::Found { culprits, together } => found(driver, state, culprits, *together),
        Verdict::GoodIsBad => Err(unfit("the good end is bad, so that there is nothing to find")
            .fact("good end", plan.named(&first))
            .fact("tested", tested(&first))
            .hint("the fault is older, or the command fails for another reason: name an older version with --good")),
        Verdict::BadIsGood => Err(unfit("the bad end is good, so that there is nothing to find")
            .fact("bad end", plan.named(&last))
            .fact("tested", tested(&last))
            .hint("the command does not show the fault, or the fault needs something else that moved")),
        Verdict::Contradiction { good, bad } => Err(unfit("the answers contradict each other")
            .fact("good", format!("{} ({})", plan.named(good), tested(good)))
            .fact("bad", format!("{} ({}), which is not newer", plan.named(bad), tested(bad)))
            .hint("a fault that comes and goes cannot be bisected: test one of them again, with --repeat")),
        Verdict::Untold => {
            Err(unfit("it cannot be told which input brought the fault: the mixed versions cannot be tested")
                .fact("log", driver.directory().join("log").display())
                .hint("bisect the inputs one by one, each with --good and --bad of its own"))
        }
    }
}

/// An input that brought the fault, with the pins of both sides as far as a lock has them.
struct Moved {
    input: String,
    good: Option<LockedInput>,
    bad: Option<LockedInput>,
    /// The changes, one line each.
    changes: Vec<String>,
}

fn found(driver: &Driver, state: &State, culprits: &[Culprit], together: bool) -> Result<u8> {
    let (ui, plan) = (&driver.session.ui, &driver.journal.plan);
    let sides: Vec<Moved> = culprits.iter().map(|culprit| side(driver, culprit)).collect::<Result<_>>()?;
    let changes: Vec<String> = sides
        .iter()
        .map(|side| {
            side.changes.iter().map(|line| format!("* {}", crate::page::cell(line))).collect::<Vec<_>>().join("\n")
        })
        .collect();
    let ending = Ending {
        culprits,
        changes: &changes,
        machine: Machine::of(&Host::read(Path::new("/")), None).line(),
        output: tail(driver, culprits)?,
    };
    let report_path = driver.directory().join(FILES[0]);
    replace_file(&report_path, report(&driver.journal, state, &ending).as_bytes())?;
    let advisory_path = advisories(driver, &sides)?;
    let is_single = culprits.iter().all(|culprit| culprit.places().count() == 1);
    if ui.is_json() {
        let mut value = told::document(driver, state)?;
        value["found"] = culprits.iter().zip(&sides).map(|(culprit, side)| to_json(driver, culprit, side)).collect();
        value["together"] = together.into();
        value["report"] = report_path.display().to_string().into();
        value["advisory"] = json!(advisory_path.as_ref().map(|path| path.display().to_string()));
        ui.json(value);
    } else {
        let verdict = Verdict::Found { culprits: culprits.to_vec(), together };
        for line in verdict.text(plan).lines() {
            ui.line(format!("{GOOD}found{GOOD:#} {line}"));
        }
        for (culprit, side) in culprits.iter().zip(&sides) {
            ui.line(format!(
                "{}: {} is good",
                side.input,
                label(driver, culprit, culprit.places().start().saturating_sub(1))
            ));
            side.changes.iter().for_each(|line| ui.line(format!("  {}", text::visible(line))));
        }
        ui.line(counts(driver, state)?);
        let paths: Vec<String> =
            std::iter::once(&report_path).chain(&advisory_path).map(|path| path.display().to_string()).collect();
        ui.line(format!("wrote {}", paths.join(" and ")));
        for (culprit, side) in culprits.iter().zip(&sides) {
            ui.line(to_stay(driver, culprit, side));
        }
    }
    if !is_single {
        ui.note("there is no single first bad version, since those between were skipped: exit code 10");
    }
    Ok(if is_single { 0 } else { Kind::Unfit as u8 })
}

/// Returns the pins of both sides and what changed between them.
fn side(driver: &Driver, culprit: &Culprit) -> Result<Moved> {
    let plan = &driver.journal.plan;
    let Some(line) = plan.lines.get(culprit.input) else {
        return Err(Error::failure("the bisect has no such input"));
    };
    let like = driver.base.inputs.get(&line.input);
    let pin = |at: usize| match (like, line.versions.get(at)) {
        (Some(like), Some(version)) => known_pin(like, version, &driver.known),
        _ => Ok(None),
    };
    let places = culprit.places();
    let (good, bad) = (pin(places.start().saturating_sub(1))?, pin(*places.end())?);
    let changes = match (&good, &bad) {
        (Some(good), Some(bad)) => changed(driver, &line.input, good, bad)?,
        // Without a pin there are at least the subjects of the line.
        _ => places.filter_map(|at| line.versions.get(at)).map(|version| version.about.clone()).collect(),
    };
    Ok(Moved { input: line.input.clone(), good, bad, changes })
}

/// Returns what changed in an input between two pins, a line each.
fn changed(driver: &Driver, input: &str, good: &LockedInput, bad: &LockedInput) -> Result<Vec<String>> {
    let of = |pin: &LockedInput| Lock {
        inputs: BTreeMap::from([(input.to_owned(), pin.clone())]),
        outputs: BTreeMap::new(),
        ..driver.base.clone()
    };
    let (good, bad) = (of(good), of(bad));
    let changes = between(&Side::of_lock(&good), &Side::of_lock(&bad), Some(driver.session.store()?))?;
    let mut lines = Vec::new();
    for block in sections(&changes).into_iter().flat_map(|section| section.blocks) {
        let link = block.link.map(|link| format!(": {link}")).unwrap_or_default();
        lines.extend(block.title.map(|title| format!("{title}{link}")));
        // Each version was asked for by itself, which is no change.
        let rows = block.rows.iter().filter(|(label, _)| label != "asked for");
        lines.extend(rows.map(|(label, text)| format!("{label} {text}").trim().to_owned()));
        lines.extend((block.left_out > 0).then(|| format!("and {} more", block.left_out)));
    }
    Ok(lines)
}

fn label<'d>(driver: &'d Driver, culprit: &Culprit, at: usize) -> &'d str {
    let line = driver.journal.plan.lines.get(culprit.input);
    line.and_then(|line| line.versions.get(at)).map_or("?", crate::bisect::Version::label)
}

fn to_json(driver: &Driver, culprit: &Culprit, side: &Moved) -> serde_json::Value {
    let line = driver.journal.plan.lines.get(culprit.input);
    let ids = |places: &mut dyn Iterator<Item = usize>| -> Vec<String> {
        places.filter_map(|at| Some(line?.versions.get(at)?.id.clone())).collect()
    };
    json!({
        "input": side.input,
        "good": ids(&mut std::iter::once(culprit.places().start().saturating_sub(1))).pop(),
        "bad": ids(&mut culprit.places()),
        "changes": side.changes,
    })
}

/// Says how many versions were tested.
fn counts(driver: &Driver, state: &State) -> Result<String> {
    let skipped = state.answers.values().filter(|answer| **answer == Answer::Skip).count();
    let known: usize = driver
        .journal
        .plan
        .lines
        .iter()
        .map(|line| line.versions.iter().filter(|one| !one.known_bad.is_empty()).count())
        .sum();
    let mut parts = vec![
        format!("{} tested", text::counted(state.answers.len() - skipped, "version")),
        format!("{} realized", driver.generations()?),
    ];
    parts.extend((skipped > 0).then(|| format!("{skipped} skipped")));
    parts.extend((known > 0).then(|| format!("{known} known to be bad and not tested")));
    Ok(parts.join(", "))
}

/// Says how to stay with the last good version.
fn to_stay(driver: &Driver, culprit: &Culprit, side: &Moved) -> String {
    let at = culprit.places().start().saturating_sub(1);
    let line = driver.journal.plan.lines.get(culprit.input);
    let id = line.and_then(|line| line.versions.get(at)).map_or("", |version| version.id.as_str());
    let key = match driver.base.inputs.get(&side.input) {
        Some(LockedInput::Rocm(_)) => "version",
        Some(LockedInput::Release(_)) => "tag",
        _ => "commit",
    };
    format!(
        "to stay with it: {key} = \"{id}\" below [inputs.{}] in the manifest, then `strixlock update {}`",
        side.input, side.input
    )
}

/// Returns the last lines of the output for the first bad version.
fn tail(driver: &Driver, culprits: &[Culprit]) -> Result<Vec<String>> {
    let How::Run(_) = driver.journal.plan.how else { return Ok(Vec::new()) };
    let point = culprits.first().map(|culprit| &culprit.bad);
    let event = driver.journal.events.iter().find(|event| Some(&event.point) == point);
    let number = event.and_then(|event| event.why.rsplit_once("generation ")?.1.parse().ok());
    let Some(number) = number else { return Ok(Vec::new()) };
    let text = match fs_err::read(driver.output(number)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(TAIL_BYTES)..]).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()).collect())
}

/// Writes a draft for each input that an advisory can be about. Returns the path, if there is one.
fn advisories(driver: &Driver, sides: &[Moved]) -> Result<Option<PathBuf>> {
    let mut inputs = driver.base.inputs.clone();
    inputs.extend(sides.iter().filter_map(|side| Some((side.input.clone(), side.bad.clone()?))));
    let lock = Lock { inputs, ..driver.base.clone() };
    let good: BTreeMap<&str, String> =
        sides.iter().filter_map(|side| Some((side.input.as_str(), side.good.as_ref()?.short_version()))).collect();
    let mut texts = Vec::new();
    for pin in lock.judged().into_iter().filter(|pin| sides.iter().any(|side| side.input == pin.input)) {
        let first = match pin.pinned {
            Pinned::LlamaCpp(number, _) => Bound::Build(number),
            rocm @ Pinned::Rocm(..) => rocm.first(),
        };
        let what = match &driver.journal.plan.how {
            How::Run(command) => format!("fails {}", text::command_line(command)),
            How::Validate(_) => "fails a validation".to_owned(),
            How::Interactive => "fails".to_owned(),
        };
        let about = pin.pinned.software();
        let advisory = Advisory {
            id: id(&format!("{}-{first}", pin.input)),
            about,
            what: text::visible(&what).chars().take(300).collect(),
            backends: if about == Software::LlamaCpp {
                pin.used.backends.iter().map(|name| (*name).to_owned()).collect()
            } else {
                Vec::new()
            },
            targets: pin.used.targets.clone(),
            from: Some(first),
            until: None,
            good: None,
            kernels: None,
            source: String::new(),
        };
        let good = good.get(pin.input).map_or("?", String::as_str);
        let seen = [format!("A draft from a bisect: {} {} is bad, and {good} is good", pin.input, pin.version)];
        texts.push(draft(&advisory, &seen, Since::Bisected));
    }
    let path = driver.directory().join(FILES[1]);
    if texts.is_empty() {
        return Ok(None);
    }
    replace_file(&path, texts.join("\n").as_bytes())?;
    Ok(Some(path))
}
