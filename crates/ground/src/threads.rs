//! Work on several threads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// Runs `action` for every entry, each on a thread of its own. All threads end before the first error is returned.
pub fn in_parallel<T: Send, R: Send>(
    entries: impl IntoIterator<Item = (impl AsRef<str> + Send, T)>,
    action: impl Fn(&str, T) -> Result<R> + Sync,
) -> Result<BTreeMap<String, R>> {
    let action = &action;
    std::thread::scope(|scope| {
        let threads: Vec<_> = entries
            .into_iter()
            .map(|(name, entry)| {
                let own = name.as_ref().to_owned();
                (own.clone(), scope.spawn(move || action(&own, entry)))
            })
            .collect();
        let results: Vec<_> =
            threads.into_iter().map(|(name, thread)| (name, ended(thread.join(), "a thread"))).collect();
        results.into_iter().map(|(name, result)| Ok((name, result?))).collect()
    })
}

/// Runs `work` on `count` threads, passing each its number, and returns the results in that order. All threads end
/// before the first error is returned. `name` names the threads in the message of a panic.
pub fn on_threads<R: Send>(count: usize, name: &str, work: impl Fn(usize) -> Result<R> + Sync) -> Result<Vec<R>> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        let results: Vec<_> = threads.into_iter().map(|thread| ended(thread.join(), name)).collect();
        results.into_iter().collect()
    })
}

/// Returns the number of threads that can run at a time.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the result of a joined thread. A panic becomes an error; `name` names the thread in it.
pub fn ended<R>(joined: std::thread::Result<Result<R>>, name: &str) -> Result<R> {
    joined.unwrap_or_else(|_| Err(Error::failure(format!("{name} panicked"))))
}

/// Locks a mutex, even after a panic in another thread: the panic is reported elsewhere and must not hide other
/// errors.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_threads_and_a_panic_is_an_error() {
        assert_eq!(on_threads(5, "a thread that counts", Ok).unwrap(), [0, 1, 2, 3, 4]);
        let ended = Mutex::new(0);
        let error = on_threads(3, "a thread that counts", |number| {
            assert!(number != 1, "on purpose");
            *lock(&ended) += 1;
            Ok(())
        });
        assert_eq!(error.unwrap_err().message(), "a thread that counts panicked");
        assert_eq!(*lock(&ended), 2);
    }

    #[test]
    fn a_lock_is_had_after_a_panic() {
        let mutex = Mutex::new(1);
        let held = || {
            let held = mutex.lock();
            assert!(held.is_err(), "on purpose");
        };
        assert!(std::thread::scope(|scope| scope.spawn(held).join()).is_err());
        assert_eq!(*lock(&mutex), 1);
    }
}
