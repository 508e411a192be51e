//! Requests that are made again after an error that may pass.

use std::future::Future;
use std::time::{Duration, Instant};

use tonic::Status;
use tracing::debug;

use crate::channel::Settings;
use crate::error::{Error, Result};
use crate::fault::{is_absent, may_pass, told};

/// The first pause. Each further one is twice as long, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(20);
/// The longest pause while a service is started again.
const LONGEST_OF_RESTART: Duration = Duration::from_secs(5);

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

/// Failed attempts at one thing, until it succeeds.
#[derive(Default)]
pub(crate) struct Attempts {
    failed: u32,
    since: Option<Instant>,
}

impl Attempts {
    /// Waits until another attempt is due. Returns false if there should be none after this error.
    pub async fn again(&mut self, settings: &Settings, status: &Status) -> bool {
        self.failed += 1;
        let since = *self.since.get_or_insert_with(Instant::now);
        let restarts = is_absent(status) && since.elapsed() < settings.restart;
        if !may_pass(status) || (self.failed >= settings.attempts && !restarts) {
            return false;
        }
        let pause = pause(self.failed);
        tokio::time::sleep(if restarts { pause.min(LONGEST_OF_RESTART) } else { pause }).await;
        true
    }
}

/// Makes a request, and makes it again after an error that may pass.
pub(crate) async fn retried<T, F>(settings: &Settings, doing: &str, mut request: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T, Failed>>,
{
    let mut attempts = Attempts::default();
    loop {
        let status = match request().await {
            Ok(answer) => return Ok(answer),
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Status(status)) => status,
        };
        debug!("cannot {doing}: {status}");
        if !attempts.again(settings, &status).await {
            return Err(told(&status, &settings.address, doing));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_service_that_is_started_again_is_waited_for() {
        let mut absent = Status::unavailable("tcp connect error");
        absent.set_source(Arc::new(std::io::Error::other("connection refused")));
        let busy = Status::unavailable("busy");
        let day = Duration::from_secs(86_400);
        for (status, restart, expected) in [(&absent, day, true), (&absent, Duration::ZERO, false), (&busy, day, false)]
        {
            let settings = Settings { attempts: 1, restart, ..Settings::new("reapi://build".parse().unwrap()) };
            assert_eq!(Attempts::default().again(&settings, status).await, expected, "{status} {restart:?}");
        }
    }
}
