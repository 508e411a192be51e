//! The one error type of the program. It has five parts: the subject, the message, the facts, the cause, and a hint.
//!
//! Errors are read by people and by scripts. A person gets the text of [`Error`]'s `Display`; a script gets the
//! [`Kind`], which is the exit code, and the same parts as JSON. One struct instead of an enum per module, because
//! every error has these parts, and nothing below the command line matches on any of them except the kind.

use std::fmt;

/// The kind of a failure. The discriminant is the exit code of the process and part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The job could not be done: for example, a build failed or a file could not be written.
    Failure = 1,
    /// The command line is wrong (clap uses the same code).
    Usage = 2,
    /// The manifest, the lock or the configuration is invalid.
    Invalid = 3,
    /// The lock does not fit the manifest, or a generated file is out of date.
    Stale = 4,
    /// Bytes from outside differ from those that were promised or pinned.
    Mismatch = 5,
    /// An output differs from the one that the lock records.
    NotReproducible = 6,
    /// Something in the store does not have the digest that it is named by.
    Damaged = 7,
    /// Something that is needed is not here, and the network was forbidden or no source answered.
    Unreachable = 8,
    /// Upstream answered, but has nothing that fits the request.
    NotFound = 9,
    /// An output does not run as it should, or this machine, or a container on it, lacks something that the job
    /// needs.
    Unfit = 10,
    /// Another process has held the store for too long, or the machine is too busy to measure speeds.
    Busy = 11,
}

impl Kind {
    /// Returns the name that `--json` errors carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::Invalid => "invalid",
            Self::Stale => "stale",
            Self::Mismatch => "mismatch",
            Self::NotReproducible => "not-reproducible",
            Self::Damaged => "damaged",
            Self::Unreachable => "unreachable",
            Self::NotFound => "not-found",
            Self::Unfit => "unfit",
            Self::Busy => "busy",
        }
    }
}

/// An error, ready to be shown. Cheap to move: one pointer.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: Kind,
    subject: Option<String>,
    message: String,
    facts: Vec<(&'static str, String)>,
    excerpt: Option<String>,
    cause: Option<String>,
    hint: Option<String>,
    place: Option<usize>,
    others: Vec<Error>,
}

/// The result of anything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Creates an error. `message` is a lower-case fragment without a full stop.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            subject: None,
            message: message.into(),
            facts: Vec::new(),
            excerpt: None,
            cause: None,
            hint: None,
            place: None,
            others: Vec::new(),
        }))
    }

    /// Creates an error of [`Kind::Failure`].
    #[must_use]
    pub fn failure(message: impl Into<String>) -> Self {
        Self::new(Kind::Failure, message)
    }

    /// Sets the input, output or file that the error is about. The first call wins, since the innermost caller
    /// knows most.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.0.subject.get_or_insert_with(|| subject.into());
        self
    }

    /// Adds a labelled line such as `url` or `locked`; labels are short so that they line up.
    #[must_use]
    pub fn fact(mut self, label: &'static str, value: impl fmt::Display) -> Self {
        self.0.facts.push((label, value.to_string()));
        self
    }

    /// Adds text that is shown unchanged, such as a source line with a caret or the end of a log.
    #[must_use]
    pub fn excerpt(mut self, text: impl Into<String>) -> Self {
        self.0.excerpt = Some(text.into());
        self
    }

    /// Adds the underlying error of another library as the cause, with its own causes. At most 2000 characters are
    /// kept.
    #[must_use]
    pub fn because(mut self, cause: &dyn std::error::Error) -> Self {
        let mut text = cause.to_string();
        let mut source = cause.source();
        while let Some(inner) = source {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text.push_str(": ");
                text.push_str(&inner_text);
            }
            source = inner.source();
        }
        // Libraries quote the input that they could not read, which comes from outside.
        let shown = text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c });
        self.0.cause = Some(shown.take(2000).collect());
        self
    }

    /// Sets the hint: the next thing to do. The last call wins.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the place in the text that the error is about, in bytes, by which errors of one text are ordered.
    #[must_use]
    pub fn at(mut self, place: usize) -> Self {
        self.0.place = Some(place);
        self
    }

    /// Returns the place in the text that the error is about.
    #[must_use]
    pub fn place(&self) -> Option<usize> {
        self.0.place
    }

    /// Adds errors that were found beside this one, such as all others of a file.
    #[must_use]
    pub fn beside(mut self, others: Vec<Self>) -> Self {
        self.0.others = others;
        self
    }

    /// Returns the errors that were found beside this one. They are shown after it.
    #[must_use]
    pub fn others(&self) -> &[Self] {
        &self.0.others
    }

    /// Returns the kind, which is the exit code.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the message alone, without subject and facts.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the underlying error's text, if there is one.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Returns the hint, if there is one.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns the labelled lines.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.facts.iter().map(|(label, value)| (*label, value.as_str()))
    }

    /// Returns the error as an object for `--json`: `kind`, `exit_code`, `message`, `facts`, `others`, and `subject`,
    /// `excerpt`, `cause` and `hint`, each null if there is none.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let parts = &self.0;
        // A list rather than an object, since the same label can occur several times.
        let facts: Vec<_> =
            parts.facts.iter().map(|(label, value)| serde_json::json!({ "label": label, "value": value })).collect();
        serde_json::json!({
            "kind": parts.kind.name(),
            "exit_code": parts.kind as u8,
            "subject": parts.subject,
            "message": parts.message,
            "facts": facts,
            "excerpt": parts.excerpt,
            "cause": parts.cause,
            "hint": parts.hint,
            "others": parts.others.iter().map(Self::to_json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &self.0;
        if let Some(subject) = &parts.subject {
            write!(f, "{subject}: ")?;
        }
        f.write_str(&parts.message)?;
        let width = parts.facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, value) in &parts.facts {
            write!(f, "\n  {label:width$}  {value}")?;
        }
        if let Some(cause) = &parts.cause {
            write!(f, "\n  because {cause}")?;
        }
        if let Some(excerpt) = &parts.excerpt {
            write!(f, "\n{}", excerpt.trim_end())?;
        }
        if let Some(hint) = &parts.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// IO errors come from `fs_err`, whose text already names the path and the operation.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        if let Some(ours) = carried(&error) {
            return ours;
        }
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let error = Self::failure(error.to_string());
        if full { error.hint("free some space, or put the store elsewhere with --store") } else { error }
    }
}

/// Returns the [`Error`] that passed through a `Read` interface inside an IO error, however often a library wrapped
/// it.
fn carried(error: &std::io::Error) -> Option<Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(ours) = current.downcast_ref::<Error>() {
            return Some(ours.clone());
        }
        next = match current.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)),
            None => current.source(),
        };
    }
    None
}

/// Lets an [`Error`] pass through interfaces that take `std::io::Error`; `From` takes it out again.
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

/// Adds a subject to the error of a result.
pub trait About<T> {
    /// See [`Error::about`].
    fn about(self, subject: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Error>> About<T> for Result<T, E> {
    fn about(self, subject: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().about(subject))
    }
}
