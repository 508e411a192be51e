//! Newer builds in the series of a pinned version.

use super::{RocmRequest, RocmVersion, VersionRequest, look_up};
use crate::error::{Kind, Result};
use crate::fetch::Documents;

/// The newest version of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its name, such as `7.14`.
    pub name: String,
    /// Its newest version.
    pub newest: RocmVersion,
}

/// Returns the newest version in the series of an exactly requested version, if it is newer. Returns `None` for
/// channels ordered by day: there a series ends on the day that the next one begins.
pub fn newest_of_series(request: &RocmRequest, documents: &dyn Documents, now: i64) -> Result<Option<Series>> {
    let VersionRequest::Exact(held) = &request.version else { return Ok(None) };
    if request.channel.about()?.by_day {
        return Ok(None);
    }
    let name = held.series();
    let version = format!("=={name}.*").parse()?;
    let newest = match look_up(&RocmRequest { version, ..request.clone() }, documents, now) {
        Ok(found) => found.newest.version,
        // For example a release candidate whose release is not published yet, in a channel of releases.
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok((newest > *held).then_some(Series { name, newest }))
}
