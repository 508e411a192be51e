//! The log on standard error or in a file.

mod filter;
mod output;

use std::path::PathBuf;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::{fmt, registry};

use super::Ui;
use super::paths::path;
use crate::error::{Error, Result};
use filter::Filter;
use output::Output;

/// Options for the log.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct LoggingArgs {
    /// Log requests, cache decisions and commands to standard error; -vv for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Log these topics: fetch, cache, run, lists; such as `fetch=debug,run=info`
    #[arg(long, global = true, value_name = "FILTER", env = "STRIXLOCK_LOG")]
    log_filter: Option<Filter>,
    /// Append the log to this file instead of standard error; with details unless -v or --log-filter is given
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), env = "STRIXLOCK_LOG_FILE")]
    log_file: Option<PathBuf>,
}

impl LoggingArgs {
    /// Starts the log. Earlier events are lost.
    pub fn start(&self, ui: &Ui) -> Result<()> {
        let Some(filter) = self.filter() else { return Ok(()) };
        let events = match &self.log_file {
            // Times matter in a file, which is compared with other logs later.
            Some(path) => fmt::layer().with_ansi(false).with_writer(Output::file(path)?).boxed(),
            None => fmt::layer().with_ansi(false).without_time().with_writer(Output::Screen(ui.screen())).boxed(),
        };
        let subscriber = registry().with(events.with_filter(filter.targets()));
        tracing::subscriber::set_global_default(subscriber)
            .map_err(|error| Error::failure("cannot begin to log").because(&error))
    }

    fn filter(&self) -> Option<Filter> {
        let level = match self.verbose {
            0 if self.log_file.is_none() => None,
            1 => Some(LevelFilter::INFO),
            _ => Some(LevelFilter::DEBUG),
        };
        self.log_filter.clone().or(level.map(Filter::all))
    }
}
