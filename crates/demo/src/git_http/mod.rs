//! Git's smart HTTP protocol for fetching from a repository: the advertisement of refs, and upload-pack.
//!
//! Protocol versions 0 and 1, stateless, as in `git help http-protocol` and `git help protocol-pack`. Works with
//! libgit2 and with git itself. Read-only: there is no receive-pack. Shallow fetches are refused with a message.
//!
//! `git http-backend` would do for tests. But the demo has to run where git is not installed, so it needs a server of
//! its own, and one is enough. Its tests fetch from it with git and with libgit2.

mod negotiation;
mod pkt_line;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository};

use self::negotiation::{Outcome, UploadRequest};
use self::pkt_line::Packets;
use crate::error::Result;
use crate::http::{Body, Handler, Incoming, Response};
use crate::llama::history::failed;

const CAPABILITIES: &str = "multi_ack multi_ack_detailed side-band-64k ofs-delta no-progress \
                            allow-tip-sha1-in-want allow-reachable-sha1-in-want";

/// A handler that serves one repository below a prefix.
pub struct GitHttp {
    prefix: String,
    repository: PathBuf,
}

impl GitHttp {
    /// Creates a handler. `prefix` is the path of the repository in URLs, such as `/ggml-org/llama.cpp.git`.
    #[must_use]
    pub fn new(prefix: &str, repository: &Path) -> Self {
        Self { prefix: prefix.trim_end_matches('/').to_owned(), repository: repository.to_owned() }
    }

    fn advertise(&self, incoming: &Incoming) -> Result<Response> {
        if incoming.parameter("service").as_deref() != Some("git-upload-pack") {
            return Ok(Response::text(403, "only git-upload-pack over smart HTTP\n"));
        }
        let mut out = Vec::new();
        pkt_line::write(&mut out, b"# service=git-upload-pack\n")?;
        pkt_line::flush(&mut out)?;
        if incoming.header("git-protocol").is_some_and(|value| value.split(':').any(|word| word == "version=1")) {
            pkt_line::write(&mut out, b"version 1\n")?;
        }
        let repository = Repository::open(&self.repository).map_err(failed)?;
        let refs = advertised(&repository)?;
        let mut capabilities = format!("{CAPABILITIES} agent=strixlock-demo/{}", env!("CARGO_PKG_VERSION"));
        // An unborn HEAD is left out, as by git itself with these protocol versions.
        if let Some(target) =
            repository.find_reference("HEAD").ok().filter(|_| refs.iter().any(|(name, _)| name == "HEAD"))
            && let Ok(Some(target)) = target.symbolic_target()
        {
            capabilities += " symref=HEAD:";
            capabilities += target;
        }
        if refs.is_empty() {
            pkt_line::write(&mut out, format!("{} capabilities^{{}}\0{capabilities}\n", "0".repeat(40)).as_bytes())?;
        }
        for (index, (name, id)) in refs.iter().enumerate() {
            let line = if index == 0 { format!("{id} {name}\0{capabilities}\n") } else { format!("{id} {name}\n") };
            pkt_line::write(&mut out, line.as_bytes())?;
        }
        pkt_line::flush(&mut out)?;
        Ok(answer(200, "application/x-git-upload-pack-advertisement", Body::Bytes(out)))
    }

    fn upload_pack(&self, incoming: &Incoming) -> Result<Response> {
        let kind = "application/x-git-upload-pack-result";
        if incoming.header("content-type") != Some("application/x-git-upload-pack-request") {
            return Ok(Response::text(415, "not an upload-pack request\n"));
        }
        let Some(asked) =
            Packets::new(&incoming.body).collect::<Option<Vec<_>>>().and_then(|all| UploadRequest::parse(&all))
        else {
            return Ok(Response::text(400, "that is not what git says\n"));
        };
        let repository = Repository::open(&self.repository).map_err(failed)?;
        if let Some(refusal) = refuse(&repository, &asked)? {
            let mut out = Vec::new();
            pkt_line::write(&mut out, format!("ERR upload-pack: {refusal}\n").as_bytes())?;
            return Ok(answer(200, kind, Body::Bytes(out)));
        }
        let mut out = Vec::new();
        let Outcome { common, pack } = negotiation::negotiate(&repository, &asked, &mut out)?;
        if !pack {
            return Ok(answer(200, kind, Body::Bytes(out)));
        }
        let path = self.repository.clone();
        let body = Body::Stream(Box::new(move |to| {
            to.write_all(&out)?;
            send_pack(&path, &asked, &common, to)
        }));
        Ok(answer(200, kind, body))
    }
}

impl Handler for GitHttp {
    fn answer(&self, incoming: &Incoming) -> Response {
        let rest = incoming.path.strip_prefix(&self.prefix).unwrap_or("");
        let answer = match (incoming.method.as_str(), rest) {
            ("GET" | "HEAD", "/info/refs") => self.advertise(incoming),
            ("POST", "/git-upload-pack") => self.upload_pack(incoming),
            (_, "/info/refs" | "/git-upload-pack") => Ok(Response::text(405, "wrong method\n")),
            _ => Ok(Response::text(404, "not found\n")),
        };
        answer.unwrap_or_else(|error| Response::text(500, format!("{error}\n")))
    }
}

fn answer(status: u16, content_type: &str, body: Body) -> Response {
    Response { status, headers: Vec::new(), body }
        .header("Content-Type", content_type)
        .header("Cache-Control", "no-cache")
}

/// Returns the refs to advertise: HEAD first, then all refs by name; annotated tags are followed by their targets.
fn advertised(repository: &Repository) -> Result<Vec<(String, Oid)>> {
    let mut refs = Vec::new();
    for reference in repository.references().map_err(failed)? {
        let reference = reference.map_err(failed)?;
        let (Ok(name), Ok(direct)) = (reference.name(), reference.resolve()) else { continue };
        let Some(id) = direct.target() else { continue };
        refs.push((name.to_owned(), id));
        if repository.find_object(id, None).is_ok_and(|object| object.kind() == Some(ObjectType::Tag)) {
            let peeled = reference.peel(ObjectType::Any).map_err(failed)?;
            refs.push((format!("{name}^{{}}"), peeled.id()));
        }
    }
    refs.sort();
    if let Some(id) = repository.head().ok().and_then(|head| head.target()) {
        refs.insert(0, ("HEAD".to_owned(), id));
    }
    Ok(refs)
}

/// Returns the reason to refuse a request: it wants an object that no ref leads to, or a feature that this server
/// lacks.
fn refuse(repository: &Repository, asked: &UploadRequest) -> Result<Option<String>> {
    if asked.shallow {
        return Ok(Some("no shallow fetches here".to_owned()));
    }
    let refs = advertised(repository)?;
    for want in &asked.wants {
        let reachable = refs.iter().any(|(_, tip)| {
            tip == want
                || repository.find_commit(*want).is_ok() && repository.graph_descendant_of(*tip, *want).unwrap_or(false)
        });
        if !reachable {
            return Ok(Some(format!("not our ref {want}")));
        }
    }
    Ok(None)
}

/// Streams a pack with all objects that are reachable from the wants but not from the common commits.
fn send_pack(repository: &Path, asked: &UploadRequest, common: &[Oid], to: &mut dyn Write) -> io::Result<()> {
    let repository = Repository::open(repository).map_err(io::Error::other)?;
    let mut builder = repository.packbuilder().map_err(io::Error::other)?;
    let mut walk = repository.revwalk().map_err(io::Error::other)?;
    for want in &asked.wants {
        let mut object = repository.find_object(*want, None).map_err(io::Error::other)?;
        // A walk knows commits only, so tags on the way to them are added one by one.
        while let Some(tag) = object.as_tag() {
            builder.insert_object(tag.id(), None).map_err(io::Error::other)?;
            object = tag.target().map_err(io::Error::other)?;
        }
        if object.kind() == Some(ObjectType::Commit) {
            walk.push(object.id()).map_err(io::Error::other)?;
        } else {
            builder.insert_recursive(object.id(), None).map_err(io::Error::other)?;
        }
    }
    for have in common {
        if repository.find_commit(*have).is_ok() {
            walk.hide(*have).map_err(io::Error::other)?;
        }
    }
    builder.insert_walk(&mut walk).map_err(io::Error::other)?;
    if asked.side_band && !asked.no_progress {
        pkt_line::write(to, format!("\u{2}Sending {} objects\n", builder.object_count()).as_bytes())?;
    }
    let mut outcome = Ok(());
    let done = builder.foreach(|bytes| {
        let sent = if asked.side_band {
            bytes.chunks(pkt_line::LARGEST - 1).try_for_each(|part| pkt_line::write_band(to, 1, part))
        } else {
            to.write_all(bytes)
        };
        let going_on = sent.is_ok();
        outcome = sent;
        going_on
    });
    outcome?;
    done.map_err(io::Error::other)?;
    if asked.side_band { pkt_line::flush(to) } else { Ok(()) }
}
