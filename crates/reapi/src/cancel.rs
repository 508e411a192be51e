//! Operations that this process has running, so that they end with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bazel_remote_apis::google::longrunning::CancelOperationRequest;
use tokio::runtime::Handle;
use tracing::debug;

use crate::service::Remote;

/// Time that cancelling may take: somebody waits for this process to end.
const TIME: Duration = Duration::from_secs(3);

/// All that run.
static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());
/// The number of the next one.
static NEXT: AtomicU64 = AtomicU64::new(0);

struct Running {
    id: u64,
    name: String,
    remote: Remote,
    handle: Handle,
}

/// An operation that is cancelled by [`cancel_all`] while this lives.
pub(crate) struct Cancellable(u64);

impl Cancellable {
    /// Takes note of an operation. Must be called in the runtime of its service.
    pub fn new(name: &str, remote: &Remote) -> Self {
        // Names are unique to a service, and there may be several.
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let running = Running { id, name: name.to_owned(), remote: remote.clone(), handle: Handle::current() };
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push(running);
        Self(id)
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).retain(|running| running.id != self.0);
    }
}

/// Cancels what this process has running on other machines, for Ctrl-C. Takes some seconds at most. Must not be called
/// by a thread of an asynchronous runtime.
pub fn cancel_all() {
    let running = std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner));
    // All at once: there may be hundreds.
    let begun = running.into_iter().map(|Running { name, remote, handle, .. }| {
        let cancelling = handle.spawn(async move { cancel(&remote, &name).await });
        (handle, cancelling)
    });
    for (handle, cancelling) in begun.collect::<Vec<_>>() {
        // A panic of a task would have been told already.
        let _ = handle.block_on(cancelling);
    }
}

/// Cancels an operation. If that fails, the service ends it by its own limit.
pub(crate) async fn cancel(remote: &Remote, name: &str) {
    let mut operations = remote.operations();
    let request = CancelOperationRequest { name: name.to_owned() };
    let answer = tokio::time::timeout(TIME, operations.cancel_operation(request)).await;
    debug!("cancelled {name}: {answer:?}");
}
