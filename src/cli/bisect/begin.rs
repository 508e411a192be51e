//! The beginning of a bisect: ends, versions between them, and the log.

use super::driver::{Driver, directory, hold, profile, read};
use super::ends::{Ends, ends, known};
use super::{BisectArgs, ending};
use crate::advisories::{Advisory, Pinned, Use};
use crate::archive::ArchiveName;
use crate::bisect::{How, Journal, Now, Plan, Search, State, begin as text_of, demand_free};
use crate::cli::Session;
use crate::cli::advice::policy;
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::lock::Lock;
use crate::store::replace_file;
use crate::text;

/// Begins a bisect, or goes on with the one that the same command line began.
pub(super) fn begin<'s>(args: &BisectArgs, session: &'s Session, how: How) -> Result<Driver<'s>> {
    let asked = asked(args, &how);
    let directory = directory(session);
    if let Some((there, _)) = read(&directory)? {
        let is_over = matches!(State::of(&there).now, Now::Done(_));
        if there.plan.asked == asked || !is_over {
            demand_free(&there, &asked)?;
            let answers = text::counted(there.events.len(), "answer");
            session.ui.note(&format!("going on with the bisect of the same command, which has {answers} so far"));
            if let Some(driver) = Driver::open(session)? {
                return Ok(driver);
            }
        }
    }
    let Ends { base, of, held } = ends(session, &args.inputs, &args.good, &args.bad)?;
    for output in &args.output {
        base.output(output)?;
    }
    for input in held {
        let version = base.inputs.get(&input).map(|input| input.short_version()).unwrap_or_default();
        session.ui.note(&format!("{input} moved too, and is held at {version}: name it to find which of them it is"));
    }
    let archive = args.from.as_ref().map(|name| session.open_archive(name)).transpose()?;
    let (intake, known) = (session.intake()?, known(session, args.from.as_ref())?);
    let mut lines = Vec::new();
    for (input, (good, bad)) in &of {
        let Some(like) = base.inputs.get(input) else { continue };
        let judge = judge(session, &base, input, args.known_bad);
        let looked = Search { intake, name: input, good, bad, known: &known, judge: &judge }.line(like)?;
        looked.said.iter().for_each(|said| session.ui.note(said));
        lines.push(looked.line);
    }
    let lock = base.to_text()?;
    let plan = Plan {
        asked,
        lock: Sha256Digest::of(lock.as_bytes()),
        lines,
        how,
        outputs: args.output.clone(),
        archive: args.from.as_ref().map(named),
        timeout: args.timeout,
        repeat: args.repeat,
        confirm: args.confirm,
    };
    // Parsed as it will be read, so that nothing is begun that cannot go on.
    let text = text_of(&plan, &text::date(session.now));
    let journal = Journal::parse(&text)?;
    let held = hold(&directory)?;
    ending::forget(&directory)?;
    profile(session)?.remove()?;
    replace_file(&directory.join("strix.lock"), lock.as_bytes())?;
    replace_file(&directory.join("log"), text.as_bytes())?;
    Ok(Driver::new(session, journal, (base, known, archive), held))
}

/// Returns the name of an archive as it is found from any directory.
fn named(archive: &ArchiveName) -> String {
    match archive {
        ArchiveName::Directory(path) | ArchiveName::File(path) => {
            std::path::absolute(path).map_or_else(|_| archive.to_string(), |path| path.display().to_string())
        }
        other => other.to_string(),
    }
}

/// Returns the words by which the same command is known again.
fn asked(args: &BisectArgs, how: &How) -> Vec<String> {
    let mut words = args.inputs.clone();
    for (option, values) in [("--good", &args.good), ("--bad", &args.bad), ("--output", &args.output)] {
        words.extend(values.iter().flat_map(|value| [option.to_owned(), value.clone()]));
    }
    words.extend(args.from.iter().flat_map(|name| ["--from".to_owned(), named(name)]));
    words.extend(["--timeout".to_owned(), args.timeout.to_string(), "--repeat".to_owned(), args.repeat.to_string()]);
    let flags = [("--confirm", args.confirm), ("--known-bad", args.known_bad)];
    words.extend(flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| (*flag).to_owned()));
    let (word, rest): (&str, &[String]) = match how {
        How::Run(command) => ("run", command),
        How::Validate(options) => ("validate", options),
        How::Interactive => ("interactive", &[]),
    };
    words.push(word.to_owned());
    words.extend_from_slice(rest);
    words
}

/// Returns the advisory about a version of an input, for what the lock makes of it, unless the manifest allows it.
fn judge<'l>(
    session: &Session,
    base: &'l Lock,
    input: &'l str,
    test_all: bool,
) -> impl Fn(Pinned) -> Option<String> + use<'l> {
    let allowed = policy(session).allow;
    let all: Vec<Advisory> =
        crate::lock::known(&base.inputs).into_iter().filter(|one| !allowed.contains(&one.id)).collect();
    let used: Option<Use<'l>> = base.judged().into_iter().find(|one| one.input == input).map(|one| one.used);
    move |pinned| {
        let used = used.as_ref().filter(|_| !test_all)?;
        all.iter().find(|one| one.applies(pinned, used)).map(Advisory::text)
    }
}
