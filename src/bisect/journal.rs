//! The log of a bisect: what was asked, and each answer, in a file that a person can read.
//!
//! ```text
//! # strixlock bisect, begun 2026-11-30 17:20:11 UTC
//! format 1
//! asked ["rocm", "--good", "10.1.0a20260901", "run", "./test.sh"]
//! lock sha256:...                       the lock that all other inputs are held at: strix.lock beside the log
//! input rocm nightlies
//! version 10.1.0a20260901 https://...   the versions of this input, from the good end to the bad one
//! version 10.1.0a20260902 https://...
//! known-bad 10.1.0a20260902  # why      a version that is not tested, because an advisory is about it
//! run ["./test.sh"]                     or validate ["--quick"], or interactive
//! archive ["/mnt/archive"]              from which inputs are taken, if there is one
//! timeout 3600
//! begin
//! bad rocm=10.1.0a20260902  # exit code 1 after 0.2 s
//! ```
//!
//! The lines before `begin` are written at once, and each answer is one line that is appended and synced. A last line
//! without its end was cut off by a crash, and counts as not written. `#` begins a remark.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::line::Answer;
use super::search::Point;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::text::visible;

/// The format that this program writes and reads.
const FORMAT: &str = "1";
/// The beginning of a remark behind what a line says.
const REMARK: &str = "  # ";
/// The beginnings of lines with a list of words as JSON.
const WORDS: [&str; 5] = ["asked ", "run ", "validate ", "outputs ", "archive "];
/// Greatest size of a log in bytes: ten thousand nightlies take 2 MB.
const LARGEST: usize = 16 << 20;
/// Greatest number of inputs: each is tried alone.
const MOST_INPUTS: usize = 8;

/// The question of a bisect, and all answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The question.
    pub plan: Plan,
    /// The answers, in order.
    pub events: Vec<Event>,
}

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The words of the command line, by which the same command is known again.
    pub asked: Vec<String>,
    /// The digest of the lock that all other inputs are held at.
    pub lock: Sha256Digest,
    /// The inputs to bisect.
    pub lines: Vec<Line>,
    /// The way to test a version.
    pub how: How,
    /// The outputs to realize; the usual ones if empty.
    pub outputs: Vec<String>,
    /// The archive from which inputs are taken, if there is one.
    pub archive: Option<String>,
    /// Seconds after which a command is stopped, and its version counts as bad; no limit if 0.
    pub timeout: u64,
    /// Number of runs for each version.
    pub repeat: u32,
    /// True to test the last good and the first bad version once more at the end.
    pub confirm: bool,
}

/// The versions of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name of the input.
    pub input: String,
    /// The word for several of its versions.
    pub word: String,
    /// Its versions, from the good end to the bad one.
    pub versions: Vec<Version>,
}

/// A version that may be tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version of ROCm, or the commit.
    pub id: String,
    /// The address of the tarball; none for a commit.
    pub url: Option<String>,
    /// Its name for people, if that is another, with more about it: `b8 (0123456789ab): subject`.
    pub about: String,
    /// The advisory about it; empty if there is none.
    pub known_bad: String,
}

impl Version {
    /// Returns its name for people.
    #[must_use]
    pub fn label(&self) -> &str {
        let label = self.about.split_once(": ").map_or("", |(label, _)| label);
        if label.is_empty() { &self.id } else { label }
    }
}

/// The way to test a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By a command.
    Run(Vec<String>),
    /// By a validation with these options.
    Validate(Vec<String>),
    /// By a person, who says what came out.
    Interactive,
}

/// A line that was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The verdict.
    pub word: Word,
    /// The combination that it is about.
    pub point: Point,
    /// The origin of the verdict.
    pub why: String,
}

/// The word that a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// An answer.
    First(Answer),
    /// The answer of a second test at the end.
    Again(Answer),
    /// Tests of one version that came out differently.
    Flaky,
}

impl Word {
    const ALL: [(&'static str, Self); 6] = [
        ("good", Self::First(Answer::Good)),
        ("bad", Self::First(Answer::Bad)),
        ("skip", Self::First(Answer::Skip)),
        ("again-good", Self::Again(Answer::Good)),
        ("again-bad", Self::Again(Answer::Bad)),
        ("flaky", Self::Flaky),
    ];

    fn text(self) -> &'static str {
        match self {
            Self::First(answer) => answer.word(),
            Self::Again(Answer::Good) => "again-good",
            Self::Again(_) => "again-bad",
            Self::Flaky => "flaky",
        }
    }
}

/// Returns the text of a log up to its answers.
#[must_use]
pub fn begin(plan: &Plan, day: &str) -> String {
    let words = |words: &[String]| serde_json::Value::from(words).to_string();
    let mut text =
        format!("# strixlock bisect, begun {day}\nformat {FORMAT}\nasked {}\nlock {}\n", words(&plan.asked), plan.lock);
    // Writing to a string does not fail.
    for line in &plan.lines {
        let _ = writeln!(text, "input {} {}", line.input, line.word);
        for version in &line.versions {
            let url = version.url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
            let _ = writeln!(text, "version {}{url}{}", version.id, remark(&version.about));
        }
        for version in line.versions.iter().filter(|version| !version.known_bad.is_empty()) {
            let _ = writeln!(text, "known-bad {}{}", version.id, remark(&version.known_bad));
        }
    }
    let how = match &plan.how {
        How::Run(command) => format!("run {}", words(command)),
        How::Validate(options) => format!("validate {}", words(options)),
        How::Interactive => "interactive".to_owned(),
    };
    let _ = writeln!(text, "{how}\noutputs {}", words(&plan.outputs));
    if let Some(archive) = &plan.archive {
        let _ = writeln!(text, "archive {}", words(std::slice::from_ref(archive)));
    }
    let _ = writeln!(text, "timeout {}", plan.timeout);
    let _ = writeln!(text, "repeat {}\nconfirm {}\nbegin", plan.repeat, plan.confirm);
    text
}

/// Returns the line of an answer, with its end.
#[must_use]
pub fn event_line(plan: &Plan, event: &Event) -> String {
    let names = plan.lines.iter().zip(&event.point).map(|(line, at)| {
        let id = line.versions.get(*at).map_or("", |version| version.id.as_str());
        format!(" {}={id}", line.input)
    });
    format!("{}{}{}\n", event.word.text(), names.collect::<String>(), remark(&event.why))
}

fn remark(text: &str) -> String {
    let text = visible(text).replace('\t', " ");
    if text.trim().is_empty() { String::new() } else { format!("{REMARK}{}", text.trim()) }
}

/// Fails if a finished or other bisect would be overwritten by `asked`.
pub fn demand_free(there: &Journal, asked: &[String]) -> Result<()> {
    if there.plan.asked == asked {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "another bisect is under way")
        .fact("begun as", format!("strixlock bisect {}", crate::text::command_line(&there.plan.asked)))
        .hint("`strixlock bisect` goes on with it; `strixlock bisect reset` ends it"))
}

impl Plan {
    /// Returns the combination in words for people: `10.1.0a20260901`, or `rocm 10.1.0a20260901, llama-cpp b8`.
    #[must_use]
    pub fn named(&self, point: &Point) -> String {
        let label = |(line, at): (&Line, &usize)| {
            let label = line.versions.get(*at).map_or("?", Version::label).to_owned();
            if self.lines.len() == 1 { label } else { format!("{} {label}", line.input) }
        };
        self.lines.iter().zip(point).map(label).collect::<Vec<_>>().join(", ")
    }

    /// Returns true if an advisory is about a version of a combination. An end is what somebody said of it.
    #[must_use]
    pub fn is_known_bad(&self, point: &Point) -> bool {
        self.lines.iter().zip(point).any(|(line, at)| {
            let is_end = *at == 0 || at + 1 == line.versions.len();
            !is_end && line.versions.get(*at).is_some_and(|version| !version.known_bad.is_empty())
        })
    }

    /// Returns the last place of each line.
    #[must_use]
    pub fn lasts(&self) -> Vec<usize> {
        self.lines.iter().map(|line| line.versions.len().saturating_sub(1)).collect()
    }
}

impl Journal {
    /// Parses a log. A last line without its end is left out.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > LARGEST {
            return Err(Error::new(Kind::Invalid, "the log of the bisect is too large").fact("size", text.len()));
        }
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mut reader = Reader { number: 0, draft: Draft::default() };
        for line in whole.lines() {
            reader.number += 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            // Words as JSON may have anything in them; nothing else has two spaces before a remark.
            let is_json = WORDS.iter().any(|word| line.starts_with(word));
            let (said, remark) = if is_json { (line, "") } else { line.split_once(REMARK).unwrap_or((line, "")) };
            reader.line(said.trim(), remark.trim())?;
        }
        let Draft { plan: Some(plan), events, .. } = reader.draft else {
            return Err(reader.wrong("it ends before the line `begin`"));
        };
        Ok(Self { plan, events })
    }
}

/// The parts of a log that were read so far.
#[derive(Default)]
struct Draft {
    format: bool,
    asked: Vec<String>,
    lock: Option<Sha256Digest>,
    lines: Vec<Line>,
    how: Option<How>,
    outputs: Vec<String>,
    archive: Option<String>,
    timeout: u64,
    repeat: u32,
    confirm: bool,
    plan: Option<Plan>,
    events: Vec<Event>,
}

struct Reader {
    number: usize,
    draft: Draft,
}

impl Reader {
    fn wrong(&self, why: &str) -> Error {
        Error::new(Kind::Invalid, format!("invalid log of a bisect: {why}")).fact("line", self.number)
    }

    fn line(&mut self, said: &str, remark: &str) -> Result<()> {
        let (word, rest) = said.split_once(' ').map_or((said, ""), |(word, rest)| (word, rest.trim()));
        if !self.draft.format {
            return match (word, rest) {
                ("format", FORMAT) => {
                    self.draft.format = true;
                    Ok(())
                }
                ("format", other) => Err(self.wrong(&format!("unknown format `{}`", visible(other)))),
                _ => Err(self.wrong("expected `format 1`")),
            };
        }
        if self.draft.plan.is_some() { self.event(word, rest, remark) } else { self.plan(word, rest, remark) }
    }

    fn plan(&mut self, word: &str, rest: &str, remark: &str) -> Result<()> {
        let number = |reader: &Self| rest.parse().map_err(|_| reader.wrong("expected a number"));
        match word {
            "asked" => self.draft.asked = self.words(rest)?,
            "outputs" => self.draft.outputs = self.words(rest)?,
            "archive" => self.draft.archive = self.words(rest)?.pop(),
            "lock" => {
                let digest = rest.strip_prefix("sha256:").and_then(Sha256Digest::from_hex);
                self.draft.lock = Some(digest.ok_or_else(|| self.wrong("expected a digest"))?);
            }
            "input" => {
                let (input, word) = rest.split_once(' ').unwrap_or((rest, "versions"));
                let (input, word) = (input.to_owned(), word.trim().to_owned());
                if !crate::manifest::rules::is_name(&input) || self.draft.lines.iter().any(|line| line.input == input) {
                    return Err(self.wrong("invalid input"));
                }
                self.draft.lines.push(Line { input, word, versions: Vec::new() });
            }
            "version" => {
                let (id, url) =
                    rest.split_once(' ').map_or((rest, None), |(id, url)| (id, Some(url.trim().to_owned())));
                let (about, known_bad) = (remark.to_owned(), String::new());
                let version = Version { id: id.to_owned(), url, about, known_bad };
                match self.draft.lines.last_mut() {
                    Some(line) if !id.is_empty() => line.versions.push(version),
                    _ => return Err(self.wrong("a version without an input")),
                }
            }
            "known-bad" => {
                let mut versions = self.draft.lines.last_mut().into_iter().flat_map(|line| &mut line.versions);
                match versions.find(|version| version.id == rest) {
                    Some(version) => remark.clone_into(&mut version.known_bad),
                    None => return Err(self.wrong("a version that is not among those of its input")),
                }
            }
            "run" => self.draft.how = Some(How::Run(self.words(rest)?)),
            "validate" => self.draft.how = Some(How::Validate(self.words(rest)?)),
            "interactive" => self.draft.how = Some(How::Interactive),
            "timeout" => self.draft.timeout = number(self)?,
            "repeat" => self.draft.repeat = u32::try_from(number(self)?).unwrap_or(1).max(1),
            "confirm" => self.draft.confirm = rest == "true",
            "begin" => self.draft.plan = Some(self.whole()?),
            _ => return Err(self.wrong(&format!("unknown word `{}`", visible(word)))),
        }
        Ok(())
    }

    fn words(&self, rest: &str) -> Result<Vec<String>> {
        serde_json::from_str(rest).map_err(|error| self.wrong("expected a list of words as JSON").because(&error))
    }

    /// Returns the plan. Fails if it is not whole.
    fn whole(&mut self) -> Result<Plan> {
        let draft = std::mem::take(&mut self.draft);
        self.draft.format = true;
        let (Some(lock), Some(how)) = (draft.lock, draft.how) else {
            return Err(self.wrong("missing `lock`, or one of `run`, `validate` and `interactive`"));
        };
        if draft.lines.is_empty() || draft.lines.len() > MOST_INPUTS {
            return Err(self.wrong("it needs an input, and eight at most"));
        }
        for line in &draft.lines {
            let ids: BTreeSet<&str> = line.versions.iter().map(|version| version.id.as_str()).collect();
            if ids.len() < 2 || ids.len() < line.versions.len() {
                return Err(self.wrong("an input needs two versions or more, each of them once").about(&line.input));
            }
        }
        let Draft { asked, lines, outputs, archive, timeout, repeat, confirm, .. } = draft;
        Ok(Plan { asked, lock, lines, how, outputs, archive, timeout, repeat: repeat.max(1), confirm })
    }

    fn event(&mut self, word: &str, rest: &str, remark: &str) -> Result<()> {
        let Some((_, word)) = Word::ALL.into_iter().find(|(text, _)| *text == word) else {
            return Err(self.wrong(&format!("unknown answer `{}`", visible(word))));
        };
        let Some(plan) = &self.draft.plan else { return Ok(()) };
        let point = plan.point(rest).map_err(|why| self.wrong(&why))?;
        self.draft.events.push(Event { word, point, why: remark.to_owned() });
        Ok(())
    }
}

impl Plan {
    /// Parses a combination, as `INPUT=VERSION` for each input.
    fn point(&self, text: &str) -> Result<Point, String> {
        let given: Vec<(&str, &str)> = text.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        if given.len() != self.lines.len() || text.split_whitespace().count() != given.len() {
            return Err("expected INPUT=VERSION for each input".to_owned());
        }
        let place = |line: &Line| {
            let (_, id) = given.iter().find(|(input, _)| *input == line.input)?;
            line.versions.iter().position(|version| version.id == *id)
        };
        let all: Option<Point> = self.lines.iter().map(place).collect();
        all.ok_or_else(|| "a version that is not among those of its input".to_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn plan(counts: &[usize]) -> Plan {
        let line = |(number, count): (usize, &usize)| Line {
            input: format!("input{number}"),
            word: "nightlies".to_owned(),
            versions: (0..*count)
                .map(|at| Version {
                    id: format!("1.0.{at}"),
                    url: Some(format!("https://host/{at}%20.tar.gz#x")),
                    about: if at == 1 { "b1 (0123): a # subject".to_owned() } else { String::new() },
                    known_bad: String::new(),
                })
                .collect(),
        };
        Plan {
            asked: vec!["rocm".to_owned(), "it's # \"\n".to_owned()],
            lock: Sha256Digest::of(b"lock"),
            lines: counts.iter().enumerate().map(line).collect(),
            how: How::Run(vec!["sh".to_owned(), "-c".to_owned(), "exit 1 # no".to_owned()]),
            outputs: Vec::new(),
            archive: Some("/mnt/an archive".to_owned()),
            timeout: 60,
            repeat: 2,
            confirm: true,
        }
    }

    fn event(word: Word, point: &[usize]) -> Event {
        Event { word, point: point.to_vec(), why: "exit code 1 after 0.2 s".to_owned() }
    }

    #[test]
    fn a_log_is_read_as_it_was_written() {
        let mut plan = plan(&[3, 2]);
        plan.lines[1].versions[1].known_bad = "crashes; https://host/1".to_owned();
        let events: Vec<Event> = Word::ALL.into_iter().map(|(_, word)| event(word, &[1, 0])).collect();
        let lines: String = events.iter().map(|event| event_line(&plan, event)).collect();
        let text = format!("{}{lines}", begin(&plan, "2026-11-30"));
        assert!(text.ends_with("\nflaky input0=1.0.1 input1=1.0.0  # exit code 1 after 0.2 s\n"), "{text}");
        assert_eq!(Journal::parse(&text).unwrap(), Journal { plan: plan.clone(), events: events.clone() });
        assert_eq!(plan.lines[0].versions[1].label(), "b1 (0123)");
        // Cut off anywhere, it has the answers that were whole.
        let head = text.len() - lines.len();
        for end in head..text.len() {
            let read = Journal::parse(&text[..end]).unwrap();
            assert_eq!(read.events.len(), text[head..end].matches('\n').count());
        }
    }

    #[test]
    fn wrong_logs_are_refused_with_the_line() {
        let text = begin(&plan(&[3]), "2026-11-30");
        for (from, to, said) in [
            ("format 1", "format 2", "unknown format `2`"),
            ("format 1\n", "", "expected `format 1`"),
            ("lock sha256:", "lock ", "expected a digest"),
            ("input input0", "input ../x", "invalid input"),
            ("version 1.0.2", "version 1.0.1", "each of them once"),
            ("run [", "run ", "expected a list of words"),
            ("begin\n", "", "it ends before the line `begin`"),
            ("begin\n", "begin\ngood input0=9\n", "not among those"),
            ("begin\n", "begin\ngood 1.0.1\n", "expected INPUT=VERSION"),
            ("begin\n", "begin\ngreat input0=1.0.1\n", "unknown answer `great`"),
            ("timeout 60", "timeout soon", "expected a number"),
            ("timeout 60", "time 60", "unknown word `time`"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            let error = Journal::parse(&changed).expect_err(said);
            assert!(error.message().contains(said), "{said}: {}", error.message());
            assert!(error.facts().any(|(label, _)| label == "line"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([a-z]{0,8}[ =\\[\\]\"#\n0-9.]{0,3}){0,20}") {
            let _ = Journal::parse(&text);
            let _ = Journal::parse(&format!("{}{text}", begin(&plan(&[3]), "x")));
        }
    }
}
