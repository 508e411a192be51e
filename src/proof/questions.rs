//! Questions to ld.so and to programs, asked one after the other in one sandbox: a process each, its answer and exit code.
//!
//! A script asks them. Between answers it prints lines of its own, by which they are told apart; a program that printed such a line
//! could spoil its own proof and nothing else, since questions are counted.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sandbox::Sandbox;
use crate::text::shell_quoted_bytes;

/// Where the script stands in the sandbox.
pub(super) const PLACE: &str = "/proof";
/// What stands there, in the directory that the sandbox has for itself.
pub(super) const SHOWN: &str = "questions";
/// What the script's own lines begin with.
const MARK: &str = "@proof ";
/// An answer of more lines than this is cut. ld.so tells some ten lines of each library that it loads.
const MOST: usize = 1 << 16;
/// The loader of the platform, for programs that name none.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// In what environment something is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Where {
    /// With no search path: libraries find each other by their own.
    Bare,
    /// With the search path that images set (`LD_LIBRARY_PATH`).
    Image,
}

impl Where {
    pub const ALL: [Self; 2] = [Self::Bare, Self::Image];
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Question {
    /// What ld.so maps for this file.
    List(Vec<u8>, Where),
    /// Whether ld.so loads this library with all symbols resolved.
    Load(Vec<u8>),
    /// `Load` where ld.so looks through these directories besides, with `:` between them.
    LoadWith(Vec<u8>, Vec<u8>),
    /// What this program says to these arguments.
    Ask(Vec<u8>, &'static str, Where),
    /// The same, with ld.so telling what it does (`LD_DEBUG=files`).
    Trace(Vec<u8>, &'static str, Where),
}

/// What was answered.
#[derive(Default, Debug)]
pub(super) struct Answer {
    /// The exit code, as the shell tells it: 128 and the signal, where there was one.
    pub code: i32,
    /// All that was printed.
    pub lines: Vec<String>,
}

impl Answer {
    /// The last lines, for an error.
    pub fn end(&self) -> String {
        let said: Vec<&str> = self.lines.iter().map(String::as_str).filter(|line| !line.trim().is_empty()).collect();
        said[said.len().saturating_sub(8)..].join("\n")
    }
}

/// The questions in order.
pub(super) struct Questions {
    loader: Vec<u8>,
    /// Value that images set `LD_LIBRARY_PATH` to.
    search_path: String,
    all: Vec<Question>,
}

pub(super) type Answers = BTreeMap<Question, Answer>;

impl Questions {
    pub fn new(interpreter: Option<&[u8]>, search_path: String) -> Self {
        Self { loader: interpreter.unwrap_or(LOADER.as_bytes()).to_vec(), search_path, all: Vec::new() }
    }

    pub fn add(&mut self, question: Question) {
        self.all.push(question);
    }

    /// Asks them all. The script is put into [`SHOWN`] of `work`, which stands at [`PLACE`] in the sandbox.
    pub fn answers(self, sandbox: &Sandbox, work: &Path, log: &mut dyn Write) -> Result<Answers> {
        fs_err::write(work.join(SHOWN).join("questions.sh"), self.script())?;
        let mut reader = Reader { answers: Vec::new(), open: None };
        let command = ["sh".to_owned(), format!("{PLACE}/questions.sh")];
        let status = sandbox.run(&command, log, &mut |line| reader.line(line))?;
        if !status.success() || reader.answers.len() != self.all.len() {
            return Err(Error::failure(format!("the proof in the runtime ended early ({status})"))
                .fact("answered", format!("{} of {} questions", reader.answers.len(), self.all.len())));
        }
        Ok(self.all.into_iter().zip(reader.answers).collect())
    }

    fn script(&self) -> Vec<u8> {
        let loader = shell_quoted_bytes(&self.loader);
        let mut script = Vec::new();
        // Loading a library beside a program that needs nothing of it: ld.so resolves all symbols of both before it starts.
        for part in [
            b"list() { ".as_slice(),
            &loader,
            b" --list \"$1\"; }\nload() { LD_BIND_NOW=1 ",
            &loader,
            b" --preload \"$1\" /bin/sh -c :; }\ntrace() { LD_DEBUG=files \"$@\"; }\n",
            b"load_with() { LD_BIND_NOW=1 ",
            &loader,
            b" --library-path \"$1\" --preload \"$2\" /bin/sh -c :; }\nimage() { (LD_LIBRARY_PATH=",
            &shell_quoted_bytes(self.search_path.as_bytes()),
            b"; export LD_LIBRARY_PATH; \"$@\"); }\n",
            b"n=0\nask() { n=$((n+1)); echo; echo \"@proof $n\"; \"$@\" </dev/null 2>&1; code=$?; echo; echo \"@proof $n $code\"; }\n",
        ] {
            script.extend_from_slice(part);
        }
        for question in &self.all {
            let (place, word, paths, arguments) = match question {
                Question::List(path, place) => (*place, "list", vec![path], ""),
                Question::Load(path) => (Where::Bare, "load", vec![path], ""),
                Question::LoadWith(path, directories) => (Where::Bare, "load_with", vec![directories, path], ""),
                Question::Ask(path, arguments, place) => (*place, "", vec![path], *arguments),
                Question::Trace(path, arguments, place) => (*place, "trace", vec![path], *arguments),
            };
            let image = if place == Where::Image { " image" } else { "" };
            script.extend_from_slice(format!("ask{image} {word}").as_bytes());
            for path in paths {
                script.push(b' ');
                script.extend_from_slice(&shell_quoted_bytes(path));
            }
            script.extend_from_slice(format!(" {arguments}\n").as_bytes());
        }
        script.extend_from_slice(b"exit 0\n");
        script
    }
}

/// Puts the script's output together again.
struct Reader {
    answers: Vec<Answer>,
    open: Option<Answer>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let next = self.answers.len() + 1;
        let mark = line.strip_prefix(MARK).and_then(|rest| rest.strip_prefix(&next.to_string()));
        let code = mark.and_then(|rest| rest.strip_prefix(' ')).and_then(|code| code.parse::<i32>().ok());
        match (mark, code, &mut self.open) {
            (Some(""), _, None) => self.open = Some(Answer::default()),
            (_, Some(code), Some(answer)) => {
                let lines = std::mem::take(&mut answer.lines);
                self.answers.push(Answer { code, lines });
                self.open = None;
            }
            (_, _, Some(answer)) if answer.lines.len() < MOST => answer.lines.push(line.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn each_question_gets_its_own_answer_and_exit_code() {
        let mut questions = Questions::new(None, "/opt/a lib:/opt/b".to_owned());
        let sh = || b"/bin/sh".to_vec();
        let show = "-c 'echo \"path $LD_LIBRARY_PATH\"'";
        for question in [
            Question::Ask(sh(), "-c 'printf \"no end of line\"; exit 3'", Where::Bare),
            Question::Ask(sh(), "-c 'kill -9 $$'", Where::Image),
            Question::Ask(b"/no'where".to_vec(), "--version", Where::Bare),
            Question::List(sh(), Where::Image),
            Question::Load(b"/no/lib.so".to_vec()),
            Question::Ask(sh(), "-c 'echo @proof 9 0; echo @proof 6'", Where::Bare),
            Question::Trace(sh(), "-c 'exit 5'", Where::Bare),
            Question::Ask(sh(), show, Where::Image),
            Question::Ask(sh(), show, Where::Bare),
            Question::LoadWith(b"libc.so.6".to_vec(), b"/no'where:/lib/x86_64-linux-gnu:/lib64:/usr/lib".to_vec()),
        ] {
            questions.add(question);
        }
        let mut reader = Reader { answers: Vec::new(), open: None };
        let mut command = Command::new("sh");
        let output = command
            .env_remove("LD_LIBRARY_PATH")
            .arg("-c")
            .arg(String::from_utf8(questions.script()).unwrap())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().for_each(|line| reader.line(line));
        let codes: Vec<i32> = reader.answers.iter().map(|answer| answer.code).collect();
        assert_eq!(codes, [3, 137, 127, 0, 0, 0, 5, 0, 0, 0]);
        let said = |number: usize| &reader.answers[number].lines;
        assert!(said(7).contains(&"path /opt/a lib:/opt/b".to_owned()) && said(8).contains(&"path ".to_owned()));
        assert!(!reader.answers[9].end().contains("cannot be preloaded"), "{}", reader.answers[9].end());
        assert!(reader.answers[0].lines.contains(&"no end of line".to_owned()));
        assert!(reader.answers[3].lines.iter().any(|line| line.contains("libc.so.6 => /")));
        assert!(reader.answers[6].lines.iter().any(|line| line.contains("calling init: /")));
        assert!(reader.answers[4].end().contains("cannot be preloaded"), "{}", reader.answers[4].end());
    }
}
