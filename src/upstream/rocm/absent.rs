//! What to say when nothing fits: what is there instead.

use super::select::{Sorted, sort};
use super::{Candidate, RocmRequest, VersionRequest};
use crate::error::{Error, Kind};

/// More names than this are not shown.
const SHOWN: usize = 12;

/// Why nothing fits. `kind` is [`Kind::NotFound`], unless an index gave no answer and may have it.
pub(super) fn nothing(sorted: &Sorted, request: &RocmRequest, kind: Kind) -> Error {
    let RocmRequest { target, platform, .. } = request;
    let absent = |message: String| Error::new(kind, message);
    if !sorted.fitting.is_empty() {
        return no_version(sorted, request, kind);
    }
    let near = sorted.near(target.as_str());
    if !near.is_empty() {
        return absent(format!("the index has no family {target}; it may have been renamed"))
            .fact("near it", near.join(", "))
            .hint("families have been renamed before; look which one covers this GPU");
    }
    if let Some(name) = sorted.unreadable.first() {
        return absent(format!("the index has {target} builds, but no version of them can be read"))
            .fact("such as", name)
            .hint("upstream may have a new form of version; look for a newer strixlock");
    }
    if sorted.families.contains(&format!("{target}-tests")) {
        return absent(format!("the index has only test tarballs for {target}, and no build"))
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
    if sorted.unknown > 0 {
        return absent("the index lists files, but no ROCm tarballs".to_owned())
            .fact("files", sorted.unknown)
            .hint("names are expected to be therock-dist-<platform>-<family>-<version>.tar.gz");
    }
    absent("the index is empty".to_owned())
        .hint("the index may have moved again: look for its new address and name it under `sources` in the manifest")
}

/// The target has builds, and none of the wanted version.
fn no_version(sorted: &Sorted, request: &RocmRequest, kind: Kind) -> Error {
    let mut all = sorted.fitting.clone();
    sort(&mut all, &request.channel);
    let names = |some: &[Candidate]| some.iter().map(|one| one.version.to_string()).collect::<Vec<_>>().join(", ");
    let error = Error::new(kind, format!("no {} build has version {}", request.target, request.version));
    let error = match all.len() {
        0..=8 => error.fact("there are", names(&all)),
        count => error.fact("newest", names(&all[..4])).fact("oldest", names(&all[count - 3..])),
    };
    if let VersionRequest::Exact(wanted) = &request.version
        && let Some(twin) = all.iter().find(|one| one.date.is_some() && one.date == wanted.date())
    {
        return error.hint(format!("{} is of the same day", twin.version));
    }
    match all.iter().find(|one| request.version.accepts_release_of(&one.version)) {
        Some(one) => error.hint(format!(
            "a nightly comes before its release, so {} is not in {}: begin the range with `.dev0`, as in \">=10.1.dev0\", or write \"==10.1.*\"",
            one.version, request.version
        )),
        None => match gone(&all, request) {
            Some(hint) => error.hint(hint),
            None => error,
        },
    }
}

/// Says why a build may be missing whose day is before that of the oldest there is.
fn gone(all: &[Candidate], request: &RocmRequest) -> Option<String> {
    let VersionRequest::Exact(wanted) = &request.version else { return None };
    let oldest = all.iter().filter_map(|one| one.date).min()?;
    let kept = request.channel.about().ok()?.kept.as_deref()?;
    (wanted.date()? < oldest).then(|| {
        format!("AMD's policy is to keep {kept}, and the oldest that is listed is of {oldest}: a locked one may still be had from a mirror")
    })
}
