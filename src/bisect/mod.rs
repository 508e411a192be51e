//! Bisects versions of inputs: which one brought a fault, and where on its line of versions.
//!
//! The search is pure: [`mod@line`] bisects one line, [`search`] several. What was asked and answered stands in one
//! append-only file, the [`journal`]; everything else follows from it ([`State`]), so that a run that was killed at any
//! point goes on where it was. [`candidates`] finds the versions, [`pinning`] makes a lock of a combination without
//! touching that of the project, [`attempt`] runs a command and judges how it ended, and [`page`] has the texts of the
//! end.

mod attempt;
mod candidates;
mod journal;
mod line;
mod page;
mod pinning;
mod search;
mod state;

pub use attempt::{Attempt, demand_command};
pub use candidates::{End, Known, Search};
pub use journal::{Event, How, Journal, Line, Plan, Version, Word, begin, demand_free, event_line};
pub use line::Answer;
pub use page::{Ending, report};
pub use pinning::{known_pin, lock_of, pin, untestable};
pub use search::{Culprit, Point, Question, Verdict};
pub use state::{Now, State};
