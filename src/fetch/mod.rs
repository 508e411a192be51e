//! HTTP: small documents for look-ups, and downloads that resume, retry and hash every byte as it arrives.
//!
//! Owns the rules for requests: schemes, redirects, proxies, credentials, retries, mirrors, the minimum throughput.
//! Never decides which digest is right, and never names a file in the store.

mod client;
mod documents;
mod download;
mod exchange;
mod hub;
mod mirror;
mod mismatch;
mod netrc;
mod object;
mod policy;
mod range;
mod rate_limit;
mod reach;
mod registry;
mod registry_client;
mod registry_writer;
mod reply;
mod retry;
mod small;
mod transfer;
mod upload;

pub use client::{Fetcher, is_refusal};
pub use documents::{Document, Documents};
pub use download::{Received, Sink, Wanted};
pub use exchange::{Answer, Exchange, Request};
pub use hub::{HUB, HubSettings};
pub use mirror::Mirror;
pub use mismatch::Voucher;
pub use object::{ObjectAnswer, ObjectBody, ObjectRequest};
pub use policy::{Settings, Trust};
pub use range::Remote;
pub use registry_client::{RegistryDocument, registry_url};
pub use registry_writer::Access;
pub use upload::Upload;
