//! A small service of the Remote Execution API on loopback, for everything that a real one does not do on request: it
//! lies, breaks off, and loses workers. It executes nothing: results are prepared.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2::action_cache_server::{ActionCache, ActionCacheServer};
use bazel_remote_apis::build::bazel::remote::execution::v2::capabilities_server::{Capabilities, CapabilitiesServer};
use bazel_remote_apis::build::bazel::remote::execution::v2::content_addressable_storage_server::{
    ContentAddressableStorage, ContentAddressableStorageServer,
};
use bazel_remote_apis::build::bazel::remote::execution::v2::execution_server::{Execution, ExecutionServer};
use bazel_remote_apis::build::bazel::remote::execution::v2::{
    ActionResult, BatchReadBlobsRequest, BatchReadBlobsResponse, BatchUpdateBlobsRequest, BatchUpdateBlobsResponse,
    CacheCapabilities, ExecuteOperationMetadata, ExecuteRequest, ExecuteResponse, ExecutionCapabilities,
    FindMissingBlobsRequest, FindMissingBlobsResponse, GetActionResultRequest, GetCapabilitiesRequest,
    GetChunkMappingRequest, GetChunkMappingResponse, GetTreeRequest, GetTreeResponse, RegisterChunkMappingRequest,
    RegisterChunkMappingResponse, ServerCapabilities, SpliceBlobRequest, SpliceBlobResponse, SplitBlobRequest,
    SplitBlobResponse, UpdateActionResultRequest, WaitExecutionRequest, batch_read_blobs_response,
    batch_update_blobs_response, compressor, digest_function,
};
use bazel_remote_apis::google::bytestream::byte_stream_server::{ByteStream, ByteStreamServer};
use bazel_remote_apis::google::bytestream::{
    QueryWriteStatusRequest, QueryWriteStatusResponse, ReadRequest, ReadResponse, WriteRequest, WriteResponse,
};
use bazel_remote_apis::google::longrunning::operations_server::{Operations, OperationsServer};
use bazel_remote_apis::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, ListOperationsResponse,
    Operation, WaitOperationRequest, operation,
};
use bazel_remote_apis::google::protobuf::{Any, Empty};
use bazel_remote_apis::google::rpc;
use strixlock_reapi::BlobDigest;
use tokio::sync::Notify;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Response, Status, Streaming};

/// The steps of an execution, or of waiting for one.
#[derive(Clone)]
pub enum Step {
    /// The connection breaks after the operation was named.
    Break,
    /// The operation is queued until this is notified, and goes on with the next step.
    Queued(Arc<Notify>),
    /// The operation ends with this code of its status.
    Ends(Code),
    /// The service refuses with this code.
    Refuses(Code),
    /// The job is done.
    Done(Box<ActionResult>),
    /// The operation never ends.
    Hangs,
}

/// State and behaviour.
#[derive(Default)]
pub struct State {
    pub blobs: HashMap<String, Vec<u8>>,
    pub cache: HashMap<String, ActionResult>,
    pub steps: VecDeque<Step>,
    /// The name of the stream with the output of a job, and what is in it.
    pub stream: Option<(String, Vec<u8>)>,
    /// Changes bytes that are read.
    pub tamper: Option<fn(Vec<u8>) -> Vec<u8>>,
    /// Number of empty frames after the bytes of a blob that is sent compressed.
    pub frames: usize,
    /// Number of requests that fail before one succeeds.
    pub failures: usize,
    /// True if uploads of large blobs are never answered.
    pub stuck: bool,
    pub zstd: bool,
    /// The token that each request must have.
    pub token: Option<String>,
    pub executed: Vec<bool>,
    /// The number of blobs in each question for missing ones.
    pub asked: Vec<usize>,
    pub waited: usize,
    pub written: usize,
    pub cancelled: Vec<String>,
}

/// A running service.
pub struct Server {
    pub state: Arc<Mutex<State>>,
    pub address: SocketAddr,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn start(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (state, address) = (Arc::new(Mutex::new(state)), listener.local_addr().unwrap());
        Self { runtime: serve(listener, Handler(Arc::clone(&state))), state, address }
    }

    /// Ends the service, breaks all connections, and starts it again after a while.
    pub fn restart(self, pause: Duration) -> Self {
        let Self { state, address, runtime } = self;
        runtime.shutdown_timeout(Duration::from_secs(9));
        std::thread::sleep(pause);
        let listener = TcpListener::bind(address).unwrap();
        Self { runtime: serve(listener, Handler(Arc::clone(&state))), state, address }
    }

    pub fn url(&self) -> String {
        format!("reapi://{}", self.address)
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }
}

fn serve(listener: TcpListener, one: Handler) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    listener.set_nonblocking(true).unwrap();
    let routes = tonic::service::Routes::new(CapabilitiesServer::new(one.clone()))
        .add_service(ContentAddressableStorageServer::new(one.clone()))
        .add_service(ByteStreamServer::new(one.clone()))
        .add_service(ActionCacheServer::new(one.clone()))
        .add_service(ExecutionServer::new(one.clone()))
        .add_service(OperationsServer::new(one));
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming).await.unwrap();
    });
    runtime
}

#[derive(Clone)]
struct Handler(Arc<Mutex<State>>);

type Sent<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn sent<T: Send + 'static>(parts: Vec<Result<T, Status>>) -> Response<Sent<T>> {
    Response::new(Box::pin(tokio_stream::iter(parts)))
}

impl Handler {
    /// Checks the token, and fails as often as it should.
    fn state<T>(&self, request: &Request<T>) -> Result<std::sync::MutexGuard<'_, State>, Status> {
        let mut state = self.0.lock().unwrap();
        let token = request.metadata().get("authorization").map(|value| value.to_str().unwrap_or_default().to_owned());
        if token != state.token.as_ref().map(|token| format!("Bearer {token}")) {
            return Err(Status::unauthenticated("who is it?"));
        }
        if request.metadata().get_bin("build.bazel.remote.execution.v2.requestmetadata-bin").is_none() {
            return Err(Status::invalid_argument("no metadata"));
        }
        if state.failures > 0 {
            state.failures -= 1;
            return Err(Status::unavailable("busy"));
        }
        Ok(state)
    }

    fn operation(&self, step: Step) -> Result<Response<Sent<Operation>>, Status> {
        let state = self.0.lock().unwrap();
        let metadata = ExecuteOperationMetadata {
            stage: 3,
            stdout_stream_name: state.stream.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(),
            ..ExecuteOperationMetadata::default()
        };
        let named = Operation {
            name: "operations/1".to_owned(),
            metadata: Some(any("ExecuteOperationMetadata", &metadata)),
            ..Operation::default()
        };
        let done = |response: ExecuteResponse| Operation {
            done: true,
            result: Some(operation::Result::Response(any("ExecuteResponse", &response))),
            ..named.clone()
        };
        Ok(match step {
            Step::Break => sent(vec![Ok(named), Err(Status::unavailable("cut off"))]),
            Step::Hangs => Response::new(Box::pin(tokio_stream::iter([Ok(named)]).chain(tokio_stream::pending()))),
            Step::Queued(until) => {
                let metadata = ExecuteOperationMetadata { stage: 2, ..metadata };
                let metadata = Some(any("ExecuteOperationMetadata", &metadata));
                drop(state);
                let next = self.0.lock().unwrap().steps.pop_front().unwrap();
                let mut next = self.operation(next)?.into_inner();
                let (sender, receiver) = tokio::sync::mpsc::channel(1);
                tokio::spawn(async move {
                    until.notified().await;
                    while let Some(message) = next.next().await {
                        let _ = sender.send(message).await;
                    }
                });
                let next = tokio_stream::wrappers::ReceiverStream::new(receiver);
                Response::new(Box::pin(tokio_stream::iter([Ok(Operation { metadata, ..named })]).chain(next)))
            }
            Step::Refuses(code) => return Err(Status::new(code, "no")),
            Step::Ends(code) => {
                let status = rpc::Status { code: code as i32, message: "worker lost".to_owned(), details: Vec::new() };
                let response = ExecuteResponse { status: Some(status), ..ExecuteResponse::default() };
                sent(vec![Ok(named.clone()), Ok(done(response))])
            }
            Step::Done(result) => {
                let response = ExecuteResponse { result: Some(*result), ..ExecuteResponse::default() };
                sent(vec![Ok(named.clone()), Ok(done(response))])
            }
        })
    }
}

fn any(name: &str, message: &impl prost::Message) -> Any {
    let type_url = format!("type.googleapis.com/build.bazel.remote.execution.v2.{name}");
    Any { type_url, value: message.encode_to_vec() }
}

#[tonic::async_trait]
impl Capabilities for Handler {
    async fn get_capabilities(
        &self,
        request: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<ServerCapabilities>, Status> {
        let state = self.state(&request)?;
        let sha256 = digest_function::Value::Sha256 as i32;
        Ok(Response::new(ServerCapabilities {
            cache_capabilities: Some(CacheCapabilities {
                digest_functions: vec![sha256],
                supported_compressors: if state.zstd { vec![compressor::Value::Zstd as i32] } else { Vec::new() },
                ..CacheCapabilities::default()
            }),
            execution_capabilities: Some(ExecutionCapabilities {
                digest_function: sha256,
                exec_enabled: true,
                ..ExecutionCapabilities::default()
            }),
            ..ServerCapabilities::default()
        }))
    }
}

#[tonic::async_trait]
impl ContentAddressableStorage for Handler {
    async fn find_missing_blobs(
        &self,
        request: Request<FindMissingBlobsRequest>,
    ) -> Result<Response<FindMissingBlobsResponse>, Status> {
        let mut state = self.state(&request)?;
        let mut missing = request.get_ref().blob_digests.clone();
        state.asked.push(missing.len());
        missing.retain(|digest| !state.blobs.contains_key(&digest.hash));
        Ok(Response::new(FindMissingBlobsResponse { missing_blob_digests: missing }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<BatchUpdateBlobsRequest>,
    ) -> Result<Response<BatchUpdateBlobsResponse>, Status> {
        let mut state = self.state(&request)?;
        let mut responses = Vec::new();
        for one in request.into_inner().requests {
            let digest = one.digest.clone().unwrap_or_default();
            let fits = BlobDigest::of(&one.data).sha256.hex() == digest.hash;
            let code = if fits { Code::Ok } else { Code::InvalidArgument };
            state.written += 1;
            state.blobs.insert(digest.hash, one.data);
            let status = Some(rpc::Status { code: code as i32, ..rpc::Status::default() });
            responses.push(batch_update_blobs_response::Response { digest: one.digest, status });
        }
        Ok(Response::new(BatchUpdateBlobsResponse { responses }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<BatchReadBlobsRequest>,
    ) -> Result<Response<BatchReadBlobsResponse>, Status> {
        let state = self.state(&request)?;
        let tamper = state.tamper.unwrap_or(std::convert::identity);
        let read = |digest: &bazel_remote_apis::build::bazel::remote::execution::v2::Digest| {
            let found = state.blobs.get(&digest.hash).cloned();
            let code = if found.is_some() { Code::Ok } else { Code::NotFound };
            batch_read_blobs_response::Response {
                digest: Some(digest.clone()),
                data: tamper(found.unwrap_or_default()),
                compressor: 0,
                status: Some(rpc::Status { code: code as i32, ..rpc::Status::default() }),
            }
        };
        Ok(Response::new(BatchReadBlobsResponse { responses: request.get_ref().digests.iter().map(read).collect() }))
    }

    type GetTreeStream = Sent<GetTreeResponse>;
    type GetChunkMappingStream = Sent<GetChunkMappingResponse>;

    async fn get_tree(&self, _: Request<GetTreeRequest>) -> Result<Response<Self::GetTreeStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn split_blob(&self, _: Request<SplitBlobRequest>) -> Result<Response<SplitBlobResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn splice_blob(&self, _: Request<SpliceBlobRequest>) -> Result<Response<SpliceBlobResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_chunk_mapping(
        &self,
        _: Request<GetChunkMappingRequest>,
    ) -> Result<Response<Self::GetChunkMappingStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn register_chunk_mapping(
        &self,
        _: Request<Streaming<RegisterChunkMappingRequest>>,
    ) -> Result<Response<RegisterChunkMappingResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tonic::async_trait]
impl ByteStream for Handler {
    type ReadStream = Sent<ReadResponse>;

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let state = self.state(&request)?;
        let name = &request.get_ref().resource_name;
        if let Some((_, output)) = state.stream.as_ref().filter(|(stream, _)| stream == name) {
            return Ok(sent(vec![Ok(ReadResponse { data: output.clone() })]));
        }
        let hash = name.rsplit('/').nth(1).unwrap_or_default();
        let bytes = state.blobs.get(hash).cloned().ok_or_else(|| Status::not_found(name.clone()))?;
        let bytes = state.tamper.unwrap_or(std::convert::identity)(bytes);
        let bytes = if name.contains("/zstd/") || name.starts_with("compressed-blobs") {
            let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).map_err(|error| Status::internal(error.to_string()));
            [frame(&bytes)?, frame(b"")?.repeat(state.frames)].concat()
        } else {
            bytes
        };
        Ok(sent(bytes.chunks(100_000).map(|part| Ok(ReadResponse { data: part.to_vec() })).collect()))
    }

    async fn write(&self, request: Request<Streaming<WriteRequest>>) -> Result<Response<WriteResponse>, Status> {
        if self.state(&request)?.stuck {
            std::future::pending::<()>().await;
        }
        let mut stream = request.into_inner();
        let (mut name, mut bytes, mut finished) = (String::new(), Vec::new(), false);
        while let Some(part) = stream.message().await? {
            if part.write_offset as usize != bytes.len() {
                return Err(Status::invalid_argument("wrong offset"));
            }
            if name.is_empty() {
                name = part.resource_name;
            }
            bytes.extend(part.data);
            finished |= part.finish_write;
        }
        let committed_size = bytes.len() as i64;
        if name.contains("compressed-blobs/zstd/") {
            bytes = zstd::decode_all(&bytes[..]).map_err(|error| Status::invalid_argument(error.to_string()))?;
        }
        let hash = name.rsplit('/').nth(1).unwrap_or_default().to_owned();
        if !finished || BlobDigest::of(&bytes).sha256.hex() != hash || !name.starts_with("uploads/") {
            return Err(Status::invalid_argument(format!("not what {name} names")));
        }
        let mut state = self.0.lock().unwrap();
        state.written += 1;
        state.blobs.insert(hash, bytes);
        Ok(Response::new(WriteResponse { committed_size }))
    }

    async fn query_write_status(
        &self,
        _: Request<QueryWriteStatusRequest>,
    ) -> Result<Response<QueryWriteStatusResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tonic::async_trait]
impl ActionCache for Handler {
    async fn get_action_result(
        &self,
        request: Request<GetActionResultRequest>,
    ) -> Result<Response<ActionResult>, Status> {
        let state = self.state(&request)?;
        let hash = request.get_ref().action_digest.clone().unwrap_or_default().hash;
        state
            .cache
            .get(&hash)
            .or(state.cache.get("any"))
            .cloned()
            .map(Response::new)
            .ok_or_else(|| Status::not_found(""))
    }

    async fn update_action_result(
        &self,
        _: Request<UpdateActionResultRequest>,
    ) -> Result<Response<ActionResult>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tonic::async_trait]
impl Execution for Handler {
    type ExecuteStream = Sent<Operation>;
    type WaitExecutionStream = Sent<Operation>;

    async fn execute(&self, request: Request<ExecuteRequest>) -> Result<Response<Self::ExecuteStream>, Status> {
        let step = {
            let mut state = self.state(&request)?;
            let action = request.get_ref().action_digest.clone().unwrap_or_default();
            if !state.blobs.contains_key(&action.hash) {
                return Err(Status::failed_precondition("the action is missing"));
            }
            state.executed.push(request.get_ref().skip_cache_lookup);
            state.steps.pop_front().unwrap_or(Step::Refuses(Code::Unavailable))
        };
        self.operation(step)
    }

    async fn wait_execution(
        &self,
        request: Request<WaitExecutionRequest>,
    ) -> Result<Response<Self::WaitExecutionStream>, Status> {
        let step = {
            let mut state = self.state(&request)?;
            state.waited += 1;
            state.steps.pop_front().unwrap_or(Step::Refuses(Code::NotFound))
        };
        self.operation(step)
    }
}

#[tonic::async_trait]
impl Operations for Handler {
    async fn list_operations(
        &self,
        _: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_operation(&self, _: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn delete_operation(&self, _: Request<DeleteOperationRequest>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn cancel_operation(&self, request: Request<CancelOperationRequest>) -> Result<Response<Empty>, Status> {
        self.state(&request)?.cancelled.push(request.get_ref().name.clone());
        Ok(Response::new(Empty::default()))
    }

    async fn wait_operation(&self, _: Request<WaitOperationRequest>) -> Result<Response<Operation>, Status> {
        Err(Status::unimplemented(""))
    }
}
