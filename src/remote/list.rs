//! The contents of a remote: its pushes and their outputs.

use std::collections::BTreeSet;

use serde::Serialize;

use super::artifact::TreeArtifact;
use super::record::records;
use super::repository::{Reference, Repository, is_odd};
use super::statement::{Judge, statements};
use super::tags;
use crate::digest::TreeDigest;
use crate::error::Result;

/// An output of a push.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The number of the push.
    pub push: u64,
    /// The name.
    pub output: String,
    /// The version.
    pub version: String,
    /// The tree.
    pub tree: TreeDigest,
    /// The bytes of its packs, of which other trees may need some, too; null if its manifest is gone.
    pub bytes: Option<u64>,
    /// Those whose word counts and who say that the derivation has this tree.
    pub signers: Vec<String>,
}

/// The contents of a remote.
#[derive(Debug, Clone, Serialize)]
pub struct Contents {
    /// The outputs of the pushes, the newest first.
    pub outputs: Vec<Listed>,
    /// The bytes of all packs that they need.
    pub bytes: u64,
    /// Numbers of pushes whose records cannot be read.
    pub unreadable: Vec<u64>,
    /// Number of trees that no push names.
    pub others: usize,
}

/// Returns what a remote has, at most `most` pushes.
pub fn list(remote: &dyn Repository, judge: &Judge, most: usize) -> Result<Contents> {
    let mut contents = Contents { outputs: Vec::new(), bytes: 0, unreadable: Vec::new(), others: 0 };
    let (mut packs, mut named) = (BTreeSet::new(), BTreeSet::new());
    for (place, record) in records(remote)?.into_iter().enumerate() {
        let read = match record.read(remote) {
            Err(error) if is_odd(&error) => {
                contents.unreadable.push(record.number);
                continue;
            }
            read => read?,
        };
        named.extend(read.outputs.values().map(|output| output.tree));
        if place >= most {
            continue;
        }
        for (name, output) in read.outputs {
            let text = remote.manifest(Reference::Digest(output.manifest))?;
            let manifest = text.as_deref().and_then(|text| TreeArtifact::parse(text).ok());
            let mut signers = Vec::new();
            if manifest.is_some() && !judge.trusts_nobody() {
                for statement in statements(remote, output.manifest)? {
                    let vouched = judge.check(output.derivation, &statement).ok();
                    signers.extend(
                        vouched.filter(|vouched| vouched.statement.tree == output.tree).map(|vouched| vouched.signer),
                    );
                }
            }
            for pack in manifest.iter().flat_map(|manifest| &manifest.packs) {
                if packs.insert(pack.digest) {
                    contents.bytes += pack.size;
                }
            }
            contents.outputs.push(Listed {
                push: record.number,
                output: name,
                version: crate::text::visible(&output.version),
                tree: output.tree,
                bytes: manifest.map(|manifest| manifest.packs.iter().map(|pack| pack.size).sum()),
                signers,
            });
        }
    }
    let tags = remote.tags()?;
    contents.others = tags.iter().filter_map(|tag| tags::tree(tag)).filter(|tree| !named.contains(tree)).count();
    Ok(contents)
}
