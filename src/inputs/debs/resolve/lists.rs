//! Package lists: finds them in a Release file, downloads them, and adds them to the universe.

use std::io::{BufReader, Read};

use liblzma::stream::{CONCATENATED, Stream};
use url::Url;

use crate::digest::HashingReader;
use crate::digest::Promise;
use crate::error::{Error, Kind, Result};
use crate::inputs::debs::supply::package_list;
use crate::intake::Intake;
use crate::upstream::debs::apt::Preferences;
use crate::upstream::debs::below;
use crate::upstream::debs::ranking::ListFacts;
use crate::upstream::debs::release::Release;
use crate::upstream::debs::sources::AptSource;
use crate::upstream::debs::universe::{PassedOver, Universe};
use crate::urls::show_url;

/// Greatest length of an unpacked package list whose length the Release file does not give.
const LIST: u64 = 4 << 30;

/// Greatest memory for unpacking a package list, in bytes.
const MEMORY: u64 = 256 << 20;

/// That limit as a power of two, for zstd.
const WINDOW: u32 = 27;

/// A package list in a Release file.
pub(super) struct List {
    /// Its path, without the suffix of a form.
    path: String,
    /// The listed forms (compressions), best first.
    forms: Vec<Form>,
    /// Its unpacked size.
    size: u64,
    /// Its component.
    pub component: String,
    /// Its architecture.
    pub architecture: String,
}

/// A package list as one file.
#[derive(Debug, Clone)]
struct Form {
    path: String,
    packed: Packed,
    promise: Promise,
}

impl List {
    /// Returns the list with a limit for its size, packed and not.
    pub fn limited(mut self, most: u64) -> Self {
        self.size = self.size.min(most);
        self.forms.retain(|form| form.promise.size <= most);
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packed {
    Xz,
    Gzip,
    Zstd,
    Bzip2,
    Not,
}

/// Suffixes of file names, in the order in which they are tried.
const FORMS: [(&str, Packed); 5] =
    [(".xz", Packed::Xz), (".gz", Packed::Gzip), (".zst", Packed::Zstd), (".bz2", Packed::Bzip2), ("", Packed::Not)];

/// Returns the lists of all components, and an error for each component that the suite does not have.
pub(super) fn lists(release: &Release, source: &AptSource, architecture: &str) -> (Vec<List>, Vec<Error>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for component in &source.components {
        match list(release, component, architecture) {
            Some(list) => found.push(list),
            None => missing.push(no_component(release, source, component, architecture)),
        }
        if release.separate_all {
            found.extend(list(release, component, "all"));
        }
    }
    (found, missing)
}

fn list(release: &Release, component: &str, architecture: &str) -> Option<List> {
    let path = format!("{component}/binary-{architecture}/Packages");
    let form = |(ending, packed)| {
        let path = format!("{path}{ending}");
        let (size, digest) = *release.files.get(&path)?;
        Some(Form { path, packed, promise: Promise { size, digest } })
    };
    let forms: Vec<Form> = FORMS.into_iter().filter_map(form).collect();
    let size = release.files.get(&path).map_or(LIST, |(size, _)| *size);
    (!forms.is_empty()).then(|| List {
        path,
        forms,
        size,
        component: component.to_owned(),
        architecture: architecture.to_owned(),
    })
}

fn no_component(release: &Release, source: &AptSource, component: &str, architecture: &str) -> Error {
    let lists = |path: &'_ String| {
        let (component, rest) = path.split_once("/binary-")?;
        let (architecture, file) = rest.split_once('/')?;
        file.starts_with("Packages").then(|| (component.to_owned(), architecture.to_owned(), file.to_owned()))
    };
    let listed: Vec<(String, String, String)> = release.files.keys().filter_map(lists).collect();
    let mut there: Vec<String> = listed.iter().map(|(component, own, _)| format!("{component} {own}")).collect();
    there.dedup();
    if there.is_empty() {
        there.clone_from(&release.components);
    }
    let unread: Vec<&str> = listed
        .iter()
        .filter(|(one, own, _)| one == component && own == architecture)
        .map(|(_, _, file)| file.as_str())
        .collect();
    let suite = &source.suite;
    if !unread.is_empty() {
        return Error::new(
            Kind::NotFound,
            format!("the suite `{suite}` lists `{component}` in unsupported formats only"),
        )
        .fact("it has", unread.join(", "))
        .fact("read are", FORMS.map(|(ending, _)| format!("Packages{ending}")).join(", "));
    }
    let error =
        Error::new(Kind::NotFound, format!("the suite `{suite}` has no component `{component}` for {architecture}"));
    if there.is_empty() {
        error.fact("it has", "no package list at all")
    } else {
        error.fact("it has", there.join(", "))
    }
}

/// Downloads the lists of one release.
pub(super) struct Lists<'a> {
    pub name: &'a str,
    pub source: &'a AptSource,
    pub release: &'a Release,
    pub intake: Intake<'a>,
    pub preferences: &'a Preferences,
}

impl Lists<'_> {
    /// Downloads a list and reads its packages. Adds warnings for unusable packages.
    pub fn add(&self, universe: &mut Universe, number: usize, list: &List) -> Result<Vec<String>> {
        let (form, path, mut told) = self.fetch(list)?;
        let called = format!("{} of {}", form.path, self.source.suite);
        let mut hashed = HashingReader::new(BufReader::with_capacity(64 * 1024, fs_err::File::open(&path)?));
        let added = self.parse(universe, number, (list, form), &mut hashed);
        std::io::copy(&mut hashed, &mut std::io::sink())?;
        // The stored list may have been damaged since its download.
        if hashed.finish() != (form.promise.digest, form.promise.size) {
            fs_err::remove_file(&path)?;
            return Err(Error::new(Kind::Damaged, "a package list in the store was damaged and has been removed")
                .fact("list", &form.path)
                .hint("run the same command again"));
        }
        told.extend(added.map_err(|error| error.fact("list", &called))?.told(&called));
        Ok(told)
    }

    /// Brings a list in the first of its forms that the archive has as promised; a form that differs is told. One that
    /// the store has is as good as any.
    fn fetch<'l>(&self, list: &'l List) -> Result<(&'l Form, std::path::PathBuf, Vec<String>)> {
        let here = |form: &&Form| self.intake.store.download(form.promise.digest).is_some();
        let first = list.forms.iter().find(here);
        let (mut gone, mut changed) = (None::<Error>, None::<Error>);
        for form in first.into_iter().chain(&list.forms) {
            match package_list(self.intake, self.name, &self.urls(form), form.promise) {
                Ok(path) => {
                    let told = changed.map(|_| format!("another form of {} is taken: {DIFFERS}", list.path));
                    return Ok((form, path, told.into_iter().collect()));
                }
                Err(error) if error.kind() == Kind::Mismatch => {
                    changed.get_or_insert(self.differs(form, &error));
                }
                Err(error) if error.kind() == Kind::NotFound => {
                    gone.get_or_insert(error);
                }
                Err(error) => return Err(error.fact("list", format!("{} of {}", form.path, self.source.suite))),
            }
        }
        Err(changed.unwrap_or_else(|| self.not_served(list)))
    }

    fn differs(&self, form: &Form, error: &Error) -> Error {
        let told = error.to_json();
        let fact = |label: &str| {
            let facts = told["facts"].as_array().into_iter().flatten();
            facts.filter(|fact| fact["label"] == label).find_map(|fact| fact["value"].as_str()).map(str::to_owned)
        };
        let url = fact("url").or_else(|| self.urls(form).last().map(show_url)).unwrap_or_default();
        Error::new(Kind::Mismatch, DIFFERS)
            .fact("list", format!("{} of {}", form.path, self.source.suite))
            .fact("url", url)
            .fact("promised", format!("{}  {} bytes", form.promise.digest, form.promise.size))
            .fact("received", fact("received").unwrap_or_else(|| error.message().to_owned()))
            .hint(
                "the archive is in the middle of an update, or broken: try again later, or add a mirror under \
                `archives`",
            )
    }

    fn not_served(&self, list: &List) -> Error {
        let error = Error::new(Kind::NotFound, "the archive lacks a package list that its Release file promises");
        let urls = list.forms.iter().filter_map(|form| self.urls(form).pop());
        let error = urls.fold(error, |error, url| error.fact("url", show_url(&url)));
        error.hint(
            "the archive is in the middle of an update, or broken: try again later, or add a mirror under `archives`",
        )
    }

    /// Reads the packages of a list. They are verified only once all of it is hashed.
    fn parse(
        &self,
        universe: &mut Universe,
        number: usize,
        (list, form): (&List, &Form),
        packed: impl Read,
    ) -> Result<PassedOver> {
        let unpacked: Box<dyn Read + '_> = match form.packed {
            Packed::Xz => {
                let stream = Stream::new_stream_decoder(MEMORY, CONCATENATED)
                    .map_err(|error| Error::failure("cannot unpack xz").because(&error))?;
                Box::new(liblzma::read::XzDecoder::new_stream(packed, stream))
            }
            Packed::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Packed::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(packed)?;
                decoder.window_log_max(WINDOW)?;
                Box::new(decoder)
            }
            Packed::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
            Packed::Not => Box::new(packed),
        };
        let mut limited = BufReader::with_capacity(256 * 1024, unpacked.take(list.size));
        let facts = ListFacts {
            release: self.release,
            site: self.source.archives.first().and_then(Url::host_str).unwrap_or_default(),
            component: &list.component,
            architecture: &list.architecture,
        };
        let ranking = self.preferences.of(&facts, self.release.priority);
        let passed = universe.add(&mut limited, number, &ranking)?;
        if limited.into_inner().into_inner().read(&mut [0])? == 0 {
            return Ok(passed);
        }
        Err(Error::new(Kind::Mismatch, "the package list is longer than its Release file says")
            .fact("promised", format!("{} bytes unpacked", list.size)))
    }

    /// Returns the URLs of a list: first by its digest if the archive supports that, since files change during updates.
    fn urls(&self, form: &Form) -> Vec<Url> {
        let directory = form.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let by_hash = format!("{directory}/by-hash/SHA256/{}", form.promise.digest.hex());
        let mut urls = Vec::new();
        for path in self.release.by_hash.then_some(by_hash).iter().chain([&form.path]) {
            let path = format!("dists/{}/{path}", self.source.suite);
            urls.extend(self.source.archives.iter().filter_map(|archive| below(archive, &path)));
        }
        urls
    }
}

const DIFFERS: &str = "the archive's list differs from its Release file";
