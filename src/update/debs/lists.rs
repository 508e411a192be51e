//! Package lists: which of them a Release file promises, and their way into the universe.

use std::io::{BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};
use url::Url;

use crate::digest::HashingReader;
use crate::error::{Error, Kind, Result};
use crate::fetch::Promise;
use crate::intake::{Intake, package_list};
use crate::upstream::debs::below;
use crate::upstream::debs::release::Release;
use crate::upstream::debs::sources::Source;
use crate::upstream::debs::universe::{PassedOver, Universe};

/// The longest package list, unpacked, where the Release file does not say how long it is.
const LIST: u64 = 4 << 30;

/// The memory that unpacking a package list may take.
const MEMORY: u64 = 256 << 20;

/// A package list that a Release file promises.
pub(super) struct List {
    path: String,
    packed: Packed,
    promise: Promise,
    /// Its size when it is unpacked.
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packed {
    Xz,
    Gzip,
    Not,
}

/// The lists of all components, in the smallest form that there is.
pub(super) fn lists(release: &Release, source: &Source, architecture: &str) -> Result<Vec<List>> {
    let mut found = Vec::new();
    for component in &source.components {
        let list = |architecture: &str| {
            let plain = format!("{component}/binary-{architecture}/Packages");
            let size = release.files.get(&plain).map_or(LIST, |(size, _)| *size);
            [(".xz", Packed::Xz), (".gz", Packed::Gzip), ("", Packed::Not)].into_iter().find_map(|(ending, packed)| {
                let path = format!("{plain}{ending}");
                let (bytes, digest) = *release.files.get(&path)?;
                Some(List { path, packed, promise: Promise { size: bytes, digest }, size })
            })
        };
        let own = list(architecture);
        if own.is_none() {
            let known = |path: &String| {
                let (component, rest) = path.split_once("/binary-")?;
                let architecture = rest.strip_suffix("/Packages").or_else(|| rest.strip_suffix("/Packages.xz"))?;
                Some(format!("{component} {architecture}"))
            };
            let mut there: Vec<String> = release.files.keys().filter_map(known).collect();
            there.dedup();
            return Err(Error::new(
                Kind::NotFound,
                format!("the suite `{}` has no component `{component}` for {architecture}", source.suite),
            )
            .fact("it has", there.join(", ")));
        }
        found.extend(own);
        if release.separate_all {
            found.extend(list("all"));
        }
    }
    Ok(found)
}

/// The lists of one release, and who fetches them.
pub(super) struct Lists<'a> {
    pub name: &'a str,
    pub source: &'a Source,
    pub release: &'a Release,
    pub intake: Intake<'a>,
}

impl Lists<'_> {
    /// Fetches a list and reads its packages; what of it nobody can use is told.
    pub fn add(&self, universe: &mut Universe, number: usize, list: &List) -> Result<Option<String>> {
        let path = package_list(self.intake, self.name, &self.urls(list), list.promise)
            .map_err(|error| error.fact("list", format!("{} of {}", list.path, self.source.suite)))?;
        let mut hashed = HashingReader::new(BufReader::with_capacity(64 * 1024, fs_err::File::open(&path)?));
        let added = self.parse(universe, number, list, &mut hashed);
        std::io::copy(&mut hashed, &mut std::io::sink())?;
        // The store may have been damaged since the list came.
        if hashed.finish() != (list.promise.digest, list.promise.size) {
            fs_err::remove_file(&path)?;
            return Err(Error::new(Kind::Damaged, "a package list in the store was damaged, and is removed")
                .fact("list", &list.path)
                .hint("run the same command again"));
        }
        let called = format!("{} of {}", list.path, self.source.suite);
        added.map(|passed| passed.told(&called)).map_err(|error| error.fact("list", called))
    }

    /// Reads the packages of a list. What it is worth is known only when all of it was hashed.
    fn parse(&self, universe: &mut Universe, number: usize, list: &List, packed: impl Read) -> Result<PassedOver> {
        let unpacked: Box<dyn Read + '_> = match list.packed {
            Packed::Xz => {
                let stream = Stream::new_stream_decoder(MEMORY, CONCATENATED)
                    .map_err(|error| Error::failure("cannot unpack xz").because(&error))?;
                Box::new(liblzma::read::XzDecoder::new_stream(packed, stream))
            }
            Packed::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Packed::Not => Box::new(packed),
        };
        let mut limited = BufReader::with_capacity(256 * 1024, unpacked.take(list.size));
        let passed = universe.add(&mut limited, number, self.release.priority)?;
        if limited.into_inner().into_inner().read(&mut [0])? == 0 {
            return Ok(passed);
        }
        Err(Error::new(Kind::Mismatch, "the package list is longer than its Release file says")
            .fact("promised", format!("{} bytes unpacked", list.size)))
    }

    /// By its digest where the archive has that, since names are given anew while an archive is updated.
    fn urls(&self, list: &List) -> Vec<Url> {
        let directory = list.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let by_hash = format!("{directory}/by-hash/SHA256/{}", list.promise.digest.hex());
        let mut urls = Vec::new();
        for path in self.release.by_hash.then_some(by_hash).iter().chain([&list.path]) {
            let path = format!("dists/{}/{path}", self.source.suite);
            urls.extend(self.source.archives.iter().filter_map(|archive| below(archive, &path)));
        }
        urls
    }
}
