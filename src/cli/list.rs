//! `strixlock list`

use std::str::FromStr;

use url::Url;

use super::Session;
use crate::error::{Error, Result};
use crate::gfx::GfxTarget;
use crate::text;
use crate::upstream::rocm::{Channel, Family, Platform, RocmRequest, VersionRequest, look_up};

/// List what upstream offers
#[derive(Debug, clap::Subcommand)]
pub enum ListCommand {
    /// List ROCm tarballs, newest first; fails if there are none
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
    let candidates = found.candidates.iter().take(args.count.get());
    if ui.is_json() {
        let all: Vec<_> = candidates
            .map(|candidate| {
                serde_json::json!({
                    "url": candidate.url,
                    "version": candidate.version,
                    "mtime": candidate.mtime,
                    "made": candidate.mtime.map(text::date),
                })
            })
            .collect();
        ui.json(serde_json::json!({ "tarballs": all }));
    } else {
        candidates.for_each(|candidate| ui.line(candidate.url.as_str()));
    }
    Ok(0)
}
