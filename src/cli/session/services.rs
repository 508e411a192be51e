//! Fetcher, intake and realizer, set up from options and configuration.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{Session, lazily};
use crate::error::Result;
use crate::fetch::{self, Fetcher, HUB, HubSettings, Mirror};
use crate::intake::Intake;
use crate::lock::Lock;
use crate::realize::{RealizeSettings, Realizer};
use crate::sandbox::Limits;

impl Session {
    /// Returns the fetcher.
    pub fn fetcher(&self) -> Result<&Fetcher> {
        lazily(&self.fetcher, || Fetcher::new(self.fetch_settings()?, Arc::clone(&self.ui.progress)))
    }

    /// Returns store and fetcher for taking in inputs.
    pub fn intake(&self) -> Result<Intake<'_>> {
        Ok(Intake { store: self.store()?, fetcher: self.fetcher()? })
    }

    /// Returns the realizer of `lock`, with at most `jobs` compilers at a time.
    pub fn realizer<'s>(&'s self, lock: &'s Lock, jobs: Option<NonZeroUsize>) -> Result<Realizer<'s>> {
        let (intake, directory) = (self.intake()?, self.project.manifest_directory());
        for (name, input) in &lock.inputs {
            input.bring(intake, name, &directory)?;
        }
        Ok(Realizer::new(lock, intake, RealizeSettings { jobs, limits: self.limits()? }))
    }

    /// Returns the limits for the commands of a build.
    fn limits(&self) -> Result<Limits> {
        let (config, usual) = (self.config()?, Limits::default());
        Ok(Limits {
            silence: config.silence_seconds.map_or(usual.silence, |seconds| Duration::from_secs(seconds.max(1))),
            log: config.log_bytes.unwrap_or(usual.log),
        })
    }

    /// Returns the settings of the fetcher, including mirrors.
    pub fn fetch_settings(&self) -> Result<fetch::Settings> {
        let config = self.config()?;
        let usual = fetch::Settings::default();
        let hub = HubSettings::read(|name| std::env::var(name).ok());
        let mut mirrors: Vec<_> =
            config.mirrors.iter().map(|mirror| Mirror::new(mirror.of.clone(), mirror.at()?)).collect::<Result<_>>()?;
        if let (Some(at), Ok(of)) = (hub.endpoint, Url::parse(HUB)) {
            mirrors.push(Mirror::new(of, at)?);
        }
        Ok(fetch::Settings {
            offline: self.args.offline,
            insecure_hosts: config.insecure_hosts.clone(),
            mirrors,
            hub_token: hub.token,
            rounds: config.rounds.unwrap_or(usual.rounds).max(1),
            window: config.window_seconds.map_or(usual.window, |seconds| Duration::from_secs(seconds.max(1))),
            floor: config.floor_bytes.unwrap_or(usual.floor),
            largest: config.largest_bytes.unwrap_or(usual.largest),
            ..usual
        })
    }
}
