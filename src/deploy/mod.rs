//! Deployment: the outputs of a lock to other machines, over the user's own ssh.
//!
//! Each step on a host is a command of strixlock that a person could type there; nothing runs there in between. The lock
//! goes to `lock/deploy.lock`, outputs that the host lacks go as a [snapshot](crate::export::snapshot) that leaves out
//! what its store has, `realize --no-switch` makes a generation, and `validate` judges it. Only then the lock becomes
//! `lock/strix.lock` and the generation current. What fails leaves both as they were. A snapshot whose transfer broke off
//! is completed by the next deployment (see `transfer`).
//!
//! Hosts are served side by side, and the failure of one touches no other.

mod answer;
mod host;
mod outcome;
mod shipment;
mod ssh;
mod steps;
mod transfer;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::progress::Progress;
use crate::store::Store;
use crate::threads::{lock, on_threads};
use crate::validate::Extent;
use shipment::Shipments;

pub use outcome::{Outcome, Verdict};
pub use ssh::Ssh;

/// Settings of a deployment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The command that reaches hosts.
    pub ssh: Ssh,
    /// The program strixlock on a host.
    pub program: String,
    /// The project's directory on a host.
    pub directory: String,
    /// Extent of the validation before a switch; `None` for no validation.
    pub checks: Option<Extent>,
    /// Input with the model of the checks.
    pub model: Option<String>,
    /// Device of the checks.
    pub device: Option<&'static str>,
    /// Formats that this program writes, as `strixlock version` prints them.
    pub formats: Value,
    /// True if hosts must not use the network.
    pub offline: bool,
    /// True if nothing is sent.
    pub dry_run: bool,
    /// Number of hosts at a time.
    pub at_a_time: usize,
}

/// A deployment that is going on.
struct Deployment<'a> {
    settings: &'a Settings,
    store: &'a Store,
    lock: &'a Lock,
    progress: &'a dyn Progress,
    /// A file with the text of the lock, and its digest.
    text: &'a Path,
    digest: Sha256Digest,
    shipments: Shipments<'a>,
}

/// Brings the outputs of `lock` to all hosts. Fails only if nothing was begun; failures of hosts are in their outcomes,
/// which have the order of the hosts.
pub fn deploy(
    settings: &Settings,
    hosts: &[String],
    (store, locked): (&Store, &Lock),
    progress: &dyn Progress,
) -> Result<Vec<Outcome>> {
    for (at, host) in hosts.iter().enumerate() {
        ssh::demand_host(host)?;
        if hosts[..at].contains(host) {
            return Err(Error::new(Kind::Usage, "a host is named twice").fact("host", host));
        }
    }
    let staging = store.stage()?;
    let text = locked.to_text()?;
    let file = staging.path().join("strix.lock");
    fs_err::write(&file, &text)?;
    let deployment = Deployment {
        settings,
        store,
        lock: locked,
        progress,
        text: &file,
        digest: Sha256Digest::of(text.as_bytes()),
        shipments: Shipments::new(staging.path()),
    };
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Outcome>>> = Mutex::new(hosts.iter().map(|_| None).collect());
    on_threads(settings.at_a_time.clamp(1, hosts.len().max(1)), "a thread of a host", |_| {
        while let Some((at, name)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            hosts.get(at).map(|name| (at, name))
        } {
            let outcome = deployment.to(name);
            lock(&done)[at] = Some(outcome);
        }
        Ok(())
    })?;
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(done.into_iter().flatten().collect())
}
