//! Serves existing tarballs, on an index page of their own.

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::http::{Content, Resource, Server};
use super::index::{Listed, page};
use super::upstream::Generation;
use crate::error::{Error, Kind, Result};

/// Serves the `.tar.gz` files in a directory as nightlies until the server is dropped. Returns the server and the
/// URL of the index.
pub fn serve_tarballs(directory: &Path) -> Result<(Server, String)> {
    let server = Server::start()?;
    let path = Generation::Streams.path();
    let mut entries = Vec::new();
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.ends_with(".tar.gz") {
            continue;
        }
        let metadata = entry.metadata()?;
        let age = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        server.put(&format!("{path}{name}"), Resource::new(Content::File(std::path::absolute(entry.path())?)));
        entries.push(Listed { name, mtime: age.as_secs() as i64, size: metadata.len(), etag: String::new() });
    }
    if entries.is_empty() {
        return Err(Error::new(Kind::NotFound, "no .tar.gz to serve").fact("directory", directory.display()));
    }
    server.put(path, Resource::html(page(&entries)));
    let address = server.url(path);
    Ok((server, address))
}
