//! The whole of upstream on one loopback server: three generations of index, the bucket, a mirror, and llama.cpp's
//! git.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::calendar::Calendar;
use crate::debs::{self, DebArchive};
use crate::digest::Sha256Digest;
use crate::error::Result;
use crate::forge::{Forge, ForgeRelease};
use crate::git_http::GitHttp;
use crate::http::{Content, Incoming, Maker, Resource, Response, Server};
use crate::index::{self, BucketQuery, Listed};
use crate::llama::{self, History};
use crate::raw_tar::RawEntry;
use crate::rocm::Nightly;
use crate::threads::lock;
use crate::ui;

const BUCKET: &str = "/therock-nightly-tarball/";
const BUCKET_PREFIX_OF_SECOND: &str = "v4/tarball/";
const UI: &str = "/ggml-org/llama-ui/";
const MIRROR: &str = "/mirror/";
const LLAMA: &str = "/ggml-org/llama.cpp.git";
/// The repository of the releases.
const REPOSITORY: &str = "ggml-org/llama.cpp";
/// The build that is released, and the nightly that it was made with.
const RELEASED: (u64, &str) = (8, "10.1.0a20260901");

/// The places where nightlies were published at different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Generation {
    /// A tarball per GPU family; frozen in June 2026.
    PerFamily,
    /// The multi-arch pipeline; frozen in August 2026.
    MultiArch,
    /// The streams of today.
    Streams,
}

impl Generation {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::PerFamily, Self::MultiArch, Self::Streams];

    /// Returns the path of the index page.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::PerFamily => "/tarball/",
            Self::MultiArch => "/tarball-multi-arch/",
            Self::Streams => "/rocm/core/tarball/",
        }
    }

    /// Returns the prefix of its files in the bucket, if they are there.
    fn bucket_prefix(self) -> Option<&'static str> {
        match self {
            Self::PerFamily => Some(""),
            Self::MultiArch => Some(BUCKET_PREFIX_OF_SECOND),
            Self::Streams => None,
        }
    }
}

/// An entry of the indices: a nightly, or a name without a file behind it.
struct Published {
    generation: Generation,
    name: String,
    mtime: i64,
    etag: String,
    make: Option<Maker>,
    /// True if only the mirror still has it.
    withdrawn: bool,
}

impl Published {
    /// The file must be made to know its size.
    fn listed(&self, name: String) -> Result<Listed> {
        let size = match &self.make {
            Some(make) => fs_err::metadata(make()?)?.len(),
            None => 1_700_000_000,
        };
        Ok(Listed { name, mtime: self.mtime, size, etag: self.etag.clone() })
    }
}

type Shelf = Arc<Mutex<Vec<Published>>>;

/// The embedded upstream. It ends when it is dropped; its directory stays.
pub struct Upstream {
    server: Server,
    directory: PathBuf,
    shelf: Shelf,
    forge: Forge,
}

impl Upstream {
    /// Starts an upstream with a few nightlies in each generation and some commits of llama.cpp. Everything that it
    /// makes goes into the directory, where the next one finds it. Tarballs are made on request.
    pub fn start(directory: &Path) -> Result<Self> {
        let upstream = Self::start_empty(directory)?;
        for (generation, version) in [
            (Generation::PerFamily, "7.12.0a20260308"),
            (Generation::PerFamily, "7.13.0a20260515"),
            (Generation::MultiArch, "7.15.0a20260719"),
            (Generation::Streams, "10.1.0a20260827+bkc.20260830"),
            (Generation::Streams, "10.1.0a20260901"),
            (Generation::Streams, "10.1.0a20260902"),
            (Generation::Streams, "10.2.0a20261120"),
        ] {
            upstream.publish(generation, &Nightly::new(version));
        }
        for (generation, day, versions) in [
            (Generation::PerFamily, 1_781_200_000, ["7.9.0rc20251001", "7.14.0a20260611"]),
            (Generation::MultiArch, 1_787_300_000, ["7.14.0a20260608", "10.1.0a20260821"]),
            (Generation::Streams, 1_795_200_000, ["10.1.0a20260823", "10.2.0a20261121"]),
        ] {
            // A careless picker would take these names for the newest build.
            for family in
                ["linux-gfx1151-tests", "linux-multiarch", "linux-gfx110X-all", "linux-gfx1150", "windows-gfx1151"]
            {
                for version in versions {
                    upstream.announce(generation, &format!("therock-dist-{family}-{version}.tar.gz"), day);
                }
            }
            upstream.announce(
                generation,
                &format!("therock-dist-linux-gfx1151-{}.tar.gz", versions[0]),
                day - 9_000_000,
            );
        }
        Ok(upstream)
    }

    /// Starts an upstream with the builds of a calendar. It answers 403 where it has nothing, as AMD's hosts do.
    pub fn start_season(directory: &Path, calendar: &Calendar) -> Result<Self> {
        let upstream = Self::start_empty(directory)?;
        for generation in Generation::ALL {
            upstream.server.handle(generation.path(), |_: &Incoming| {
                xml(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>".to_owned())
            });
        }
        for (generation, name, mtime) in &calendar.names {
            upstream.announce(*generation, name, *mtime);
        }
        for (generation, nightly) in calendar.builds() {
            upstream.publish(*generation, nightly);
        }
        Ok(upstream)
    }

    /// Starts an upstream without nightlies; its index pages are empty.
    pub fn start_empty(directory: &Path) -> Result<Self> {
        fs_err::create_dir_all(directory)?;
        let server = Server::start()?;
        let forge = Forge::start(&server, REPOSITORY);
        let upstream = Self { server, directory: directory.to_owned(), shelf: Shelf::default(), forge };
        if !upstream.llama_repository().exists() {
            llama::commit_history(&upstream.llama_repository(), 8)?;
        }
        upstream.server.handle(&format!("{LLAMA}/"), GitHttp::new(LLAMA, &upstream.llama_repository()));
        let repository = upstream.llama_repository();
        upstream.forge.publish_later(&format!("b{}", RELEASED.0), move || release(&repository));
        // As for the tags: not every commit is built.
        for number in (2..=8).step_by(2) {
            upstream.publish_ui(number, &ui::bundle(number))?;
        }
        let shelf = Arc::clone(&upstream.shelf);
        upstream.server.handle(BUCKET, move |incoming: &Incoming| list_bucket(&shelf, incoming));
        let shelf = Arc::clone(&upstream.shelf);
        upstream.server.handle(MIRROR, move |incoming: &Incoming| list_mirror(&shelf, incoming));
        for generation in Generation::ALL {
            upstream.refresh(generation);
        }
        Ok(upstream)
    }

    /// Returns the server, for its log, its faults, and to serve more.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Publishes a nightly. Replaces one of the same name in that generation, which upstream is not supposed to do.
    pub fn publish(&self, generation: Generation, nightly: &Nightly) {
        let (directory, nightly) = (self.shelf_of(nightly), nightly.clone());
        let (name, mtime) = (nightly.file_name(), nightly.mtime);
        let etag = Sha256Digest::of(format!("{nightly:?}").as_bytes()).hex()[..32].to_owned() + "-235";
        let known = Mutex::new(None);
        let make: Maker = Arc::new(move || {
            // Held while making, so that two requests do not make the file twice.
            let mut known = lock(&known);
            if let Some(path) = &*known {
                return Ok(PathBuf::clone(path));
            }
            fs_err::create_dir_all(&directory)?;
            let path = nightly.write(&directory)?;
            Ok(known.insert(path).clone())
        });
        for path in paths(generation, &name) {
            let resource = Resource::new(Content::Made(Arc::clone(&make))).content_type("application/x-gzip");
            self.server.put(&path, resource.etag(&format!("\"{etag}\"")));
        }
        self.shelve(Published { generation, name, mtime, etag, make: Some(make), withdrawn: false });
    }

    /// Adds a name to the indices of a generation without a file: requests for it get 404.
    pub fn announce(&self, generation: Generation, name: &str, mtime: i64) {
        let etag = String::from("0123456789abcdef0123456789abcdef-203");
        self.shelve(Published { generation, name: name.to_owned(), mtime, etag, make: None, withdrawn: false });
    }

    /// Removes a file and its name, as upstream does after some months. The mirror keeps it.
    pub fn withdraw(&self, generation: Generation, name: &str) {
        for published in lock(&self.shelf).iter_mut() {
            published.withdrawn |= published.generation == generation && published.name == name;
        }
        for path in paths(generation, name).iter().filter(|path| !path.starts_with(MIRROR)) {
            self.server.remove(path);
        }
        self.refresh(generation);
    }

    /// Returns the path of a nightly's file, making it if needed.
    pub fn tarball(&self, nightly: &Nightly) -> Result<PathBuf> {
        let directory = self.shelf_of(nightly);
        fs_err::create_dir_all(&directory)?;
        nightly.write(&directory)
    }

    /// Returns the URL of a generation's index page; names in it are relative to this.
    #[must_use]
    pub fn index_url(&self, generation: Generation) -> String {
        self.server.url(generation.path())
    }

    /// Returns the URL of the bucket that lists the first two generations as XML: `?list-type=2&prefix=...`
    #[must_use]
    pub fn bucket_url(&self) -> String {
        self.server.url(BUCKET)
    }

    /// Returns the URL of a mirror of all generations, with a plain list of links.
    #[must_use]
    pub fn mirror_url(&self) -> String {
        self.server.url(MIRROR)
    }

    /// Serves an archive of packages, replacing the one before. Returns its URL.
    pub fn publish_debs(&self, archive: &DebArchive) -> Result<String> {
        archive.serve(&self.server, debs::ROOT)?;
        Ok(self.server.url(debs::ROOT))
    }

    /// Returns the URL of one nightly.
    #[must_use]
    pub fn tarball_url(&self, generation: Generation, nightly: &Nightly) -> String {
        self.server.url(&format!("{}{}", generation.path(), nightly.file_name()))
    }

    /// Returns the URL of llama.cpp's repository.
    #[must_use]
    pub fn git_url(&self) -> String {
        self.server.url(LLAMA)
    }

    /// Returns the forge that has llama.cpp's releases: one, which the first request builds.
    #[must_use]
    pub fn forge(&self) -> &Forge {
        &self.forge
    }

    /// Publishes the web UI of a build, with its digest beside it.
    pub fn publish_ui(&self, number: u64, files: &[RawEntry]) -> Result<()> {
        let bundle = ui::packed(files)?;
        self.server.put(&ui_path(number, ".sha256"), Resource::bytes(format!("{}\n", Sha256Digest::of(&bundle).hex())));
        self.server.put(&ui_path(number, ""), Resource::bytes(bundle));
        Ok(())
    }

    /// Removes the web UI of a build.
    pub fn withdraw_ui(&self, number: u64) {
        self.server.remove(&ui_path(number, ".sha256"));
        self.server.remove(&ui_path(number, ""));
    }

    /// Returns the URL of the web UIs, with `{number}` for the build number.
    #[must_use]
    pub fn ui_source(&self) -> String {
        format!("{}b{{number}}/dist.tar.gz", self.server.url(UI))
    }

    /// Returns the directory of llama.cpp's repository.
    #[must_use]
    pub fn llama_repository(&self) -> PathBuf {
        self.directory.join("llama.cpp.git")
    }

    /// Returns the commits of llama.cpp's `master`.
    pub fn llama(&self) -> Result<History> {
        llama::history(&self.llama_repository())
    }

    /// Adds a commit to llama.cpp's `master`. Returns its id.
    pub fn add_llama_commit(&self) -> Result<String> {
        llama::add_commit(&self.llama_repository())
    }

    /// Returns the directory for a nightly of exactly this content: others of the same name go elsewhere.
    fn shelf_of(&self, nightly: &Nightly) -> PathBuf {
        let key = Sha256Digest::of(format!("{nightly:?}").as_bytes()).hex();
        self.directory.join("nightlies").join(&key[..16])
    }

    fn shelve(&self, new: Published) {
        let generation = new.generation;
        let mut all = lock(&self.shelf);
        all.retain(|old| old.generation != generation || old.name != new.name);
        all.push(new);
        drop(all);
        self.refresh(generation);
    }

    fn refresh(&self, generation: Generation) {
        let all = lock(&self.shelf);
        let here = all.iter().filter(|published| published.generation == generation && !published.withdrawn);
        let listed: Vec<_> = here
            .map(|Published { name, mtime, etag, .. }| Listed {
                name: name.clone(),
                mtime: *mtime,
                size: 0,
                etag: etag.clone(),
            })
            .collect();
        drop(all);
        let page = index::page(&listed);
        for name in ["", "index.html"] {
            self.server.put(&format!("{}{name}", generation.path()), Resource::html(page.as_str()));
        }
    }
}

/// Makes llama.cpp's release, with the name of its own archives. The sonames of the demo's ROCm are those of this series.
fn release(repository: &Path) -> Result<ForgeRelease> {
    let (number, nightly) = RELEASED;
    let archive = llama::prebuilt::archive(repository, number, &Nightly::new(nightly))?;
    let mut release =
        ForgeRelease::new(&format!("b{number}"), &format!("llama-b{number}-bin-ubuntu-rocm-7.2-x64.tar.gz"), archive);
    release.files.insert(format!("llama-b{number}-bin-ubuntu-x64.tar.gz"), b"without ROCm".to_vec());
    Ok(release)
}

fn ui_path(number: u64, suffix: &str) -> String {
    format!("{UI}b{number}/dist.tar.gz{suffix}")
}

/// Returns every path at which a file of a generation is served.
fn paths(generation: Generation, name: &str) -> Vec<String> {
    let mut paths = vec![format!("{}{name}", generation.path()), format!("{MIRROR}{name}")];
    paths.extend(generation.bucket_prefix().map(|prefix| format!("{BUCKET}{prefix}{name}")));
    paths
}

fn list_bucket(shelf: &Shelf, incoming: &Incoming) -> Response {
    if incoming.path != BUCKET {
        return xml(404, "<Error><Code>NoSuchKey</Code></Error>".to_owned());
    }
    let query = BucketQuery {
        prefix: incoming.parameter("prefix").unwrap_or_default(),
        continuation_token: incoming.parameter("continuation-token"),
        max_keys: incoming.parameter("max-keys").and_then(|number| number.parse().ok()),
    };
    let listed = listing(shelf, |published| {
        let prefix = published.generation.bucket_prefix().filter(|_| !published.withdrawn)?;
        let key = format!("{prefix}{}", published.name);
        // Files that are left out need not be made.
        key.starts_with(&query.prefix).then_some(key)
    });
    match listed.map(|listed| index::bucket("therock-nightly-tarball", &listed, &query)) {
        Ok(Some(text)) => xml(200, text),
        Ok(None) => xml(400, "<Error><Code>InvalidArgument</Code></Error>".to_owned()),
        Err(error) => Response::text(500, format!("{error}\n")),
    }
}

fn list_mirror(shelf: &Shelf, incoming: &Incoming) -> Response {
    if incoming.path != MIRROR {
        return Response::text(404, "not found\n");
    }
    let listed = listing(shelf, |published| published.make.is_some().then(|| published.name.clone()));
    match listed {
        Ok(mut listed) => {
            // One nightly may have been published in two places.
            listed.sort_by(|a, b| a.name.cmp(&b.name));
            listed.dedup_by(|a, b| a.name == b.name);
            let mut response = Response::text(200, index::links(MIRROR, &listed));
            response.headers = vec![("Content-Type".to_owned(), "text/html".to_owned())];
            response
        }
        Err(error) => Response::text(500, format!("{error}\n")),
    }
}

/// Lists the files on the shelf that `name` gives a name, with sizes.
fn listing(shelf: &Shelf, name: impl Fn(&Published) -> Option<String>) -> Result<Vec<Listed>> {
    let shelf = lock(shelf);
    shelf.iter().filter_map(|published| Some(published.listed(name(published)?))).collect()
}

fn xml(status: u16, text: String) -> Response {
    let mut response = Response::text(status, text);
    response.headers = vec![("Content-Type".to_owned(), "application/xml".to_owned())];
    response
}
