//! All builds for a GPU that any index of the channel lists, for a search among versions.

use std::collections::BTreeSet;

use url::Url;

use super::read::{self, Trouble};
use super::select::{Sorted, sort};
use super::source::{Channel, Index, built_in};
use super::{Candidate, RocmRequest, VersionRequest, all_failed, unanswered};
use crate::error::Result;
use crate::fetch::Documents;

/// Returns all builds for the GPU of a request, oldest first, with warnings: of every current and every frozen index,
/// and of the same index pages at mirrors, which `mirrors` returns for a page. A day on which only a family of another
/// name that covers the GPU was built has that build.
pub fn everything(
    request: &RocmRequest,
    mirrors: &dyn Fn(&Url) -> Vec<Url>,
    documents: &dyn Documents,
) -> Result<(Vec<Candidate>, Vec<String>)> {
    let indexes = if request.sources.is_empty() {
        built_in(&request.channel)?
    } else {
        request.sources.iter().cloned().map(Index::named).collect()
    };
    let copies: Vec<Index> = indexes.iter().flat_map(|index| mirrors(&index.url)).map(Index::named).collect();
    let (mut pages, mut failures) = (Vec::new(), Vec::new());
    for (index, read) in read::all(indexes, documents)? {
        match read {
            Ok(page) => pages.push((index.url, page)),
            Err(trouble) => failures.push((index.url, trouble.into_error())),
        }
    }
    // A mirror need not have a page with a list.
    for (index, read) in read::all(copies, documents)? {
        match read {
            Ok(page) => pages.push((index.url, page)),
            Err(Trouble::NoAnswer(_) | Trouble::NoIndex(_)) => {}
        }
    }
    if pages.is_empty() {
        return Err(all_failed(failures));
    }
    let any = RocmRequest { version: VersionRequest::Latest, ..request.clone() };
    let of = |request: &RocmRequest| {
        let mut sorted = Sorted::default();
        for (url, page) in &pages {
            sorted.add(page.clone(), request, url);
        }
        (sorted.wanted(request), sorted)
    };
    let (mut all, sorted) = of(&any);
    let target = request.target.as_str();
    let families: BTreeSet<String> = sorted.near(target).into_iter().map(str::to_owned).collect();
    for family in families.into_iter().filter(|family| *family != any.wanted()) {
        let Ok(family) = family.parse() else { continue };
        let (others, _) = of(&RocmRequest { family: Some(family), ..any.clone() });
        let new: Vec<Candidate> = others.into_iter().filter(|one| !has(&all, one)).collect();
        all.extend(new);
    }
    sort_by_age(&mut all, &request.channel);
    Ok((all, failures.iter().map(|(url, error)| unanswered(url, error)).collect()))
}

fn has(all: &[Candidate], one: &Candidate) -> bool {
    all.iter().any(|known| known.version == one.version)
}

/// Sorts builds of a channel, oldest first.
pub fn sort_by_age(all: &mut [Candidate], channel: &Channel) {
    sort(all, channel);
    all.reverse();
}
