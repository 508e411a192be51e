//! Newer builds in the series of a version that is held on to.

use super::{RocmRequest, RocmVersion, VersionRequest, look_up};
use crate::error::{Kind, Result};
use crate::fetch::Documents;

/// The newest of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its name, such as `7.14`.
    pub name: String,
    /// Its newest version.
    pub newest: RocmVersion,
}

/// Returns the newest of the series of the one version that is wanted, where it is newer than that. Builds that go by their day have
/// no series that goes on: one ends on the day that the next begins.
pub fn newest_of_series(request: &RocmRequest, documents: &dyn Documents, now: i64) -> Result<Option<Series>> {
    let VersionRequest::Exact(held) = &request.version else { return Ok(None) };
    if request.channel.about()?.by_day {
        return Ok(None);
    }
    let name = held.series();
    let version = format!("=={name}.*").parse()?;
    let newest = match look_up(&RocmRequest { version, ..request.clone() }, documents, now) {
        Ok(found) => found.newest.version,
        // Such as a candidate whose release is not there yet, in a channel of releases.
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok((newest > *held).then_some(Series { name, newest }))
}
