//! Fetcher, intake and realizer, set up from options and configuration.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::config::{Builder, MirrorSetting, Number, Set, Switch};
use super::{Session, lazily};
use crate::archive::{ArchiveName, RegistryArchive, Source};
use crate::error::Result;
use crate::fetch::{self, Access, Fetcher, HUB, HubSettings, Mirror};
use crate::intake::Intake;
use crate::lock::Lock;
use crate::realize::{BuilderSettings, CacheSettings, RealizeSettings, Realizer};
use crate::sandbox::Limits;

impl Session {
    /// Returns the fetcher.
    pub fn fetcher(&self) -> Result<&Fetcher> {
        lazily(&self.fetcher, || Fetcher::new(self.fetch_settings()?, Arc::clone(&self.ui.progress)))
    }

    /// Opens an archive, which may be asked even offline: the user named it. Must come before the first use of the
    /// fetcher in a command.
    pub fn open_archive(&self, name: &ArchiveName) -> Result<Source<'_>> {
        match name {
            ArchiveName::Url(url) => drop(self.archive.set(url.clone())),
            ArchiveName::Registry { host, repository } => {
                let _ = self.archive.set(self.fetch_settings()?.registry(host, repository)?);
            }
            _ => {}
        }
        Source::open(name, self.intake()?)
    }

    /// Opens an archive in a registry, which may be asked even offline, like [`Self::open_archive`].
    pub fn registry_archive(&self, host: &str, repository: &str, access: Access) -> Result<RegistryArchive<'_>> {
        let _ = self.archive.set(self.fetch_settings()?.registry(host, repository)?);
        RegistryArchive::open(self.fetcher()?, host, repository, access)
    }

    /// Returns store and fetcher for taking in inputs.
    pub fn intake(&self) -> Result<Intake<'_>> {
        Ok(Intake { store: self.store()?, fetcher: self.fetcher()? })
    }

    /// Returns the realizer of `lock`, with at most `jobs` compilers at a time. It uses no
    /// compiler cache and no remote builder.
    pub fn realizer<'s>(&'s self, lock: &'s Lock, jobs: Option<NonZeroUsize>) -> Result<Realizer<'s>> {
        self.realizer_for(lock, RealizeSettings { jobs, ..RealizeSettings::default() })
    }

    /// Returns the realizer of `lock` with the compiler cache as configured, and the builder that is named or else
    /// configured.
    pub fn caching_realizer<'s>(
        &'s self,
        lock: &'s Lock,
        jobs: Option<NonZeroUsize>,
        builder: Option<&Builder>,
    ) -> Result<Realizer<'s>> {
        let config = self.config()?;
        let compile_cache = if config.is_on(Switch::CompileCache) {
            let profile = self.profile()?.name().clone();
            Some(CacheSettings { profile, most: config.number(Number::CompileCacheBytes) })
        } else {
            None
        };
        let builder = self.builder(builder)?;
        self.realizer_for(lock, RealizeSettings { jobs, compile_cache, builder, ..RealizeSettings::default() })
    }

    /// Returns the realizer of `lock` for results that are to be sealed: it uses nothing that came from a compiler
    /// cache.
    pub fn sealing_realizer<'s>(
        &'s self,
        lock: &'s Lock,
        jobs: Option<NonZeroUsize>,
        builder: Option<&Builder>,
    ) -> Result<Realizer<'s>> {
        let builder = self.builder(builder)?;
        self.realizer_for(lock, RealizeSettings { jobs, sealing: true, builder, ..RealizeSettings::default() })
    }

    /// Returns the remote builder that is named or else configured; `None` if outputs are built here.
    pub fn builder(&self, named: Option<&Builder>) -> Result<Option<BuilderSettings>> {
        self.config()?.remote_builder(named)
    }

    fn realizer_for<'s>(&'s self, lock: &'s Lock, settings: RealizeSettings) -> Result<Realizer<'s>> {
        let (intake, directory) = (self.intake()?, self.project.manifest_directory());
        for (name, input) in &lock.inputs {
            input.bring(intake, name, &directory)?;
        }
        Ok(Realizer::new(lock, intake, RealizeSettings { limits: self.limits()?, ..settings }))
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
            archive: self.archive.get().cloned(),
            hub_token: hub.token,
            rounds: u32::try_from(config.number(Number::Rounds)).unwrap_or(u32::MAX),
            window: Duration::from_secs(config.number(Number::WindowSeconds)),
            floor: config.number(Number::FloorBytes),
            largest: config.number(Number::LargestBytes),
            ..fetch::Settings::default()
        })
    }
}
