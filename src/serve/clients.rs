//! The clients of a server, by address: one line of progress each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Served;
use crate::progress::{Doing, Progress, Task, Unit};
use crate::text;
use crate::threads::lock;

/// The time without a connection after which a client has left. `curl` has a connection for each file.
const LEFT: Duration = Duration::from_secs(2);

/// All clients.
#[derive(Clone)]
pub(super) struct Clients(Arc<Shared>);

struct Shared {
    progress: Arc<dyn Progress>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    clients: HashMap<IpAddr, Line>,
    served: Served,
}

#[derive(Default)]
struct Line {
    connections: usize,
    /// Grows with every connection, so that a client that came back is not taken for one that has left.
    visits: u64,
    served: Served,
    /// Begins with the first request.
    task: Option<Box<dyn Task>>,
}

/// A connection of a client.
pub(super) struct Client {
    clients: Clients,
    address: IpAddr,
}

impl Clients {
    pub fn new(progress: Arc<dyn Progress>) -> Self {
        Self(Arc::new(Shared { progress, known: Mutex::default() }))
    }

    /// Counts a connection, until the result and its clones are dropped.
    pub fn connected(&self, address: IpAddr) -> Client {
        let mut known = lock(&self.0.known);
        let line = known.clients.entry(address).or_default();
        line.connections += 1;
        line.visits += 1;
        Client { clients: self.clone(), address }
    }

    /// Ends all lines. Returns the sums.
    pub fn ended(&self) -> Served {
        let mut known = lock(&self.0.known);
        known.clients.drain().for_each(|(_, line)| line.end());
        known.served
    }

    /// Ends the line of a client that has not come back since its last visit.
    fn leave(&self, address: IpAddr, visits: u64) {
        let mut known = lock(&self.0.known);
        let gone = known.clients.get(&address).is_some_and(|line| line.connections == 0 && line.visits == visits);
        if gone && let Some(line) = known.clients.remove(&address) {
            line.end();
        }
    }
}

impl Line {
    fn end(&self) {
        if let Some(task) = &self.task {
            let Served { requests, bytes } = self.served;
            task.done(Some(&format!("{}, {}", text::counted(requests as usize, "request"), text::bytes(bytes))));
        }
    }
}

impl Client {
    /// Returns the address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Counts a request.
    pub fn asked(&self, what: &str) {
        self.with(|progress, line, served| {
            line.served.requests += 1;
            served.requests += 1;
            let begin = || progress.begin(Doing::Serve, &self.address.to_string(), None, Unit::Bytes);
            line.task.get_or_insert_with(begin).detail(what);
        });
    }

    /// Counts bytes that were sent.
    pub fn sent(&self, bytes: u64) {
        self.with(|_, line, served| {
            line.served.bytes += bytes;
            served.bytes += bytes;
            if let Some(task) = &line.task {
                task.set_position(line.served.bytes);
            }
        });
    }

    fn with(&self, action: impl FnOnce(&dyn Progress, &mut Line, &mut Served)) {
        let mut known = lock(&self.clients.0.known);
        let Known { clients, served } = &mut *known;
        if let Some(line) = clients.get_mut(&self.address) {
            action(&*self.clients.0.progress, line, served);
        }
    }
}

impl Clone for Client {
    fn clone(&self) -> Self {
        self.clients.connected(self.address)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut known = lock(&self.clients.0.known);
        let Some(line) = known.clients.get_mut(&self.address) else { return };
        line.connections = line.connections.saturating_sub(1);
        if line.connections == 0
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (clients, address, visits) = (self.clients.clone(), self.address, line.visits);
            runtime.spawn(async move {
                tokio::time::sleep(LEFT).await;
                clients.leave(address, visits);
            });
        }
    }
}
