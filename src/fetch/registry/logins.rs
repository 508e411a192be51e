//! The requested repositories, the credentials that open them, and the answers of helpers. Stored in memory only, as
//! long as the fetcher lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;
use url::Url;

use super::credentials;
use super::helper;
use super::repository::server;
use super::stored::{Helper, Stored};
use crate::error::Result;
use crate::threads::lock;

/// The action of a token service's scope that allows reading.
const READ: &str = "pull";

/// The answer of a helper, once it was asked.
type Asked = Arc<OnceCell<Result<Stored>>>;

/// The known repositories and helpers.
#[derive(Default)]
pub(in crate::fetch) struct Logins {
    headers: Mutex<HashMap<String, Option<HeaderValue>>>,
    /// The access to a repository besides reading, as token services call it.
    actions: Mutex<HashMap<String, &'static str>>,
    /// Answers by program and registry.
    helpers: Mutex<HashMap<(String, String), Asked>>,
}

impl Logins {
    /// Returns the requested repository that a URL belongs to, if any. Repositories may be nested: the longest name
    /// wins.
    pub fn repository(&self, url: &Url) -> Option<String> {
        let all = lock(&self.headers);
        all.keys().filter(|base| url.as_str().starts_with(base.as_str())).max_by_key(|base| base.len()).cloned()
    }

    /// Returns the Authorization header for the repository of a URL, once it is known.
    pub fn header(&self, url: &Url) -> Option<HeaderValue> {
        let base = self.repository(url)?;
        lock(&self.headers).get(&base).cloned().flatten()
    }

    pub(in crate::fetch) fn put(&self, base: &str, header: Option<HeaderValue>) {
        lock(&self.headers).insert(base.to_owned(), header);
    }

    pub(in crate::fetch) fn name(&self, base: &str) {
        lock(&self.headers).entry(base.to_owned()).or_default();
    }

    /// Asks for these actions from now on when it logs in at the repository at `base`, where it only reads otherwise.
    pub(in crate::fetch) fn allow(&self, base: &str, actions: &'static str) {
        let before = lock(&self.actions).insert(base.to_owned(), actions);
        if before != Some(actions) {
            // A token for fewer actions does not help.
            self.put(base, None);
        }
    }

    /// Returns the actions that a token is asked for.
    pub(in crate::fetch) fn actions(&self, base: &str) -> &'static str {
        lock(&self.actions).get(base).copied().unwrap_or(READ)
    }

    /// Returns the credentials for the repository at `base`, without asking a helper.
    pub(in crate::fetch) fn known(&self, base: &Url) -> Stored {
        match credentials::find(base) {
            Stored::Helper(helper) => match self.asked(&helper, base).get() {
                Some(Ok(stored)) => stored.clone(),
                _ => Stored::Helper(helper),
            },
            stored => stored,
        }
    }

    /// Returns a helper's credentials for the registry of the repository at `base`. Asks the helper at most once in a
    /// run.
    pub(in crate::fetch) async fn ask(&self, helper: &Helper, base: &Url) -> Result<Stored> {
        let asked = self.asked(helper, base);
        asked.get_or_init(|| helper.ask(base, helper::LIMIT)).await.clone()
    }

    fn asked(&self, helper: &Helper, base: &Url) -> Asked {
        let key = (helper.program(), server(base));
        Arc::clone(lock(&self.helpers).entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_below_each_other_have_logins_of_their_own() {
        let header = |text: &'static str| Some(HeaderValue::from_static(text));
        // Each map has an order of its own.
        for _ in 0..50 {
            let logins = Logins::default();
            for base in ["https://r.example/v2/team/", "https://r.example/v2/team/base/", "https://r.example/v2/te/"] {
                logins.name(base);
            }
            logins.put("https://r.example/v2/team/", header("Bearer team"));
            logins.put("https://r.example/v2/team/base/", header("Bearer base"));
            for (url, wanted) in [
                ("https://r.example/v2/team/manifests/1", header("Bearer team")),
                ("https://r.example/v2/team/base/manifests/1", header("Bearer base")),
                ("https://r.example/v2/te/manifests/1", None),
                ("https://r.example/v2/other/manifests/1", None),
            ] {
                assert_eq!(logins.header(&url.parse().unwrap()), wanted, "{url}");
            }
        }
    }
}
