//! Downloads of whole trees into a directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::blob::BlobDigest;
use crate::error::{Error, Kind, Result};
use crate::output_tree::OutputTree;
use crate::proto::{BatchReadBlobsRequest, compressor, digest_function};
use crate::retry::{Failed, retried};
use crate::service::{Remote, Service};
use crate::tree::Node;
use crate::upload::{AT_ONCE, finish};

/// Largest file that is asked for together with others.
const SMALL: u64 = 256 << 10;
/// Bytes that each file takes in a message besides its own.
const AROUND: u64 = 256;

impl Service {
    /// Writes a tree into a directory, which is made. Each file is compared with its name.
    pub fn download(&self, tree: &OutputTree, to: &Path) -> Result<()> {
        let kept = |path: &Path, error: &io::Error| {
            Error::failure("cannot keep a file of the remote builder").fact("path", path.display()).because(error)
        };
        DirBuilder::new().create(to).map_err(|error| kept(to, &error))?;
        let mut files = Vec::new();
        // Names were checked, each is there once, and directories come before what is in them: nothing leads elsewhere.
        for entry in &tree.entries {
            let path = to.join(&entry.path);
            match &entry.node {
                Node::Directory => DirBuilder::new().create(&path).map_err(|error| kept(&path, &error))?,
                Node::Link { target } => symlink(target, &path).map_err(|error| kept(&path, &error))?,
                Node::File { digest, executable } => {
                    files.push(Wanted { digest: *digest, executable: *executable, path });
                }
            }
        }
        self.runtime.block_on(self.remote.fetch_all(files))
    }
}

/// A file to be received.
struct Wanted {
    digest: BlobDigest,
    executable: bool,
    path: PathBuf,
}

impl Wanted {
    fn create(&self) -> Result<File> {
        let mode = if self.executable { 0o755 } else { 0o644 };
        // A further attempt begins anew.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&self.path);
        file.map_err(|error| {
            Error::failure("cannot keep a file of the remote builder").fact("path", self.path.display()).because(&error)
        })
    }
}

impl Remote {
    async fn fetch_all(&self, mut files: Vec<Wanted>) -> Result<()> {
        files.sort_by_key(|file| file.digest.size);
        let most = self.can.batch;
        let mut parts: Vec<Vec<Wanted>> = Vec::new();
        let mut size = u64::MAX;
        for file in files {
            let taken = file.digest.size + AROUND;
            let alone = file.digest.size > SMALL.min(most);
            size = size.saturating_add(taken);
            if alone || size > most {
                parts.push(Vec::new());
                size = if alone { u64::MAX } else { taken };
            }
            if let Some(part) = parts.last_mut() {
                part.push(file);
            }
        }
        let mut running = JoinSet::new();
        for part in parts {
            while running.len() >= AT_ONCE {
                finish(running.join_next().await)?;
            }
            let remote = self.clone();
            running.spawn(async move { remote.fetch(part).await });
        }
        while !running.is_empty() {
            finish(running.join_next().await)?;
        }
        Ok(())
    }

    async fn fetch(&self, files: Vec<Wanted>) -> Result<()> {
        if let [file] = &files[..] {
            return retried(&self.settings, "return a file", || async {
                self.read_once(file.digest, &mut file.create()?).await
            })
            .await;
        }
        retried(&self.settings, "return files", || self.fetch_together(&files)).await
    }

    async fn fetch_together(&self, files: &[Wanted]) -> Result<(), Failed> {
        let wanted: std::collections::BTreeSet<BlobDigest> = files.iter().map(|file| file.digest).collect();
        let message = BatchReadBlobsRequest {
            instance_name: self.instance(),
            digests: wanted.iter().filter(|digest| digest.size > 0).map(|digest| digest.to_proto()).collect(),
            acceptable_compressors: vec![compressor::Value::Identity as i32],
            digest_function: digest_function::Value::Sha256 as i32,
        };
        let mut received = std::collections::BTreeMap::from([(BlobDigest::of(b""), Vec::new())]);
        if !message.digests.is_empty() {
            for one in self.storage().batch_read_blobs(self.request(message)).await?.into_inner().responses {
                if let Some(status) = one.status.filter(|status| status.code != 0) {
                    return Err(Failed::Status(Status::new(Code::from(status.code), status.message)));
                }
                let digest = BlobDigest::read(one.digest.as_ref(), "a file")?;
                digest
                    .demand(BlobDigest::of(&one.data))
                    .map_err(|error| error.fact("builder", &self.settings.address))?;
                received.insert(digest, one.data);
            }
        }
        for file in files {
            let bytes = received.get(&file.digest).ok_or_else(|| {
                Error::new(Kind::Mismatch, "the remote builder did not return a file that it named")
                    .fact("builder", &self.settings.address)
                    .fact("file", file.digest)
            })?;
            io::Write::write_all(&mut file.create()?, bytes).map_err(Error::from)?;
        }
        Ok(())
    }
}
