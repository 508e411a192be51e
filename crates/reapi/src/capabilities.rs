//! The capabilities of a service: asked first, so that what it cannot is told before anything is uploaded.

use crate::address::Address;
use crate::error::{Error, Kind, Result};
use crate::proto::compressor::Value as Compressor;
use crate::proto::digest_function::Value as DigestFunction;
use crate::proto::symlink_absolute_path_strategy::Value as AbsoluteLinks;
use crate::proto::{CacheCapabilities, ExecutionCapabilities, ServerCapabilities};

/// The version of the protocol that is spoken here: 2.0.
const MAJOR: i32 = 2;
/// Bytes of all blobs in one message, where the service sets no limit of its own. Messages of gRPC have 4 MiB.
const BATCH: u64 = 4 << 20;
/// Bytes of a message that are left for everything but blobs.
const RESERVED: u64 = 64 << 10;

/// The parts that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// Bytes of all blobs in one message.
    pub batch: u64,
    /// Largest blob that the service takes.
    pub largest: u64,
    /// True if streams of blobs can be compressed.
    pub zstd: bool,
    /// True if links in trees may be absolute.
    pub absolute_links: bool,
    /// True if the service knows `output_paths`, of version 2.1.
    pub output_paths: bool,
}

impl Capabilities {
    /// Reads what a service says. Fails if it cannot do what a build needs.
    pub fn read(said: &ServerCapabilities, address: &Address) -> Result<Self> {
        let lacks =
            |what: String| Error::new(Kind::NotFound, format!("the remote builder {what}")).fact("builder", address);
        let version =
            |version: &Option<_>| version.clone().map_or((MAJOR, 0), |version: Version| (version.major, version.minor));
        let (low, high) = (version(&said.low_api_version), version(&said.high_api_version));
        if low.0 > MAJOR || high.0 < MAJOR {
            let spoken =
                format!("speaks versions {}.{} to {}.{} of the Remote Execution API", low.0, low.1, high.0, high.1);
            return Err(lacks(spoken).fact("needed", format!("version {MAJOR}")));
        }
        let cache = said.cache_capabilities.as_ref().ok_or_else(|| lacks("has no storage for files".to_owned()))?;
        let execution = said.execution_capabilities.as_ref().filter(|execution| execution.exec_enabled);
        let execution = execution.ok_or_else(|| {
            lacks("executes nothing: it is only a cache".to_owned()).hint(
                "name the address of its scheduler, if that is another, or an instance: reapi://HOST:PORT/INSTANCE",
            )
        })?;
        if !has_sha256(cache, execution) {
            return Err(lacks("does not name files by SHA-256".to_owned())
                .hint("most services have a setting for the digest function"));
        }
        let size = |size: i64| u64::try_from(size).ok().filter(|size| *size > 0);
        let strategy = cache.symlink_absolute_path_strategy;
        Ok(Self {
            batch: size(cache.max_batch_total_size_bytes).unwrap_or(BATCH).min(BATCH).saturating_sub(RESERVED),
            largest: size(cache.max_cas_blob_size_bytes).unwrap_or(u64::MAX),
            zstd: cache.supported_compressors.contains(&(Compressor::Zstd as i32)),
            absolute_links: strategy != AbsoluteLinks::Disallowed as i32,
            output_paths: high >= (MAJOR, 1),
        })
    }
}

type Version = bazel_remote_apis::build::bazel::semver::SemVer;

/// Returns true if both storage and execution know SHA-256. Services of version 2.0 name one function for the latter,
/// and some name none, which is SHA-256.
fn has_sha256(cache: &CacheCapabilities, execution: &ExecutionCapabilities) -> bool {
    let sha256 = DigestFunction::Sha256 as i32;
    let unknown = DigestFunction::Unknown as i32;
    let stores = cache.digest_functions.is_empty() || cache.digest_functions.contains(&sha256);
    let executes = execution.digest_functions.contains(&sha256)
        || execution.digest_function == sha256
        || (execution.digest_functions.is_empty() && execution.digest_function == unknown);
    stores && executes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> ServerCapabilities {
        ServerCapabilities {
            cache_capabilities: Some(CacheCapabilities {
                digest_functions: vec![DigestFunction::Sha256 as i32],
                ..CacheCapabilities::default()
            }),
            execution_capabilities: Some(ExecutionCapabilities {
                digest_function: DigestFunction::Sha256 as i32,
                exec_enabled: true,
                ..ExecutionCapabilities::default()
            }),
            low_api_version: Some(Version { major: 2, ..Version::default() }),
            high_api_version: Some(Version { major: 2, minor: 3, ..Version::default() }),
            ..ServerCapabilities::default()
        }
    }

    fn refused(change: impl FnOnce(&mut ServerCapabilities)) -> String {
        let mut said = usual();
        change(&mut said);
        let error = Capabilities::read(&said, &"reapi://build".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        error.to_string()
    }

    #[test]
    fn what_a_service_lacks_is_told() {
        for (expected, change) in [
            (
                "versions 3.0 to 3.1",
                (|said| {
                    said.low_api_version.as_mut().unwrap().major = 3;
                    said.high_api_version = Some(Version { major: 3, minor: 1, ..Version::default() });
                }) as fn(&mut ServerCapabilities),
            ),
            ("versions 1.0 to 1.0", |said| {
                said.low_api_version.as_mut().unwrap().major = 1;
                said.high_api_version = said.low_api_version.clone();
            }),
            ("has no storage", |said| said.cache_capabilities = None),
            ("executes nothing", |said| said.execution_capabilities = None),
            ("executes nothing", |said| said.execution_capabilities.as_mut().unwrap().exec_enabled = false),
            ("SHA-256", |said| {
                said.cache_capabilities.as_mut().unwrap().digest_functions = vec![DigestFunction::Sha1 as i32];
            }),
            ("SHA-256", |said| {
                said.execution_capabilities.as_mut().unwrap().digest_function = DigestFunction::Blake3 as i32;
            }),
        ] {
            let told = refused(change);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn limits_are_those_of_the_service() {
        let address = "reapi://build".parse().unwrap();
        let mut said = usual();
        let found = Capabilities::read(&said, &address).unwrap();
        assert_eq!(found.batch, BATCH - RESERVED);
        assert!(!found.zstd && found.absolute_links && found.output_paths && found.largest == u64::MAX);
        let cache = said.cache_capabilities.as_mut().unwrap();
        cache.max_batch_total_size_bytes = 1 << 20;
        cache.max_cas_blob_size_bytes = 1 << 30;
        cache.supported_compressors = vec![Compressor::Zstd as i32];
        cache.symlink_absolute_path_strategy = AbsoluteLinks::Disallowed as i32;
        said.high_api_version = None;
        let found = Capabilities::read(&said, &address).unwrap();
        assert_eq!((found.batch, found.largest), ((1 << 20) - RESERVED, 1 << 30));
        assert!(found.zstd && !found.absolute_links && !found.output_paths);
    }
}
