//! Headers of each request: who asks and for what, and the token.

use std::path::PathBuf;
use std::sync::Arc;

use prost::Message as _;
use tonic::metadata::{AsciiMetadataValue, BinaryMetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::proto::{RequestMetadata, ToolDetails};

/// The name under which services look for who asks.
const WHO: &str = "build.bazel.remote.execution.v2.requestmetadata-bin";

/// The tool that asks, and its purpose: services show both to their operators, and send builds of one purpose to
/// workers that know it.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The name of the tool.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// An id of what is built.
    pub action: String,
    /// The name of what is built.
    pub target: String,
}

/// Adds both to each request.
#[derive(Clone)]
pub(crate) struct Metadata {
    who: BinaryMetadataValue,
    token: Option<Arc<PathBuf>>,
}

impl Metadata {
    pub fn new(caller: &Caller, token: Option<PathBuf>) -> Self {
        let tool = ToolDetails { tool_name: caller.tool.clone(), tool_version: caller.version.clone() };
        let message = RequestMetadata {
            tool_details: Some(tool),
            action_id: caller.action.clone(),
            target_id: caller.target.clone(),
            action_mnemonic: "CMakeBuild".to_owned(),
            ..RequestMetadata::default()
        };
        Self { who: BinaryMetadataValue::from_bytes(&message.encode_to_vec()), token: token.map(Arc::new) }
    }
}

impl Interceptor for Metadata {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert_bin(WHO, self.who.clone());
        if let Some(file) = &self.token {
            let invalid = |why: String| Status::invalid_argument(format!("cannot read {}: {why}", file.display()));
            let token = std::fs::read_to_string(file.as_path()).map_err(|error| invalid(error.to_string()))?;
            let value: Result<AsciiMetadataValue, _> = format!("Bearer {}", token.trim()).parse();
            let mut value = value.map_err(|_| invalid("it holds more than a token".to_owned()))?;
            value.set_sensitive(true);
            metadata.insert("authorization", value);
        }
        Ok(request)
    }
}
