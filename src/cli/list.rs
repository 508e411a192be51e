//! `strixlock list`

use std::str::FromStr;

use url::Url;

use super::Session;
use super::table::{Column, Table};
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::inputs::LockedInput;
use crate::text;
use crate::upstream::rocm::{
    Candidate, Channel, Family, Platform, Retention, RocmRequest, VersionRequest, look_up, made, retention,
};

/// List what upstream offers
#[derive(Debug, clap::Subcommand)]
pub enum ListCommand {
    /// List ROCm tarballs, newest first; fails if there are none
    ///
    /// `*` marks the locked one. With --quiet, prints only URLs, one per line.
    Rocm(RocmArgs),
}

#[derive(Debug, clap::Args)]
pub struct RocmArgs {
    /// Platform: linux or windows
    #[arg(short, long, default_value = "linux")]
    platform: Platform,
    /// GPU, or family of GPUs such as gfx110X-all; `multiarch` means all
    #[arg(short, long, default_value = "gfx1151", value_name = "GPU")]
    target: Gpu,
    /// List at most N tarballs
    #[arg(short, long, default_value = "10", value_name = "N")]
    count: std::num::NonZeroUsize,
    /// Channel: nightly, stable, rc, dev, bkc or weekly
    #[arg(long, default_value = "nightly")]
    channel: Channel,
    /// List only versions in this range
    #[arg(long, default_value = "latest", value_name = "RANGE")]
    version: VersionRequest,
    /// Look up ROCm on these index pages instead of AMD's
    #[arg(long = "source", value_name = "URL")]
    sources: Vec<Url>,
}

/// GPU, or family of GPUs, in the name of a tarball.
#[derive(Debug, Clone)]
enum Gpu {
    Target(GfxTarget),
    Family(Family),
}

impl FromStr for Gpu {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse() {
            Ok(target) => Ok(Self::Target(target)),
            // A GPU name in capitals must not be taken for a family.
            Err(error) if text.to_ascii_lowercase().parse::<GfxTarget>().is_ok() => Err(error),
            Err(_) => text.parse().map(Self::Family),
        }
    }
}

pub fn run(command: &ListCommand, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let ListCommand::Rocm(args) = command;
    let (target, family) = match &args.target {
        Gpu::Target(target) => (target.clone(), None),
        // For a family newer than this program no member is known, and only the family's name is used.
        Gpu::Family(family) => (family.member().unwrap_or("gfx1151".parse()?), Some(family.clone())),
    };
    let request = RocmRequest {
        channel: args.channel.clone(),
        platform: args.platform,
        version: args.version.clone(),
        family,
        sources: args.sources.clone(),
        ..RocmRequest::newest(target)
    };
    let found = look_up(&request, session.fetcher()?, session.now)?;
    for warning in &found.warnings {
        ui.warning(warning);
    }
    // The lock only marks a row: one that cannot be read marks none.
    let lock = session.lock_if_there().ok().flatten();
    let is_locked = |one: &Candidate| {
        let mut pins = lock.iter().flat_map(|lock| lock.inputs.values());
        pins.any(|input| matches!(input, LockedInput::Rocm(block) if block.locked.file == one.name))
    };
    let candidates: Vec<&Candidate> = found.candidates.iter().take(args.count.get()).collect();
    if ui.is_json() {
        let all: Vec<_> = candidates
            .iter()
            .map(|candidate| {
                serde_json::json!({
                    "url": candidate.url,
                    "version": candidate.version,
                    "size": candidate.size,
                    "mtime": candidate.mtime,
                    "made": candidate.mtime.and_then(text::rfc3339),
                    "leaves": left(candidate, session.now).map(|left| left.until.to_string()),
                    "locked": is_locked(candidate),
                })
            })
            .collect();
        ui.json(serde_json::json!({ "tarballs": all }));
    } else if ui.is_quiet() {
        for candidate in &candidates {
            ui.line(candidate.url.as_str());
        }
    } else {
        ui.table(&listed(&candidates, is_locked, session.now));
        // Under the table, since it is about all of the index and not about the rows that are shown.
        let oldest = found.candidates.iter().filter(|one| one.source == found.newest.source);
        if let Some(oldest) = oldest.filter_map(|one| one.date).min()
            && let Some(left) = left(&found.newest, session.now)
        {
            ui.note(&left.policy(oldest));
        }
    }
    Ok(0)
}

/// Returns how long the host of a tarball keeps it, if that is limited.
fn left(candidate: &Candidate, now: i64) -> Option<Retention> {
    retention(&candidate.url, made(&candidate.version, candidate.mtime)?, None, now)
}

/// Returns the table of tarballs, with a mark at the locked one.
fn listed(candidates: &[&Candidate], is_locked: impl Fn(&Candidate) -> bool, now: i64) -> Table {
    let mut table = Table::new([
        Column::word(""),
        Column::word("version"),
        Column::word("made"),
        Column::number("age"),
        Column::number("leaves in").spare(),
        Column::number("size").spare(),
        Column::name("url").spare(),
    ]);
    for candidate in candidates {
        let made = made(&candidate.version, candidate.mtime);
        table.row([
            if is_locked(candidate) { "*" } else { "" }.to_owned(),
            candidate.version.to_string(),
            made.map(|day| day.to_string()).unwrap_or_default(),
            made.map(|day| text::age(day, now)).unwrap_or_default(),
            left(candidate, now).map(|left| left.short()).unwrap_or_default(),
            candidate.size.map(text::bytes).unwrap_or_default(),
            candidate.url.to_string(),
        ]);
    }
    table
}
