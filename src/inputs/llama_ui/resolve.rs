//! Resolves a `llama-ui` request to its pin, by the build number of the sources that it follows.

use super::look_up::{Published, look_up};
use super::pin::{Bundle, older};
use super::supply::unpacked;
use super::{LlamaUiPin, LlamaUiRequest};
use crate::error::{Error, Kind, Result};
use crate::inputs::git::GitPin;
use crate::inputs::{Answer, Block, LockedInput, Preview, Question, Resolution, Resolve, Supply as _, Taken, TreePin};
use crate::intake::{Intake, file, file_anew};
use crate::llama_source::{CMakeFiles, UiPlace};
use crate::store::StoredTree;
use crate::text;
use crate::tree::Limits;
use crate::urls::show_url;

impl Resolve for LlamaUiRequest {
    fn resolve(&self, locked: Option<&Block<Self>>, question: Question) -> Result<Answer> {
        let Question { name, intake, .. } = question;
        let Some(LockedInput::Git(source)) = question.followed else {
            return Err(Error::new(Kind::Invalid, format!("`{}` is not a git input", self.source)));
        };
        let wanted = source.locked.number;
        let same = locked.filter(|block| block.requested == *self && block.locked.wanted == wanted);
        if let Some(block) = same.filter(|block| block.locked.is_exact() && !question.named) {
            return Ok((Resolution::same(block.clone()), Vec::new()));
        }
        let tree = if let Some(tree) = intake.store.tree(source.locked.content.digest) {
            tree
        } else {
            source.fetch(intake, &self.source)?;
            intake.store.tree(source.locked.content.digest).ok_or_else(|| absent(&self.source))?
        };
        let place = place(&tree, &self.source, &source.locked)?;
        let Some(place) = place else {
            let block = Block::new(self.clone(), LlamaUiPin { wanted, bundle: None })?;
            if same.is_some_and(|same| *same == block) {
                return Ok((Resolution::same(block), Vec::new()));
            }
            let to = format!("in the sources of b{wanted}");
            let take_in = move |_: Intake| {
                let details = vec!["the sources have its files themselves: nothing is fetched".to_owned()];
                Ok(Taken { block: block.into(), details, warnings: Vec::new() })
            };
            return Ok((new(to, take_in), Vec::new()));
        };
        let (found, mut warnings) = look_up(self, intake.fetcher, wanted)?;
        if found.number != wanted {
            warnings.push(older(found.number, wanted));
        }
        let anew = question.accept_replaced && question.named;
        if let Some(bundle) = same.and_then(|block| block.locked.bundle.as_ref())
            && bundle.number == found.number
            && bundle.urls.contains(&found.url)
        {
            let is_same = found.sha256.is_none_or(|digest| digest == bundle.sha256);
            if let Some(block) = same.filter(|_| is_same && !anew) {
                return Ok((Resolution::same(block.clone()), warnings));
            }
            if !is_same && !anew {
                return Err(replaced(bundle, &found, name));
            }
        }
        let to = if found.number == wanted { format!("b{wanted}") } else { format!("b{} for b{wanted}", found.number) };
        let (request, name) = (self.clone(), name.to_owned());
        let take_in = move |intake: Intake| take_in(intake, &name, request, wanted, &place, &found, anew);
        Ok((new(to, take_in), warnings))
    }
}

fn new(to: String, take_in: impl FnOnce(Intake) -> Result<Taken> + Send + 'static) -> Resolution {
    Resolution::New { to, details: Vec::new(), preview: Preview::default(), take_in: Box::new(take_in) }
}

/// Returns the place of the web UI in the sources; `None` if its files are there already.
fn place(tree: &StoredTree, source: &str, pin: &GitPin) -> Result<Option<UiPlace>> {
    let place = UiPlace::of(&CMakeFiles::read(tree)?).ok_or_else(|| {
        Error::new(Kind::Invalid, "these sources have no place for a web UI")
            .fact("source", format!("{source} b{}", pin.number))
            .hint("`ui = false` in the output of type `llama` builds without one")
    })?;
    Ok(Some(place).filter(|place| tree.listing().is_ok_and(|listing| !place.is_filled(&listing))))
}

fn absent(source: &str) -> Error {
    Error::new(Kind::Damaged, format!("the tree of input `{source}` is not in the store"))
        .hint("run the same command again")
}

fn replaced(locked: &Bundle, found: &Published, name: &str) -> Error {
    let error = Error::new(Kind::Mismatch, "upstream has another web UI under the locked name")
        .fact("url", show_url(&found.url))
        .fact("locked", locked.sha256);
    found.sha256.iter().fold(error, |error, digest| error.fact("published", digest)).hint(format!(
        "upstream replaced this file. Keep the lock to stay with the old one, or run `strixlock update {name} \
         --accept-replaced` to take the new one."
    ))
}

fn take_in(
    intake: Intake,
    name: &str,
    request: LlamaUiRequest,
    wanted: u64,
    place: &UiPlace,
    found: &Published,
    anew: bool,
) -> Result<Taken> {
    let urls = vec![found.url.clone()];
    let (path, received) = if anew { file_anew(intake, name, &urls)? } else { file(intake, name, &urls, None)? };
    let mut warnings = Vec::new();
    match found.sha256 {
        Some(published) if published != received.digest => {
            return Err(Error::new(Kind::Mismatch, "the web UI does not match the digest that is published for it")
                .fact("url", show_url(&found.url))
                .fact("published at", show_url(&found.said_by))
                .fact("published", published)
                .fact("received", received.digest)
                .hint("upstream may be in the middle of an update: try again later"));
        }
        Some(_) => {}
        None => warnings.push(format!("{} is published without a digest: this is its first use", show_url(&found.url))),
    }
    let (staging, listing) = unpacked(intake, &path, Limits::default())?;
    place.demand(&listing).map_err(|error| error.fact("bundle", show_url(&found.url)))?;
    let tree = TreePin::of(&intake.store.publish_tree(&staging, &listing)?, &listing)?;
    let details = vec![
        format!("bundle   {}", text::bytes(received.size)),
        format!("tree     {} in {} entries", text::bytes(tree.size), tree.entries),
    ];
    let directory = place.directory.to_owned();
    let (number, size, sha256) = (found.number, received.size, received.digest);
    let vouched = found.sha256.is_some();
    let bundle = Bundle { number, directory, urls, size, sha256, vouched, tree };
    let block = Block::new(request, LlamaUiPin { wanted, bundle: Some(bundle) })?;
    Ok(Taken { block: block.into(), details, warnings })
}
