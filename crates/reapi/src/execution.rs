//! Execution by a worker: an operation of the service, which is followed until it is done, over broken connections too.

use std::pin::Pin;

use bazel_remote_apis::google::longrunning::{Operation, operation};
use tokio::time::{Instant, Sleep, sleep};
use tonic::codec::Streaming;
use tonic::{Code, Request, Status};
use tracing::info;

use crate::blob::BlobDigest;
use crate::cancel::{Cancellable, cancel};
use crate::error::{Error, Kind, Result};
use crate::execute::{Cache, Run, Stage, Watch};
use crate::fault::{may_pass, told};
use crate::google::protobuf::Any;
use crate::logs::{Output, not_kept};
use crate::outcome::Outcome;
use crate::proto::{
    ActionResult, ExecuteOperationMetadata, ExecuteRequest, ExecuteResponse, WaitExecutionRequest, digest_function,
    execution_stage,
};
use crate::retry::{Attempts, Failed, pause};
use crate::service::Remote;

/// The package of the protocol's messages.
const PACKAGE: &str = "build.bazel.remote.execution.v2.";

/// An execution that is followed.
struct Execution<'e> {
    remote: &'e Remote,
    action: BlobDigest,
    cache: Cache,
    watch: &'e mut dyn Watch,
    output: Output,
    operation: Option<Cancellable>,
    name: String,
    stage: Option<Stage>,
    /// When a job in the queue is told as one that no worker takes.
    waited: Pin<Box<Sleep>>,
}

impl Remote {
    /// Uploads what the service lacks, and lets a worker run the job. A worker that is lost is replaced.
    pub(crate) async fn execute(&self, run: Run<'_>) -> Result<Outcome> {
        let Run { job, encoded, inputs, cache, watch } = run;
        let mut attempt = 0;
        loop {
            watch.stage(&Stage::Upload);
            // A failure may be that of a service that has lost an input meanwhile.
            inputs.upload(self, attempt > 0, &mut |sent, total| watch.uploaded(sent, total)).await?;
            self.upload(&encoded.blobs, &mut |_, _| ()).await?;
            let mut execution = Execution {
                remote: self,
                action: encoded.action,
                cache,
                watch: &mut *watch,
                output: Output::default(),
                operation: None,
                name: String::new(),
                stage: None,
                waited: Box::pin(sleep(self.settings.queue)),
            };
            let mut stopped = self.stopped.subscribe();
            let ended = tokio::select! {
                ended = execution.follow() => ended,
                _ = stopped.wait_for(|stopped| *stopped) => Err(Error::failure("the remote build was stopped").into()),
            };
            let failed = match ended {
                Ok((result, cached)) => {
                    let Execution { output, watch, .. } = execution;
                    let outcome = Outcome::read(&result, encoded.action, &job.outputs, cached)?;
                    output.complete(&self.said(&result).await?, &mut |said| watch.output(said))?;
                    return Ok(outcome);
                }
                Err(Failed::Final(error)) => {
                    execution.abandon().await;
                    return Err(error);
                }
                Err(Failed::Status(status)) => status,
            };
            attempt += 1;
            // A precondition that fails may be an input that the service has lost meanwhile.
            let is_lost = failed.code() == Code::FailedPrecondition && attempt == 1;
            if attempt >= self.settings.attempts || !(may_pass(&failed) || is_lost) {
                return Err(told(&failed, &self.settings.address, "run the build"));
            }
            info!("remote build, attempt {attempt}: {failed}");
            execution.watch.stage(&Stage::Again(crate::text::visible(failed.message())));
            tokio::time::sleep(pause(attempt)).await;
        }
    }
}

impl Execution<'_> {
    /// Follows the operation to its end. Returns the result, and whether it was in the cache.
    async fn follow(&mut self) -> Result<(ActionResult, bool), Failed> {
        let (mut stream, mut attempts) = (self.begin().await?, Attempts::default());
        let mut begun = Instant::now();
        // Some services say nothing more until it is done.
        self.show(Stage::Running);
        loop {
            let next = tokio::select! {
                biased;
                part = self.output.next() => {
                    let watch = &mut *self.watch;
                    self.output.pass(&part, &mut |said| watch.output(said)).map_err(|error| not_kept(&error))?;
                    continue;
                }
                next = stream.message() => next,
                () = &mut self.waited, if self.stage == Some(Stage::Queued) => {
                    self.show(Stage::Waiting);
                    continue;
                }
            };
            match next {
                Ok(Some(operation)) => {
                    let before = self.stage.clone();
                    if let Some(done) = self.see(operation)? {
                        return Ok(done);
                    }
                    if self.stage != before {
                        attempts = Attempts::default();
                    }
                }
                // A stream that ends before the operation is a broken connection.
                Ok(None) if self.name.is_empty() => return Err(Status::unavailable("it began no operation").into()),
                Err(status) if self.name.is_empty() || !may_pass(&status) => return Err(status.into()),
                broken_off => {
                    // A proxy may end every stream after some minutes. One that breaks at once is no connection,
                    // whatever it said before.
                    if begun.elapsed() >= self.remote.settings.patience {
                        attempts = Attempts::default();
                    }
                    let mut status = broken_off.err().unwrap_or_else(|| Status::unavailable("it ended early"));
                    stream = loop {
                        if !attempts.again(&self.remote.settings, &status).await {
                            return Err(status.into());
                        }
                        status = match self.resume().await {
                            Ok(stream) => break stream,
                            Err(status) if status.code() == Code::NotFound => {
                                return Err(Status::unavailable("it no longer knows the build").into());
                            }
                            Err(status) => status,
                        };
                    };
                    begun = Instant::now();
                }
            }
        }
    }

    async fn begin(&self) -> Result<Streaming<Operation>, Status> {
        let message = ExecuteRequest {
            instance_name: self.remote.instance(),
            skip_cache_lookup: self.cache == Cache::Ignore,
            action_digest: Some(self.action.to_proto()),
            digest_function: digest_function::Value::Sha256 as i32,
            ..ExecuteRequest::default()
        };
        Ok(self.remote.execution().execute(Request::new(message)).await?.into_inner())
    }

    async fn resume(&self) -> Result<Streaming<Operation>, Status> {
        let message = WaitExecutionRequest { name: self.name.clone() };
        Ok(self.remote.execution().wait_execution(Request::new(message)).await?.into_inner())
    }

    /// Takes note of a message. Returns the result if the operation is done.
    fn see(&mut self, operation: Operation) -> Result<Option<(ActionResult, bool)>, Failed> {
        if self.name != operation.name && !operation.name.is_empty() {
            info!("remote build: operation {}", operation.name);
            self.operation = Some(Cancellable::new(&operation.name, self.remote));
            self.name = operation.name;
        }
        let metadata = operation
            .metadata
            .as_ref()
            .and_then(|any| unpack::<ExecuteOperationMetadata>(any, "ExecuteOperationMetadata"));
        if let Some(metadata) = metadata.filter(|_| !operation.done) {
            self.output.follow(self.remote, &metadata.stdout_stream_name);
            let stage = match execution_stage::Value::try_from(metadata.stage) {
                Ok(execution_stage::Value::CacheCheck | execution_stage::Value::Queued) => Stage::Queued,
                _ => Stage::Running,
            };
            self.show(stage);
        }
        if !operation.done {
            return Ok(None);
        }
        self.operation = None;
        let odd = |why: &str| {
            Error::new(Kind::Mismatch, format!("the remote builder ended a build without a result: {why}"))
                .fact("builder", &self.remote.settings.address)
        };
        let response = match operation.result {
            Some(operation::Result::Error(status)) => {
                return Err(Failed::Status(Status::new(Code::from(status.code), status.message)));
            }
            Some(operation::Result::Response(any)) => unpack::<ExecuteResponse>(&any, "ExecuteResponse"),
            None => None,
        };
        let response = response.ok_or_else(|| odd("its answer cannot be read"))?;
        match response.status.filter(|status| status.code != 0) {
            Some(status) if Code::from(status.code) == Code::DeadlineExceeded => {
                Err(Error::failure("the remote build took longer than it may")
                    .fact("builder", &self.remote.settings.address)
                    .fact("it says", crate::text::visible(&status.message))
                    .hint("`builder-seconds` in the configuration asks for more time")
                    .into())
            }
            Some(status) => Err(Failed::Status(Status::new(Code::from(status.code), status.message))),
            None => Ok(Some((response.result.ok_or_else(|| odd("it is empty"))?, response.cached_result))),
        }
    }

    fn show(&mut self, stage: Stage) {
        // It is told once that a job waits, until it is taken.
        let waits = self.stage == Some(Stage::Waiting) && stage == Stage::Queued;
        if self.stage.as_ref() != Some(&stage) && !waits {
            if stage == Stage::Queued {
                self.waited.as_mut().reset(Instant::now() + self.remote.settings.queue);
            }
            self.watch.stage(&stage);
            self.stage = Some(stage);
        }
    }

    /// Cancels the operation, whose result nobody wants any more.
    async fn abandon(&mut self) {
        if self.operation.take().is_some() {
            cancel(self.remote, &self.name).await;
        }
    }
}

/// Reads the message with this name out of its envelope.
fn unpack<M: prost::Message + Default>(any: &Any, name: &str) -> Option<M> {
    let found = any.type_url.rsplit('/').next().and_then(|found| found.strip_prefix(PACKAGE));
    (found == Some(name)).then(|| M::decode(&any.value[..]).ok()).flatten()
}
