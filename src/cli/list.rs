//! `strixlock list`

use std::str::FromStr;

use url::Url;

use super::Session;
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::text;
use crate::upstream::rocm::{Channel, Family, Platform, RocmRequest, VersionRequest, look_up};

/// List what upstream has
#[derive(Debug, clap::Subcommand)]
pub enum ListCommand {
    /// ROCm tarballs, newest first; fails when there is none
    Rocm(RocmArgs),
}

#[derive(Debug, clap::Args)]
pub struct RocmArgs {
    /// The platform: linux or windows
    #[arg(short, long, default_value = "linux")]
    platform: Platform,
    /// The GPU, or a family of GPUs such as gfx110X-all; `multiarch` stands for all
    #[arg(short, long, default_value = "gfx1151", value_name = "GPU")]
    target: Gpu,
    /// At most so many
    #[arg(short, long, default_value = "10", value_name = "N")]
    count: std::num::NonZeroUsize,
    /// The channel: nightly, stable, rc, dev, bkc or weekly
    #[arg(long, default_value = "nightly")]
    channel: Channel,
    /// Only versions in this range
    #[arg(long, default_value = "latest", value_name = "RANGE")]
    version: VersionRequest,
    /// Ask these index pages instead of AMD's
    #[arg(long = "source", value_name = "URL")]
    sources: Vec<Url>,
}

/// GPU, or family of GPUs, that tarballs are named by.
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
            // A GPU in capitals is no family.
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
        // Of a family that came later than this program no GPU is known; its name is what counts.
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
    let candidates = found.candidates.iter().take(args.count.get());
    if ui.is_json() {
        let all: Vec<_> = candidates
            .map(|candidate| serde_json::json!({ "url": candidate.url, "version": candidate.version, "mtime": candidate.mtime, "made": candidate.mtime.map(text::date) }))
            .collect();
        ui.json(serde_json::json!({ "tarballs": all }));
    } else {
        candidates.for_each(|candidate| ui.line(candidate.url.as_str()));
    }
    Ok(0)
}
