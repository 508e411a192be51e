//! Jobs: a command, the tree that it runs in, and the directories that it writes.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;

use crate::blob::{BlobDigest, Contents};
use crate::google::protobuf;
use crate::proto::command::EnvironmentVariable;
use crate::proto::platform::Property;
use crate::proto::{Action, Command, Platform};

/// A command that runs on another machine.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its words.
    pub arguments: Vec<String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The directories that it writes, relative to the root of the tree.
    pub outputs: Vec<String>,
    /// Properties that the worker must have: names and values.
    pub platform: Vec<(String, String)>,
    /// Time after which the worker ends it; the service's own limit without it.
    pub timeout: Option<Duration>,
    /// The tree that it runs in.
    pub input_root: BlobDigest,
}

/// A job as the protocol has it. The digest of the action is that under which its result is cached.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub action: BlobDigest,
    pub blobs: BTreeMap<BlobDigest, Contents>,
}

impl Job {
    /// Encodes the job. `output_paths` is true if the service knows that field, of version 2.1.
    pub(crate) fn encode(&self, output_paths: bool) -> Encoded {
        let variable =
            |(name, value): (&String, &String)| EnvironmentVariable { name: name.clone(), value: value.clone() };
        let mut outputs = self.outputs.clone();
        outputs.sort_unstable();
        let platform = (!self.platform.is_empty()).then(|| self.properties());
        let mut command = Command {
            arguments: self.arguments.clone(),
            environment_variables: self.environment.iter().map(variable).collect(),
            ..Command::default()
        };
        let (outputs, old) = if output_paths { (outputs, Vec::new()) } else { (Vec::new(), outputs) };
        command.output_paths = outputs;
        for_old_services(&mut command, platform.clone(), old);
        let command = command.encode_to_vec();
        let action = Action {
            command_digest: Some(BlobDigest::of(&command).to_proto()),
            input_root_digest: Some(self.input_root.to_proto()),
            timeout: self.timeout.map(|time| protobuf::Duration {
                seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                nanos: 0,
            }),
            platform,
            ..Action::default()
        }
        .encode_to_vec();
        let name = BlobDigest::of(&action);
        let blobs = [command, action].map(|bytes| (BlobDigest::of(&bytes), Contents::Bytes(bytes)));
        Encoded { action: name, blobs: blobs.into() }
    }

    fn properties(&self) -> Platform {
        let mut all = self.platform.clone();
        all.sort();
        all.dedup();
        Platform { properties: all.into_iter().map(|(name, value)| Property { name, value }).collect() }
    }
}

#[expect(deprecated, reason = "services of version 2.0 know no other fields")]
fn for_old_services(command: &mut Command, platform: Option<Platform>, outputs: Vec<String>) {
    command.platform = platform;
    command.output_directories = outputs;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Job {
            arguments: ["/bin/sh", "-c", "true"].map(str::to_owned).into(),
            environment: [pair("PATH", "/bin"), pair("LC_ALL", "C")].into(),
            outputs: vec!["b".to_owned(), "a".to_owned()],
            platform: vec![pair("OSFamily", "linux"), pair("ISA", "x86-64"), pair("ISA", "x86-64")],
            timeout: None,
            input_root: BlobDigest::of(b""),
        }
    }

    #[test]
    fn equal_jobs_are_one_action() {
        let digest = |change: fn(&mut Job)| {
            let mut job = job();
            change(&mut job);
            job.encode(true).action
        };
        let usual = digest(|_| {});
        assert_eq!(usual, digest(|job| job.outputs.reverse()));
        assert_eq!(usual, digest(|job| job.platform.reverse()));
        for change in [
            (|job| job.timeout = Some(Duration::from_secs(1))) as fn(&mut Job),
            |job| job.input_root = BlobDigest::of(b"x"),
            |job| job.arguments.push(String::new()),
            |job| drop(job.environment.insert("A".to_owned(), String::new())),
            |job| drop(job.platform.pop().and_then(|_| job.platform.pop())),
        ] {
            assert_ne!(usual, digest(change));
        }
        assert_ne!(usual, job().encode(false).action);
    }

    #[test]
    fn both_messages_are_there_to_upload() {
        let encoded = job().encode(true);
        assert!(encoded.blobs.len() == 2 && encoded.blobs.contains_key(&encoded.action));
        for (digest, contents) in encoded.blobs {
            let Contents::Bytes(bytes) = contents else { panic!() };
            assert_eq!(digest, BlobDigest::of(&bytes));
        }
    }
}
