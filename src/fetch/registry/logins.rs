//! The registries that were named, what opens their repositories, and what helpers said. Lives as long as the fetcher: never
//! on a disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;
use url::Url;

use super::credentials::{self, Kept};
use super::helper::{self, Helper};
use crate::error::Result;
use crate::threads::lock;

/// What a helper said, once it was asked.
type Asked = Arc<OnceCell<Result<Kept>>>;

/// See the module.
#[derive(Default)]
pub(in crate::fetch) struct Logins {
    headers: Mutex<HashMap<String, Option<HeaderValue>>>,
    /// By program and registry.
    helpers: Mutex<HashMap<(String, String), Asked>>,
}

impl Logins {
    /// The repository that a URL belongs to, if it is one of a registry that was named. Repositories may stand below each
    /// other: the longest name is meant.
    pub fn repository(&self, url: &Url) -> Option<String> {
        let all = lock(&self.headers);
        all.keys().filter(|base| url.as_str().starts_with(base.as_str())).max_by_key(|base| base.len()).cloned()
    }

    /// What opens the repository of a URL, once that is known.
    pub fn header(&self, url: &Url) -> Option<HeaderValue> {
        let base = self.repository(url)?;
        lock(&self.headers).get(&base).cloned().flatten()
    }

    pub(super) fn put(&self, base: &str, header: Option<HeaderValue>) {
        lock(&self.headers).insert(base.to_owned(), header);
    }

    pub(super) fn name(&self, base: &str) {
        lock(&self.headers).entry(base.to_owned()).or_default();
    }

    /// What is kept for the repository at `base`, as far as it is known without asking a helper.
    pub(super) fn known(&self, base: &Url) -> Kept {
        match credentials::find(base) {
            Kept::Helper(helper) => match self.asked(&helper, base).get() {
                Some(Ok(kept)) => kept.clone(),
                _ => Kept::Helper(helper),
            },
            kept => kept,
        }
    }

    /// What a helper has for the registry of the repository at `base`. It is asked once, by whoever comes first.
    pub(super) async fn ask(&self, helper: &Helper, base: &Url) -> Result<Kept> {
        let asked = self.asked(helper, base);
        asked.get_or_init(|| helper.ask(base, helper::LIMIT)).await.clone()
    }

    fn asked(&self, helper: &Helper, base: &Url) -> Asked {
        let key = (helper.program(), credentials::server(base));
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
