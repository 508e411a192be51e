//! Result of a deployment to one host.

use serde_json::{Value, json};

use crate::digest::TreeDigest;
use crate::error::{Error, Kind};

/// Result of a validation on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// True if it passed.
    pub passed: bool,
    /// Checks that failed.
    pub failed: Vec<String>,
    /// Device that computed.
    pub device: String,
}

/// Result of a deployment to one host.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Name of the host, as it was given.
    pub host: String,
    /// Outputs that were sent, or would be.
    pub outputs: Vec<String>,
    /// Trees whose contents the host has and that were left out.
    pub beside: Vec<TreeDigest>,
    /// Size of the contents that were sent, before compression.
    pub contents: u64,
    /// Bytes that were sent, without the lock.
    pub sent: u64,
    /// Bytes that were not sent, since they arrived in an earlier transfer that broke off.
    pub resumed: u64,
    /// True if the host lacked contents that were left out, and got a second snapshot with everything.
    pub whole: bool,
    /// Outputs that the host has to make or fetch itself.
    pub left: Vec<String>,
    /// Generation that was current before.
    pub before: Option<u64>,
    /// Generation of the lock.
    pub generation: Option<u64>,
    /// Generation that is current now.
    pub after: Option<u64>,
    /// Result of the validation, if one was run.
    pub validation: Option<Verdict>,
    /// Failure of a step.
    pub error: Option<Error>,
    /// True for a dry run.
    pub dry_run: bool,
}

impl Outcome {
    /// Returns the exit code of this host.
    #[must_use]
    pub fn code(&self) -> u8 {
        match (&self.error, &self.validation) {
            (Some(error), _) => error.kind() as u8,
            (None, Some(verdict)) if !verdict.passed => Kind::Unfit as u8,
            _ => 0,
        }
    }

    /// Returns a word for the result.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (&self.error, &self.validation) {
            (Some(_), _) => "error",
            (None, Some(verdict)) if !verdict.passed => "failed",
            _ if self.dry_run => "planned",
            _ if self.after == self.before => "current",
            _ => "switched",
        }
    }

    /// Returns the result in a sentence without a full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        let stays = match self.before {
            Some(number) => format!("generation {number} stays current"),
            None => "no generation was current before, and none is now".to_owned(),
        };
        match (&self.error, &self.validation) {
            (Some(error), _) => error.message().to_owned(),
            (None, Some(verdict)) if !verdict.passed => {
                format!("failed its validation: {}; {stays}", verdict.failed.join(", "))
            }
            _ if self.dry_run => String::new(),
            (None, verdict) => {
                let judged = if verdict.is_some() { "passed its validation" } else { "not validated" };
                if self.word() == "current" {
                    format!("current already, {judged}")
                } else {
                    format!("switched, {judged}")
                }
            }
        }
    }

    /// Returns everything as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "host": self.host,
            "result": self.word(),
            "exit_code": self.code(),
            "outputs": self.outputs,
            "left": self.left,
            "beside": self.beside,
            "contents": self.contents,
            "sent": self.sent,
            "resumed": self.resumed,
            "whole": self.whole,
            "before": self.before,
            "generation": self.generation,
            "after": self.after,
            "validation": self.validation.as_ref().map(|verdict| {
                json!({ "passed": verdict.passed, "failed": verdict.failed, "device": verdict.device })
            }),
            "error": self.error.as_ref().map(Error::to_json),
        })
    }
}
