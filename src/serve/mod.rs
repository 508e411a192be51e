//! Serves an archive over HTTP, read-only, as AMD's host serves nightlies: the index page, S3's listing, ranges.
//!
//! The parsing of requests is hyper's. Limits: [`HEADERS`] for the head of a request, [`PATIENCE`] for a client that
//! sends or takes nothing, and a number of connections, beyond which others wait until one is free. Paths are those of
//! [`Piece`](crate::archive::Piece) alone, and files are opened below the archive without following links, so no path
//! leads out of it.

mod answer;
mod body;
mod clients;
mod patient;
mod range;
mod s3;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::progress::Progress;

use clients::Clients;
use patient::Patient;

/// Greatest size of the head of a request, in bytes. A larger one is answered with 431.
const HEADERS: usize = 16 << 10;
/// The time in which the head of a request must arrive, also the first byte of the next one, and in which a client must take
/// some of an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time that transfers have to finish after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);
/// Number of connections that the kernel keeps waiting.
const BACKLOG: u32 = 1024;
/// The pause after a connection could not be accepted, for want of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that listens, and does not answer yet.
pub struct Server {
    archive: Arc<Archive>,
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    /// Greatest number of connections at a time.
    clients: usize,
}

/// The work of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Number of requests that were answered.
    pub requests: u64,
    /// Number of bytes of files that were sent.
    pub bytes: u64,
}

impl Server {
    /// Begins to listen.
    pub fn bind(archive: Archive, listen: SocketAddr, clients: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::failure("cannot start the server").because(&error))?;
        let listener = {
            let _entered = runtime.enter();
            listen_on(listen)
        };
        let listener = listener.map_err(|error| {
            let told = Error::failure("cannot listen").fact("address", listen).because(&error);
            match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    told.hint("another program listens there: choose another port with --listen")
                }
                std::io::ErrorKind::AddrNotAvailable => told.hint("this machine has no such address: see `ip address`"),
                _ => told,
            }
        })?;
        let address = listener.local_addr()?;
        Ok(Self { archive: Arc::new(archive), runtime, listener, address, clients })
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGINT or SIGTERM. Transfers then have a few seconds to finish; a second signal ends them.
    pub fn run(self, progress: Arc<dyn Progress>) -> Result<Served> {
        let served = self.runtime.block_on(serve(self.archive, self.listener, self.clients, progress));
        // Reads of a disk that hangs are not waited for.
        self.runtime.shutdown_background();
        served
    }
}

/// Listens, with room for many connections that wait.
fn listen_on(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The port of a server that ended a moment ago can be had again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn serve(
    archive: Arc<Archive>,
    listener: TcpListener,
    most: usize,
    progress: Arc<dyn Progress>,
) -> Result<Served> {
    let mut stop = stops()?;
    let graceful = GracefulShutdown::new();
    let (limit, clients) = (Arc::new(Semaphore::new(most)), Clients::new(Arc::clone(&progress)));
    loop {
        let Some(Ok(permit)) = before(&mut stop, 1, Arc::clone(&limit).acquire_owned()).await else { break };
        let (stream, address) = match before(&mut stop, 1, listener.accept()).await {
            None => break,
            Some(Ok(accepted)) => accepted,
            Some(Err(_)) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let client = clients.connected(address.ip());
        let (archive, of_request) = (Arc::clone(&archive), client.clone());
        let service = service_fn(move |request| {
            let answer = answer::answer(&archive, &of_request, &request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(HEADERS)
            .serve_connection(TokioIo::new(Patient::new(stream, PATIENCE)), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away is no failure of ours.
            let _ = connection.await;
            drop((permit, client));
        });
    }
    drop(listener);
    let finished = before(&mut stop, 2, tokio::time::timeout(GRACE, graceful.shutdown())).await;
    if !matches!(finished, Some(Ok(()))) {
        progress.note("warning: transfers were cut off");
    }
    Ok(clients.ended())
}

/// Returns the number of signals to stop so far.
fn stops() -> Result<watch::Receiver<u32>> {
    let (sender, receiver) = watch::channel(0);
    let sender = Arc::new(sender);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let sender = Arc::clone(&sender);
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                sender.send_modify(|count| *count += 1);
            }
        });
    }
    Ok(receiver)
}

/// Returns the result of `work`, unless `count` signals to stop come before.
async fn before<T>(stop: &mut watch::Receiver<u32>, count: u32, work: impl Future<Output = T>) -> Option<T> {
    let mut stopped = pin!(stop.wait_for(|stops| *stops >= count));
    let mut work = pin!(work);
    poll_fn(|context| {
        if stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    })
    .await
}
