//! Requests that are made again after an error that may pass.

use std::future::Future;
use std::time::Duration;

use tonic::Status;
use tracing::debug;

use crate::channel::Settings;
use crate::error::{Error, Result};
use crate::fault::{may_pass, told};

/// The first pause. Each further one is twice as long, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(20);

/// A failed attempt.
pub(crate) enum Failed {
    /// The service did not answer, or with an error.
    Status(Status),
    /// Something that no further attempt mends, such as a false digest.
    Final(Error),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Returns the pause before the attempt with this number, from 1.
pub(crate) fn pause(attempt: u32) -> Duration {
    FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST)
}

/// Makes a request, and makes it again after an error that may pass.
pub(crate) async fn retried<T, F>(settings: &Settings, doing: &str, mut request: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T, Failed>>,
{
    let mut attempt = 0;
    loop {
        let status = match request().await {
            Ok(answer) => return Ok(answer),
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Status(status)) => status,
        };
        attempt += 1;
        if attempt >= settings.attempts || !may_pass(&status) {
            return Err(told(&status, &settings.address, doing));
        }
        debug!("attempt {attempt} to {doing}: {status}");
        tokio::time::sleep(pause(attempt)).await;
    }
}
