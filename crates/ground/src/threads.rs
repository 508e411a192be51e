//! Work on several threads.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Runs `action` for every entry, each on a thread of its own. All end before the first error is returned.
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
        let results: Vec<_> = threads
            .into_iter()
            .map(|(name, thread)| (name, thread.join().unwrap_or_else(|_| Err(Error::failure("a thread panicked")))))
            .collect();
        results.into_iter().map(|(name, result)| Ok((name, result?))).collect()
    })
}
