//! The error for an index without a matching build: it says why, and names what is there instead.

use super::select::{Sorted, sort};
use super::source::with_an_index;
use super::unread::Why;
use super::{Candidate, Channel, RocmRequest, VersionRequest};
use crate::error::{Error, Kind};
use crate::urls::show_url;

/// Greatest number of names that are shown.
const SHOWN: usize = 12;

/// Returns the error that says why no build matches, and in which channel. `kind` is [`Kind::NotFound`], unless an
/// index that did not answer may have a match.
pub(super) fn no_match(sorted: &Sorted, request: &RocmRequest, kind: Kind) -> Error {
    let error = reason(sorted, request, kind);
    // An index that the user named may be of any channel, and `nightly` is only the default.
    if !request.sources.is_empty() && request.channel == Channel::nightly() {
        return error;
    }
    let error = error.fact("channel", &request.channel);
    let others = with_an_index().into_iter().filter(|name| *name != request.channel.to_string());
    error.fact("others", others.collect::<Vec<_>>().join(", "))
}

fn reason(sorted: &Sorted, request: &RocmRequest, kind: Kind) -> Error {
    let (target, platform) = (request.wanted(), request.platform);
    let absent = |message: String| Error::new(kind, message);
    if !sorted.fitting.is_empty() {
        return no_version(sorted, request, kind);
    }
    let near = sorted.near(request.target.as_str());
    if let Some(first) = near.first() {
        return absent(format!("the index has no tarballs of {target} alone; it may have been renamed"))
            .fact("near it", near.join(", "))
            .hint(format!(
                "check which of them covers this GPU: `family = \"{first}\"` in the manifest selects that one, \
                 `strixlock list rocm -t {first}` lists it"
            ));
    }
    if let Some(unread) = sorted.unread.first() {
        let error = sorted.unread.iter().take(SHOWN).fold(
            absent(format!("the index has files that may be {target} builds, but none can be used")),
            |error, unread| error.fact("there is", &unread.name),
        );
        return match unread.why {
            Why::Family(_) | Why::NoGpu => error.hint(unread.why.text()),
            Why::Version | Why::Form => {
                error.hint(format!("{}: upstream may have a new one; look for a newer strixlock", unread.why.text()))
            }
        };
    }
    if sorted.families.contains(&format!("{target}-tests")) {
        return absent(format!("the index has only test tarballs for {target}, no build"))
            .fact("there is", format!("{target}-tests"))
            .hint("upstream has not published a build there; try another version or channel");
    }
    if sorted.other_platform > 0 {
        return absent(format!("the index has {target} builds, but none for {platform}"));
    }
    if !sorted.families.is_empty() {
        let families: Vec<&str> = sorted.families.iter().map(String::as_str).collect();
        let more = families.len().saturating_sub(SHOWN);
        let mut shown = families[..families.len() - more].join(", ");
        if more > 0 {
            shown = format!("{shown} and {more} more");
        }
        return absent(format!("the index has no {target} build")).fact("there are", shown);
    }
    if sorted.unknown + sorted.odd > 0 {
        return absent("the index lists files, but no ROCm tarballs".to_owned())
            .fact("files", sorted.unknown + sorted.odd)
            .hint("names are expected to be therock-dist-<platform>-<family>-<version>.tar.gz");
    }
    empty(sorted, request, kind)
}

/// Returns the error for indexes that answered and are empty.
fn empty(sorted: &Sorted, request: &RocmRequest, kind: Kind) -> Error {
    let message = if request.sources.is_empty() {
        format!("the channel `{}` is empty", request.channel)
    } else {
        "the index is empty".to_owned()
    };
    let error = sorted.asked.iter().fold(Error::new(kind, message), |error, url| error.fact("index", show_url(url)));
    if request.sources.is_empty() && request.channel.about().is_ok_and(|about| about.stale_days.is_none()) {
        return error.hint("nothing is published there now: ask again later, or choose another `channel`");
    }
    error.hint("the index may have moved again: look for its new address and name it under `sources` in the manifest")
}

/// Returns the error for a target that has builds, but none of the wanted version.
fn no_version(sorted: &Sorted, request: &RocmRequest, kind: Kind) -> Error {
    let mut all = sorted.fitting.clone();
    sort(&mut all, &request.channel);
    let names = |some: &[Candidate]| some.iter().map(|one| one.version.to_string()).collect::<Vec<_>>().join(", ");
    let releases = request.channel.about().is_ok_and(|about| about.final_only);
    let before = all.iter().any(|one| request.version.accepts(&one.version));
    let message = if releases && before {
        format!(
            "the index has no release of {} builds, and the channel `{}` has only releases",
            request.wanted(),
            request.channel
        )
    } else {
        format!("no {} build has version {}", request.wanted(), request.version)
    };
    let error = Error::new(kind, message);
    let error = match all.len() {
        0..=8 => error.fact("there are", names(&all)),
        count => error.fact("newest", names(&all[..4])).fact("oldest", names(&all[count - 3..])),
    };
    let error = sorted
        .unread
        .iter()
        .take(SHOWN)
        .fold(error, |error, unread| error.fact("not taken", format!("{}: {}", unread.name, unread.why.text())));
    if let VersionRequest::Exact(wanted) = &request.version
        && let Some(twin) = all.iter().find(|one| one.date.is_some() && one.date == wanted.date())
    {
        return error.hint(format!("{} is of the same day", twin.version));
    }
    match all.iter().find(|one| request.version.accepts_release_of(&one.version)) {
        Some(one) => error.hint(format!(
            "a nightly comes before its release, so {} is not in {}: begin the range with `.dev0`, as in \
             \">=10.1.dev0\", or write \"==10.1.*\"",
            one.version, request.version
        )),
        None => match gone(&all, request) {
            Some(hint) => error.hint(hint),
            None => error,
        },
    }
}

/// Returns a hint for a wanted build that is older than the oldest listed one: upstream has probably removed it.
fn gone(all: &[Candidate], request: &RocmRequest) -> Option<String> {
    let VersionRequest::Exact(wanted) = &request.version else { return None };
    let oldest = all.iter().filter_map(|one| one.date).min()?;
    let kept = request.channel.about().ok()?.kept.as_deref()?;
    (wanted.date()? < oldest).then(|| {
        format!(
            "AMD's policy is to keep {kept}, and the oldest that is listed is of {oldest}: a mirror may still have \
            a locked one"
        )
    })
}
