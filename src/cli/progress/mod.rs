//! Progress on standard error: lines that are redrawn on a terminal, a plain log anywhere else.

mod bars;
mod interrupt;
mod line;
mod lines;
mod running;
mod screen;
mod track;

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use super::palette::painted;
use crate::progress::{Doing, Progress, Silent, Task, Unit};
use lines::Lines;

pub(super) use interrupt::{give_way, leave_to_command};
pub(super) use running::Running;
pub(super) use track::took;

/// Returns the display that fits standard error.
pub(super) fn fitting(running: &Arc<Running>) -> Arc<dyn Progress> {
    let moves = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    if std::io::stderr().is_terminal() && moves {
        Arc::new(bars::Bars::new(Arc::clone(running)))
    } else {
        Arc::new(Lines::new(Arc::clone(running)))
    }
}

/// Notes without tasks.
pub(super) struct Notes;

impl Progress for Notes {
    fn begin(&self, _: Doing, _: &str, _: Option<u64>, _: Unit) -> Box<dyn Task> {
        Box::new(Silent)
    }

    fn note(&self, text: &str) {
        let _ = writeln!(anstream::stderr(), "{}", painted(text));
    }
}
