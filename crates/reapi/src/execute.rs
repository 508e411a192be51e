//! Runs a job: from the cache if its result is there, else by a worker.

use std::io;

use tonic::Code;
use tracing::info;

use crate::blob::BlobDigest;
use crate::error::{Kind, Result};
use crate::inputs::Inputs;
use crate::job::{Encoded, Job};
use crate::logs::Output;
use crate::outcome::Outcome;
use crate::proto::{ActionResult, GetActionResultRequest, digest_function};
use crate::retry::{Failed, retried};
use crate::service::{Remote, Service};

/// A part of the way to a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The service checks and stores what it needs.
    Upload,
    /// It has no free worker yet.
    Queued,
    /// No worker has taken it for a while: all are busy, or none has the platform.
    Waiting,
    /// A worker runs the command.
    Running,
    /// The last attempt failed for this reason, and another one begins.
    Again(String),
}

/// Receives what happens to a job.
pub trait Watch {
    /// A stage begins.
    fn stage(&mut self, stage: &Stage);
    /// So many of so many bytes were uploaded.
    fn uploaded(&mut self, sent: u64, total: u64);
    /// The command said this. An error ends it.
    fn output(&mut self, said: &[u8]) -> io::Result<()>;
}

/// Use of the service's cache of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// A result that is there is taken, unless the command failed.
    Use,
    /// The command runs in any case.
    Ignore,
}

/// One run of a job.
pub(crate) struct Run<'r> {
    pub job: &'r Job,
    pub encoded: Encoded,
    pub inputs: Inputs<'r>,
    pub cache: Cache,
    pub watch: &'r mut dyn Watch,
}

impl Service {
    /// Runs a job. Those of its inputs that the service lacks are uploaded, unless the result is in its cache already.
    /// Returns the result even if the command failed. Several threads may run jobs at a time.
    pub fn run(&self, job: &Job, inputs: Inputs<'_>, cache: Cache, watch: &mut dyn Watch) -> Result<Outcome> {
        let encoded = job.encode(self.remote.can.output_paths);
        info!("remote build: action {}", encoded.action);
        self.runtime.block_on(self.remote.run(Run { job, encoded, inputs, cache, watch }))
    }
}

impl Remote {
    async fn run(&self, mut run: Run<'_>) -> Result<Outcome> {
        let action = run.encoded.action;
        if run.cache == Cache::Use
            && let Some(result) = self.cached(action).await?
        {
            match self.said(&result).await {
                Ok(said) => {
                    let outcome = Outcome::read(&result, action, &run.job.outputs, true)?;
                    Output::default().complete(&said, &mut |said| run.watch.output(said))?;
                    return Ok(outcome);
                }
                Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                // A result in a cache may outlive its log.
                Err(error) => {
                    info!("remote build: the result in the cache is not whole: {}", error.message());
                    run.cache = Cache::Ignore;
                }
            }
        }
        self.execute(run).await
    }

    /// Returns the result in the service's cache, if there is one of a command that succeeded. A failure may have been
    /// one of the worker.
    async fn cached(&self, action: BlobDigest) -> Result<Option<ActionResult>> {
        let found = retried(&self.settings, "look for a result in its cache", || async {
            let message = GetActionResultRequest {
                instance_name: self.instance(),
                action_digest: Some(action.to_proto()),
                digest_function: digest_function::Value::Sha256 as i32,
                ..GetActionResultRequest::default()
            };
            match self.cache().get_action_result(self.request(message)).await {
                Ok(result) => Ok(Some(result.into_inner())),
                // Some services have no cache, or one that is not for everybody.
                Err(status)
                    if matches!(status.code(), Code::NotFound | Code::Unimplemented | Code::PermissionDenied) =>
                {
                    Ok(None)
                }
                Err(status) => Err(Failed::from(status)),
            }
        });
        Ok(found.await?.filter(|result| result.exit_code == 0))
    }
}
