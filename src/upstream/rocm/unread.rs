//! Skipped files of an index: the reason, and how much newer they are than the chosen build.
//!
//! Upstream changes its file names: the GPU may disappear from them, versions and compressions get new formats,
//! families are merged. If unknown names were skipped silently, users would stay on an old build for weeks without
//! noticing.

use jiff::civil::Date;
use pep440_rs::Version;

use super::name::ENDINGS;
use super::{Candidate, RocmRequest, TarballName, VersionRequest, family, range};

/// Greatest number of names of one kind that are shown.
const SHOWN: usize = 5;

/// A skipped file that may be what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    /// Its name.
    pub name: String,
    /// Its day: from its name, else from its time in the index.
    pub day: Option<Date>,
    /// The release in its name.
    release: Option<Version>,
    /// The reason why it is skipped.
    pub why: Why,
}

/// The reason why a file is skipped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Its family covers the GPU, or may cover it.
    Family(String),
    /// Its name contains no GPU.
    NoGpu,
    /// Its version cannot be read.
    Version,
    /// Its name has an unknown format.
    Form,
}

impl Why {
    /// Returns the reason as the end of the sentence "NAME is 3 days newer, and ...".
    pub fn text(&self) -> String {
        match self {
            Self::Family(name) => {
                format!("{name} may cover this GPU: `family = \"{name}\"` in the manifest selects it")
            }
            Self::NoGpu => {
                format!("its name contains no GPU: `family = \"{}\"` in the manifest selects it", family::ALL)
            }
            Self::Version => "its version cannot be read".to_owned(),
            Self::Form => "its name has an unknown format".to_owned(),
        }
    }
}

impl Unread {
    /// Returns the file if it is skipped although it may be wanted. `day` is that of its time in the index.
    pub fn of(name: &str, day: Option<Date>, request: &RocmRequest) -> Option<Self> {
        let (why, release, own) = match TarballName::parse(name) {
            Some(parsed) => {
                let why = match &parsed.family {
                    _ if parsed.platform != request.platform => return None,
                    None => Why::NoGpu,
                    Some(one) if family::may_be(one, request.target.as_str()) => Why::Family(one.clone()),
                    Some(_) => return None,
                };
                if !request.accepts(&parsed.version) {
                    return None;
                }
                (why, Some(parsed.version.pep440().only_release()), parsed.version.date())
            }
            None => (unknown(name, request)?, release(name), day_in(name)),
        };
        if let (VersionRequest::Range(range), Some(release)) = (&request.version, &release)
            && !range::contains(range, release)
            && !range::contains(range, &release.clone().with_dev(Some(0)))
        {
            return None;
        }
        Some(Self { name: name.to_owned(), day: own.or(day), release, why })
    }

    /// Describes how much newer it is than the chosen build; `None` if it is not newer.
    pub fn newer(&self, than: &Candidate, by_day: bool) -> Option<String> {
        let later = self.release.as_ref().is_some_and(|release| *release > than.version.pep440().only_release());
        match (self.day, than.date) {
            (Some(day), Some(taken)) if day > taken && (by_day || !later) => {
                let days = day.since(taken).ok()?.get_days();
                Some(format!("{days} day{} newer", if days == 1 { "" } else { "s" }))
            }
            (Some(_), Some(_)) if by_day => None,
            _ => later.then(|| "of a later version".to_owned()),
        }
    }
}

/// Lists the skipped files that are newer than the chosen build, in one line for each reason.
pub(super) fn newer(unread: &[Unread], than: &Candidate, by_day: bool) -> Vec<String> {
    let mut found: Vec<(&Unread, String)> =
        unread.iter().filter_map(|one| Some((one, one.newer(than, by_day)?))).collect();
    found.sort_by(|(a, _), (b, _)| (&a.why, b.day, &b.release, &b.name).cmp(&(&b.why, a.day, &a.release, &a.name)));
    let groups = found.chunk_by(|(a, _), (b, _)| a.why == b.why);
    groups
        .filter_map(|group| {
            let ((first, by), rest) = group.split_first()?;
            let line = format!("{} is {by}, and {}", first.name, first.why.text());
            let others: Vec<String> = rest.iter().take(SHOWN).map(|(one, by)| format!("{} ({by})", one.name)).collect();
            Some(match rest.len().saturating_sub(SHOWN) {
                _ if rest.is_empty() => line,
                0 => format!("{line}; so are {}", others.join(", ")),
                more => format!("{line}; so are {} and {more} more", others.join(", ")),
            })
        })
        .collect()
}

/// Returns why a name that cannot be parsed may still be that of a wanted file.
fn unknown(name: &str, request: &RocmRequest) -> Option<Why> {
    if !is_archive(name) || name.contains("-tests-") {
        return None;
    }
    let wanted = request.wanted();
    let Some(rest) = name.strip_prefix("therock-dist-") else {
        // Another prefix: then the GPU in the name decides.
        return (name.contains(wanted) && name.contains("rock") || name.contains("rocm") && name.contains(wanted))
            .then_some(Why::Form);
    };
    let rest = rest.strip_prefix(&format!("{}-", request.platform))?;
    let version = rest.strip_prefix(wanted).and_then(|rest| rest.strip_prefix('-')).unwrap_or(rest);
    if !version.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(if ENDINGS.iter().any(|ending| name.ends_with(ending)) { Why::Version } else { Why::Form })
}

/// Returns whether a file is an archive by its name. False for companions of archives, such as `x.tar.gz.sha256sum`.
fn is_archive(name: &str) -> bool {
    match name.rsplit_once(".tar.") {
        Some((_, ending)) => !ending.is_empty() && ending.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        None => [".tar", ".tgz", ".tzst", ".txz", ".zip", ".squashfs"].iter().any(|ending| name.ends_with(ending)),
    }
}

/// Returns the first eight digits in a name that are a valid day.
fn day_in(name: &str) -> Option<Date> {
    name.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 8).find_map(super::version::day)
}

/// Returns the first three numbers in a name that are separated by dots.
fn release(name: &str) -> Option<Version> {
    let mut parts = name.split(|c: char| !c.is_ascii_digit() && c != '.');
    parts.find_map(|part| {
        let mut numbers = part.split('.').filter(|number| !number.is_empty());
        let three = [numbers.next()?, numbers.next()?, numbers.next()?];
        three.join(".").parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(name: &str) -> Option<Why> {
        let request = RocmRequest::newest("gfx1151".parse().unwrap());
        Unread::of(name, None, &request).map(|unread| unread.why)
    }

    #[test]
    fn names_of_other_forms_are_kept_in_mind() {
        let family = |name: &str| Some(Why::Family(name.to_owned()));
        for (name, expected) in [
            ("therock-dist-linux-10.3.0a20261120.tar.gz", Some(Why::NoGpu)),
            ("therock-dist-linux-10.3.0a20261120.tar.zst", Some(Why::NoGpu)),
            ("therock-dist-linux-gfx115X-all-10.3.0a20261120.tar.gz", family("gfx115X-all")),
            ("therock-dist-linux-gfx1151-dgpu-10.3.0a20261120.tar.gz", family("gfx1151-dgpu")),
            ("therock-dist-linux-gfx1151-10.3.0b20261120.tar.gz", Some(Why::Version)),
            ("therock-dist-linux-gfx1151-10.3.0.1.tar.zst", Some(Why::Version)),
            ("therock-dist-linux-10.3.0b1.tar.gz", Some(Why::Version)),
            ("therock-dist-linux-gfx1151-10.3.0a20261120.tar.xz", Some(Why::Form)),
            ("therock-dist-linux-gfx1151-10.3.0a20261120.squashfs", Some(Why::Form)),
            ("therock-sdk-linux-gfx1151-10.3.0a20261120.tar.gz", Some(Why::Form)),
            ("rocm-linux-x86_64-gfx1151-10.3.0.tar.gz", Some(Why::Form)),
            // Nobody means these.
            ("therock-dist-linux-gfx1151-10.3.0a20261120.tar.gz.sha256sum", None),
            ("therock-dist-linux-gfx1151-10.3.0a20261120.tar.xz.sig", None),
            ("therock-dist-linux-gfx1151-tests-10.3.0b20261120.tar.gz", None),
            ("therock-dist-linux-gfx115X-all-tests-10.3.0a20261120.tar.gz", None),
            ("therock-dist-linux-gfx1150-10.3.0a20261120.tar.gz", None),
            ("therock-dist-linux-gfx1150-10.3.0b20261120.tar.gz", None),
            ("therock-dist-linux-multiarch-10.3.0a20261120.tar.gz", None),
            ("therock-dist-windows-10.3.0a20261120.tar.gz", None),
            ("therock-dist-windows-gfx1151-10.3.0b1.tar.gz", None),
            ("readme.txt", None),
            ("other.tar.gz", None),
        ] {
            assert_eq!(why(name), expected, "{name}");
        }
    }

    #[test]
    fn a_range_leaves_out_what_it_cannot_mean() {
        let wish = |range: &str| {
            let request =
                RocmRequest { version: range.parse().unwrap(), ..RocmRequest::newest("gfx1151".parse().unwrap()) };
            Unread::of("therock-dist-linux-gfx1151-10.3.0b20261120.tar.gz", None, &request).is_some()
        };
        assert!(wish("latest") && wish(">=10") && wish("==10.3.*") && wish("<10.3.0rc1"));
        assert!(!wish("<8") && !wish("==10.2.*"));
    }
}
