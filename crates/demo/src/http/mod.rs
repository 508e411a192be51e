//! A web server on loopback that can lie: about lengths, ranges, bytes and time.
//!
//! Plain threads on a `TcpListener`, because a library that frames messages correctly cannot frame them wrongly.
//! Files are streamed. Dropping a server ends it: it shuts down every connection and joins every thread.

mod answer;
mod content;
mod fault;
mod log;
mod message;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use answer::{Body, BodyWriter, Response};
pub use content::{Content, Maker, Resource};
pub use fault::Fault;
pub use log::Request;
pub use message::Incoming;

use crate::error::{Error, Result};
use crate::threads::lock;
use crate::urls::escape_path;

/// A handler of every request below a prefix.
pub trait Handler: Send + Sync {
    /// Answers one request.
    fn answer(&self, incoming: &Incoming) -> Response;
}

impl<F: Fn(&Incoming) -> Response + Send + Sync> Handler for F {
    fn answer(&self, incoming: &Incoming) -> Response {
        self(incoming)
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    resources: Mutex<BTreeMap<String, Resource>>,
    handlers: Mutex<BTreeMap<String, Arc<dyn Handler>>>,
    faults: Mutex<fault::Faults>,
    log: log::Log,
    hidden: Mutex<usize>,
    stop: wire::Stop,
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let accepting =
            thread::Builder::new().name("demo-http".to_owned()).spawn(move || accept(&listener, &for_thread))?;
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// Returns the URL of a path, which is plain text: it is percent-encoded as needed (`+` too). A query after `?`
    /// is kept unchanged.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = format!("http://{}{}", self.address, escape_path(path));
        if let Some(query) = query {
            url.push('?');
            url.push_str(query);
        }
        url
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves a resource at a path (plain text, not percent-encoded), replacing an earlier one.
    pub fn put(&self, path: &str, resource: impl Into<Resource>) {
        lock(&self.shared.resources).insert(path.to_owned(), resource.into());
    }

    /// Stops serving a path.
    pub fn remove(&self, path: &str) {
        lock(&self.shared.resources).remove(path);
    }

    /// Passes all requests below a prefix to a handler. The longest prefix wins, and a resource wins over handlers.
    pub fn handle(&self, prefix: &str, handler: impl Handler + 'static) {
        lock(&self.shared.handlers).insert(prefix.to_owned(), Arc::new(handler));
    }

    /// Adds a fault to a path (plain text), until [`Self::heal_all`]. A path that ends in `*` stands for all paths with
    /// that prefix.
    pub fn fault(&self, path: &str, fault: Fault) {
        lock(&self.shared.faults).add(path, fault);
    }

    /// Removes all faults.
    pub fn heal_all(&self) {
        lock(&self.shared.faults).heal_all();
    }

    /// Returns all requests since the start, or since [`Self::clear_log`].
    #[must_use]
    pub fn log(&self) -> Vec<Request> {
        self.shared.log.snapshot().split_off(*lock(&self.shared.hidden))
    }

    /// Clears the log.
    pub fn clear_log(&self) {
        *lock(&self.shared.hidden) = self.shared.log.snapshot().len();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.set();
        for stream in lock(&self.shared.open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The accepting thread is blocked in accept(); a connection wakes it.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for (id, stream) in (0u64..).zip(listener.incoming()) {
        if shared.stop.is_set() {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        let Ok(stream) = stream else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let shared = Arc::clone(shared);
        let spawned = thread::Builder::new().name("demo-http-connection".to_owned()).spawn(move || {
            connection(&stream, id, &shared);
            lock(&shared.open).remove(&id);
        });
        threads.extend(spawned);
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn connection(stream: &TcpStream, id: u64, shared: &Shared) {
    let Ok(copy) = stream.try_clone() else { return };
    lock(&shared.open).insert(id, copy);
    // Either the flag is seen here, or the thread that sets it sees the stream in the list.
    if shared.stop.is_set() {
        return;
    }
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let mut reader = BufReader::new(stream);
    loop {
        match message::read(&mut reader, &mut &*stream) {
            Ok(incoming) => match exchange(&incoming, stream, shared) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return end(stream),
            },
            Err(message::NoRequest::Gone) => return,
            Err(message::NoRequest::Refused(status)) => {
                refuse(status, stream, shared);
                break;
            }
        }
    }
    // Closing with unread bytes in the buffer would make the kernel reset the connection, and the client lose the
    // end of the answer. So shut down writing, and give the client a moment to close first.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    let _ = std::io::copy(&mut reader.take(16 << 20), &mut std::io::sink());
    end(stream);
}

fn end(stream: &TcpStream) {
    // The copy in the list keeps the descriptor open; the connection must end now.
    let _ = stream.shutdown(Shutdown::Both);
}

fn exchange(incoming: &Incoming, stream: &TcpStream, shared: &Shared) -> std::io::Result<bool> {
    let line = shared.log.begin(incoming);
    let faults = lock(&shared.faults).take(&incoming.path, incoming.method == "HEAD");
    let response = answer::instead(incoming, &faults);
    // An answer given by a fault is not damaged further.
    let faults = if response.is_some() { Vec::new() } else { faults };
    let response = response.unwrap_or_else(|| route(incoming, shared, &faults));
    answer::send(response, incoming, stream, &shared.stop, &line, &faults)
}

fn route(incoming: &Incoming, shared: &Shared, faults: &[Fault]) -> Response {
    let resource = lock(&shared.resources).get(&incoming.path).cloned();
    if let Some(resource) = resource {
        return answer::serve(incoming, &resource, faults)
            .unwrap_or_else(|error: Error| Response::text(500, format!("{error}\n")));
    }
    let handlers = lock(&shared.handlers);
    let handler = handlers.iter().rev().find(|(prefix, _)| incoming.path.starts_with(prefix.as_str()));
    let handler = handler.map(|(_, handler)| Arc::clone(handler));
    drop(handlers);
    handler.map_or_else(|| Response::text(404, "not found\n"), |handler| handler.answer(incoming))
}

fn refuse(status: u16, stream: &TcpStream, shared: &Shared) {
    let incoming = Incoming {
        method: "GET".to_owned(),
        target: String::new(),
        path: String::new(),
        query: String::new(),
        headers: Vec::new(),
        body: Vec::new(),
        keep_alive: false,
        http11: true,
    };
    let line = shared.log.begin(&incoming);
    let response = Response::text(status, "that was no request for this server\n");
    let _ = answer::send(response, &incoming, stream, &shared.stop, &line, &[]);
}
