//! Results of jobs.

use crate::blob::BlobDigest;
use crate::error::{Error, Kind, Result};
use crate::proto::ActionResult;
use crate::text::visible;

/// The result of a job.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The digest of the action, under which the result is cached.
    pub action: BlobDigest,
    /// The exit code of the command.
    pub exit_code: i32,
    /// The worker that ran it, as the service names it; empty if it does not say.
    pub worker: String,
    /// True if the result was in the service's cache.
    pub cached: bool,
    /// The directories that it wrote: path, and the blob with their tree.
    pub(crate) directories: Vec<(String, BlobDigest)>,
}

impl Outcome {
    /// Reads a result. Fails if it has other outputs than those that were asked for, unless the command failed.
    pub(crate) fn read(result: &ActionResult, action: BlobDigest, asked: &[String], cached: bool) -> Result<Self> {
        let worker = result.execution_metadata.as_ref().map(|metadata| visible(&metadata.worker)).unwrap_or_default();
        let mut directories = Vec::new();
        for directory in &result.output_directories {
            let path = directory.path.trim_end_matches('/').to_owned();
            directories.push((path, BlobDigest::read(directory.tree_digest.as_ref(), "an output")?));
        }
        let mut others: Vec<&str> = result.output_files.iter().map(|file| file.path.as_str()).collect();
        others.extend(links(result));
        others.extend(
            directories.iter().map(|(path, _)| path.as_str()).filter(|path| !asked.iter().any(|one| one == path)),
        );
        if let Some(other) = others.first() {
            return Err(other_outputs(&worker, asked).fact("returned", visible(other)));
        }
        let lacks = asked.iter().find(|path| directories.iter().filter(|(there, _)| there == *path).count() != 1);
        match lacks {
            Some(path) if result.exit_code == 0 => Err(other_outputs(&worker, asked).fact("expected once", path)),
            _ => Ok(Self { action, exit_code: result.exit_code, worker, cached, directories }),
        }
    }
}

#[expect(deprecated, reason = "services of version 2.0 fill these fields")]
fn links(result: &ActionResult) -> impl Iterator<Item = &str> {
    let all = result.output_symlinks.iter().chain(&result.output_file_symlinks);
    all.chain(&result.output_directory_symlinks).map(|link| link.path.as_str())
}

fn other_outputs(worker: &str, asked: &[String]) -> Error {
    let error = Error::new(Kind::Mismatch, "the remote builder returned other outputs than the build has")
        .fact("outputs", asked.join(", "));
    if worker.is_empty() { error } else { error.fact("worker", worker) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{OutputDirectory, OutputFile, OutputSymlink};

    fn directory(path: &str) -> OutputDirectory {
        let tree_digest = Some(BlobDigest::of(b"tree").to_proto());
        OutputDirectory { path: path.to_owned(), tree_digest, ..OutputDirectory::default() }
    }

    fn read(result: &ActionResult) -> Result<Outcome> {
        Outcome::read(result, BlobDigest::of(b""), &["build/dest".to_owned()], false)
    }

    #[test]
    fn outputs_are_those_that_were_asked_for() {
        let usual = ActionResult { output_directories: vec![directory("build/dest")], ..ActionResult::default() };
        assert_eq!(read(&usual).unwrap().directories.len(), 1);
        for change in [
            (|result| result.output_directories.push(directory("etc"))) as fn(&mut ActionResult),
            |result| result.output_directories.push(directory("build/dest")),
            |result| result.output_directories.clear(),
            |result| result.output_directories[0].tree_digest = None,
            |result| result.output_files.push(OutputFile { path: "build/x".to_owned(), ..OutputFile::default() }),
            |result| {
                result
                    .output_symlinks
                    .push(OutputSymlink { path: "build/dest".to_owned(), ..OutputSymlink::default() });
            },
        ] {
            let mut result = usual.clone();
            change(&mut result);
            assert_eq!(read(&result).unwrap_err().kind(), Kind::Mismatch);
        }
        let failed = ActionResult { exit_code: 2, ..ActionResult::default() };
        assert_eq!(read(&failed).unwrap().exit_code, 2);
    }
}
