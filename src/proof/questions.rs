//! Questions to ld.so and to programs, each asked in its own process, one after the other in one sandbox.
//!
//! A script asks the questions. It prints lines of its own between the answers to separate them. Since answers are
//! counted, a program that prints such a line can only make its own proof fail.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::sandbox::Sandbox;
use crate::text::shell_quoted_bytes;

/// Directory of the script in the sandbox.
pub(super) const DIRECTORY: &str = "/proof";
/// Name of that directory in the work directory.
pub(super) const SOURCE: &str = "questions";
/// Prefix of the script's own lines.
const MARK: &str = "@proof ";
/// Number of lines after which an answer is cut. ld.so prints about ten lines for each library that it loads.
const MAX_LINES: usize = 1 << 16;
/// The loader of the platform, for programs that name none.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Environment of a question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Environment {
    /// No `LD_LIBRARY_PATH`: libraries find each other by their own search paths.
    Bare,
    /// The `LD_LIBRARY_PATH` that images set.
    Image,
}

impl Environment {
    pub const ALL: [Self; 2] = [Self::Bare, Self::Image];
}

/// A question.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Question {
    /// Asks ld.so for the files that it maps for this file.
    List(Vec<u8>, Environment),
    /// Has ld.so load this library with all symbols resolved.
    Load(Vec<u8>),
    /// Like `Load`, with further directories to search, joined by `:`.
    LoadWith(Vec<u8>, Vec<u8>),
    /// Runs this program with these arguments.
    Ask(Vec<u8>, &'static str, Environment),
    /// Like `Ask`, with ld.so's report of files (`LD_DEBUG=files`).
    Trace(Vec<u8>, &'static str, Environment),
}

/// The answer to a question.
#[derive(Default, Debug)]
pub(super) struct Answer {
    /// The exit code as the shell reports it: 128 plus the number of a signal.
    pub code: i32,
    /// The output.
    pub lines: Vec<String>,
}

impl Answer {
    /// Returns the last lines, for an error.
    pub fn end(&self) -> String {
        let said: Vec<&str> = self.lines.iter().map(String::as_str).filter(|line| !line.trim().is_empty()).collect();
        said[said.len().saturating_sub(8)..].join("\n")
    }
}

/// Questions in order.
pub(super) struct Questions {
    loader: Vec<u8>,
    /// The `LD_LIBRARY_PATH` of images.
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

    /// Asks all questions. Writes the script into [`SOURCE`] below `work`, which is [`DIRECTORY`] in the sandbox.
    pub fn answers(self, sandbox: &Sandbox, work: &Path, log: &mut dyn Write) -> Result<Answers> {
        fs_err::write(work.join(SOURCE).join("questions.sh"), self.script())?;
        let mut reader = AnswerReader { answers: Vec::new(), open: None };
        let command = ["sh".to_owned(), format!("{DIRECTORY}/questions.sh")];
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
        // `load` preloads a library into a shell that does not need it: ld.so resolves all symbols of both before it
        // starts.
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
            b"n=0\nask() { n=$((n+1)); echo; echo \"@proof $n\"; \"$@\" </dev/null 2>&1; code=$?; \
              echo; echo \"@proof $n $code\"; }\n",
        ] {
            script.extend_from_slice(part);
        }
        for question in &self.all {
            let (environment, word, paths, arguments) = match question {
                Question::List(path, environment) => (*environment, "list", vec![path], ""),
                Question::Load(path) => (Environment::Bare, "load", vec![path], ""),
                Question::LoadWith(path, directories) => (Environment::Bare, "load_with", vec![directories, path], ""),
                Question::Ask(path, arguments, environment) => (*environment, "", vec![path], *arguments),
                Question::Trace(path, arguments, environment) => (*environment, "trace", vec![path], *arguments),
            };
            let image = if environment == Environment::Image { " image" } else { "" };
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

/// Parser of the script's output.
struct AnswerReader {
    answers: Vec<Answer>,
    open: Option<Answer>,
}

impl AnswerReader {
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
            (_, _, Some(answer)) if answer.lines.len() < MAX_LINES => answer.lines.push(line.to_owned()),
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
            Question::Ask(sh(), "-c 'printf \"no end of line\"; exit 3'", Environment::Bare),
            Question::Ask(sh(), "-c 'kill -9 $$'", Environment::Image),
            Question::Ask(b"/no'where".to_vec(), "--version", Environment::Bare),
            Question::List(sh(), Environment::Image),
            Question::Load(b"/no/lib.so".to_vec()),
            Question::Ask(sh(), "-c 'echo @proof 9 0; echo @proof 6'", Environment::Bare),
            Question::Trace(sh(), "-c 'exit 5'", Environment::Bare),
            Question::Ask(sh(), show, Environment::Image),
            Question::Ask(sh(), show, Environment::Bare),
            Question::LoadWith(b"libc.so.6".to_vec(), b"/no'where:/lib/x86_64-linux-gnu:/lib64:/usr/lib".to_vec()),
        ] {
            questions.add(question);
        }
        let mut reader = AnswerReader { answers: Vec::new(), open: None };
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
