//! Servers of the manifest's inputs. Realizing what is locked may need none of them; look-ups do.

use super::{Finding, Level, Surroundings};
use crate::error::Error;

/// The servers of the manifest's inputs.
#[derive(Debug, Clone)]
pub enum Network {
    /// They were not asked, because the user forbids the network.
    Offline,
    /// They were asked.
    Asked(Vec<Server>),
}

/// A server, or an address whose server cannot be asked here.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its host and port; else the address.
    pub name: String,
    /// The inputs that ask it.
    pub inputs: Vec<String>,
    /// `None` if it was not asked.
    pub answer: Option<Result<(), Error>>,
}

/// The name of the check.
const CHECK: &str = "network";

/// Judges every server.
pub(super) fn check(surroundings: &Surroundings) -> Vec<Finding> {
    match &surroundings.network {
        None => Vec::new(),
        Some(Network::Offline) => vec![
            Finding::new(CHECK, Level::Advice, "servers of the inputs were not asked: --offline")
                .why("`update` asks them")
                .mend("leave out --offline"),
        ],
        Some(Network::Asked(servers)) => servers.iter().map(|server| one(server, servers)).collect(),
    }
}

fn one(server: &Server, all: &[Server]) -> Finding {
    let (name, inputs) = (&server.name, server.inputs.join(", "));
    let error = match &server.answer {
        None => return Finding::good(CHECK, format!("{name} was not asked: it is no web server ({inputs})")),
        Some(Ok(())) => return Finding::good(CHECK, format!("{name} answers ({inputs})")),
        Some(Err(error)) => error,
    };
    // Several indexes and mirrors may have the same things.
    let has_other = |input: &String| {
        let mut others = all.iter().filter(|other| other.inputs.contains(input));
        others.any(|other| !matches!(other.answer, Some(Err(_))))
    };
    let level = if server.inputs.iter().all(has_other) { Level::Advice } else { Level::Bad };
    let why = error.cause().map_or_else(|| error.message().to_owned(), str::to_owned);
    Finding::new(CHECK, level, format!("{name} does not answer: {why}"))
        .why(format!("`update` asks it for {inputs}; what is locked is also taken from mirrors and from the store"))
        .mend("see whether a proxy is needed (HTTPS_PROXY); `mirrors` in the configuration names other servers")
}
