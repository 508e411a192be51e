//! Fetcher, intake and realizer, set up from options and configuration.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::config::{MirrorSetting, Number, Set};
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
        let config = self.config()?;
        Ok(Limits {
            silence: Duration::from_secs(config.number(Number::SilenceSeconds)),
            log: config.number(Number::LogBytes),
        })
    }

    /// Returns the settings of the fetcher, including mirrors.
    pub fn fetch_settings(&self) -> Result<fetch::Settings> {
        let config = self.config()?;
        let hub = HubSettings::read(|name| std::env::var(name).ok());
        let mirror = |set: &Set<MirrorSetting>| Mirror::new(set.value.of.clone(), set.value.at.clone());
        let mut mirrors: Vec<_> = config.mirrors.iter().map(mirror).collect::<Result<_>>()?;
        if let (Some(at), Ok(of)) = (hub.endpoint, Url::parse(HUB)) {
            mirrors.push(Mirror::new(of, at)?);
        }
        Ok(fetch::Settings {
            offline: self.args.offline,
            insecure_hosts: config.insecure_hosts.iter().map(|set| set.value.clone()).collect(),
            mirrors,
            hub_token: hub.token,
            rounds: u32::try_from(config.number(Number::Rounds)).unwrap_or(u32::MAX),
            window: Duration::from_secs(config.number(Number::WindowSeconds)),
            floor: config.number(Number::FloorBytes),
            largest: config.number(Number::LargestBytes),
            ..fetch::Settings::default()
        })
    }
}
