//! A client of the Remote Execution API v2, by which many services run commands on other machines: Buildbarn,
//! BuildGrid, NativeLink, buildbox and others (<https://github.com/bazelbuild/remote-apis>).
//!
//! It knows nothing of locks and stores. A caller makes an [`InputTree`] of files whose digests are known already,
//! describes a [`Job`] that runs in it, and gets the directories that the job wrote ([`OutputTree`]). Blobs are named
//! by SHA-256 and size, so that a file of a store needs no second digest.
//!
//! * [`Address`], [`Settings`]: the service and how to reach it
//! * [`Service`]: a connection. Its limits and its version were checked. All methods block
//! * [`BlobDigest`], [`InputTree`]: names of blobs; directories as the protocol has them
//! * [`Inputs`]: the blobs of a job's tree, which are uploaded if the service lacks them
//! * [`Job`], [`Outcome`], [`OutputTree`]: a command, its result, and a directory that it wrote
//! * [`cancel_all`]: ends what this process has running, for Ctrl-C
//!
//! Nothing that a service says is believed: each blob is compared with its digest, each name is checked, and sizes and
//! numbers have limits. A service can still return a wrong result that is consistent in itself, or have one in its
//! cache. Only the caller, who may know the expected digest, can tell.

mod address;
mod blob;
mod cancel;
mod capabilities;
mod channel;
mod download;
mod execute;
mod execution;
mod fault;
mod grpc_only;
mod inputs;
mod job;
mod logs;
mod metadata;
mod missing;
mod outcome;
mod output_tree;
mod read;
mod retry;
mod service;
mod tree;
mod upload;
mod write;

pub use address::Address;
pub use blob::{BlobDigest, Contents};
pub use cancel::cancel_all;
pub use channel::Settings;
pub use execute::{Cache, Stage, Watch};
pub use inputs::{Inputs, Shared};
pub use job::Job;
pub use metadata::Caller;
pub use outcome::Outcome;
pub use output_tree::{OutputEntry, OutputTree};
pub use service::Service;
pub use tree::{InputTree, Merkle, Node};
pub use upload::Uploaded;

use bazel_remote_apis::build::bazel::remote::execution::v2 as proto;
use bazel_remote_apis::google;
use strixlock_ground::{digest, error, text};
