//! A connection to a service.

use std::time::Duration;

use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use bazel_remote_apis::google::longrunning::operations_client::OperationsClient;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};
use tracing::info;

use crate::capabilities::Capabilities;
use crate::channel::{Settings, read};
use crate::error::Result;
use crate::grpc_only::GrpcOnly;
use crate::metadata::{Caller, Metadata};
use crate::proto::GetCapabilitiesRequest;
use crate::proto::action_cache_client::ActionCacheClient;
use crate::proto::capabilities_client::CapabilitiesClient;
use crate::proto::content_addressable_storage_client::ContentAddressableStorageClient;
use crate::proto::execution_client::ExecutionClient;
use crate::retry::{Failed, retried};

/// Threads that wait for answers.
const THREADS: usize = 2;
/// Largest message that is received: more than services send, which keep to the limit of gRPC.
const LARGEST_MESSAGE: usize = 16 << 20;

/// A channel that adds to each request who asks.
pub(crate) type Line = InterceptedService<GrpcOnly, Metadata>;

/// A connection to a service, whose version and limits are known. Its methods block, and may not be called in an
/// asynchronous runtime.
pub struct Service {
    pub(crate) runtime: Runtime,
    pub(crate) remote: Remote,
}

/// The part that requests need. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Remote {
    pub settings: Settings,
    pub line: Line,
    pub can: Capabilities,
    /// True when the results of jobs are no longer wanted.
    pub stopped: watch::Sender<bool>,
}

impl Service {
    /// Connects to a service, and asks what it can do. Fails if it cannot be reached, or not do what a build needs.
    pub fn connect(settings: Settings, caller: &Caller) -> Result<Self> {
        // It is read for each request; one that cannot be read is told before the first.
        settings.token.as_deref().map(read).transpose()?;
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(THREADS).thread_name("remote builder").enable_all().build()?;
        let (line, can) = runtime.block_on(async {
            let channel = GrpcOnly(settings.channel()?);
            let line = InterceptedService::new(channel, Metadata::new(caller, settings.token.clone()));
            // A service that was never seen is not waited for.
            let can = capabilities(&Settings { restart: Duration::ZERO, ..settings.clone() }, &line).await?;
            Ok::<_, crate::error::Error>((line, can))
        })?;
        info!("remote builder {}: {can:?}", settings.address);
        Ok(Self { runtime, remote: Remote { settings, line, can, stopped: watch::Sender::new(false) } })
    }

    /// Ends the jobs that other threads have running, and those that they begin later: they fail, and the service is told
    /// to cancel them.
    pub fn stop(&self) {
        self.remote.stopped.send_replace(true);
    }

    /// Returns whether links in trees may be absolute.
    #[must_use]
    pub fn takes_absolute_links(&self) -> bool {
        self.remote.can.absolute_links
    }
}

async fn capabilities(settings: &Settings, line: &Line) -> Result<Capabilities> {
    let said = retried(settings, "say what it can do", || async {
        let mut client = CapabilitiesClient::new(line.clone());
        let asked = GetCapabilitiesRequest { instance_name: settings.address.instance.clone() };
        let mut request = Request::new(asked);
        request.set_timeout(settings.patience);
        Ok::<_, Failed>(client.get_capabilities(request).await?.into_inner())
    });
    Capabilities::read(&said.await?, &settings.address)
}

impl Remote {
    pub fn instance(&self) -> String {
        self.settings.address.instance.clone()
    }

    /// Returns a request that must be answered in time.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.settings.patience);
        request
    }

    /// Waits for the next part of a transfer, but not for ever.
    pub async fn in_time<T>(&self, next: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        match tokio::time::timeout(self.settings.patience, next).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded(format!("silent for {} s", self.settings.patience.as_secs()))),
        }
    }

    pub fn storage(&self) -> ContentAddressableStorageClient<Line> {
        ContentAddressableStorageClient::new(self.line.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    pub fn bytes(&self) -> ByteStreamClient<Line> {
        ByteStreamClient::new(self.line.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    pub fn cache(&self) -> ActionCacheClient<Line> {
        ActionCacheClient::new(self.line.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    pub fn execution(&self) -> ExecutionClient<Line> {
        ExecutionClient::new(self.line.clone()).max_decoding_message_size(LARGEST_MESSAGE)
    }

    pub fn operations(&self) -> OperationsClient<Line> {
        OperationsClient::new(self.line.clone())
    }

    /// Returns the name of a resource: parts with slashes between them, after the instance if there is one.
    pub fn resource(&self, name: &str) -> String {
        let instance = &self.settings.address.instance;
        if instance.is_empty() { name.to_owned() } else { format!("{instance}/{name}") }
    }
}
