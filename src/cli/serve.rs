//! `strixlock serve`

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use super::Session;
use super::paths::shown;
use super::progress::leave_to_command;
use crate::archive::{Archive, tarballs};
use crate::error::Result;
use crate::serve::{Served, Server};
use crate::text;

/// Publish an archive over HTTP, read-only, until Ctrl-C
///
/// Serves the index page as AMD's host does, S3's listing, ranges and ETags: curl, pickers of nightlies, `sources` of another
/// strixlock and `strixlock realize --from` can use it. The archive may grow meanwhile.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Directory of the archive [default: $XDG_DATA_HOME/strixlock/archive]
    #[arg(value_name = "DIR", value_parser = super::paths::path())]
    archive: Option<PathBuf>,
    /// Address and port to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Answer at most N connections at a time; others wait
    #[arg(long, value_name = "N", default_value = "256")]
    connections: NonZeroUsize,
}

pub fn run(args: &ServeArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let place = args.archive.clone().map_or_else(|| session.usual_archive(), Ok)?;
    let archive = Archive::open(&place)?;
    let (locks, tarballs) = (archive.locks()?.len(), tarballs(&archive)?.len());
    // Signals count from before the address is printed.
    leave_to_command();
    let server = Server::bind(archive, args.listen, args.connections.get())?;
    let address = server.address();
    let url = format!("http://{address}/");
    let json = serde_json::json!({
        "archive": place.display().to_string(), "url": url, "locks": locks, "tarballs": tarballs,
    });
    ui.result(json, || {
        let (locks, tarballs) = (text::counted(locks, "lock"), text::counted(tarballs, "tarball"));
        ui.line(format!("serving {} at {url} ({locks}, {tarballs})", shown(&place)));
    });
    ui.note(&match address.ip() {
        ip if ip.is_loopback() => {
            format!("only this machine can reach it; `--listen 0.0.0.0:{}` opens it to the network", address.port())
        }
        IpAddr::V4(ip) if !ip.is_unspecified() => "whoever reaches that address can read the archive".to_owned(),
        _ => "everybody in the network can read the archive".to_owned(),
    });
    let Served { requests, bytes } = server.run(Arc::clone(&ui.progress))?;
    ui.note(&format!("stopped after {}, {}", text::counted(requests as usize, "request"), text::bytes(bytes)));
    Ok(0)
}
