//! `strixlock archive`

mod add;
mod list;
mod prune;
mod verify;

use std::path::PathBuf;

use super::Session;
use crate::archive::{Archive, ArchiveName, unpacked};
use crate::error::{Error, Kind, Result};

/// Keep every byte that the lock needs, in a directory or registry that outlives its upstreams
///
/// Keeps tarballs, commits as packs, packages, models, images, directories of the project and patches, each named by its
/// digest, with the lock and an index page. What the store lacks is downloaded. A second lock adds only what is new.
/// `strixlock realize --from` takes everything from an archive, and `strixlock serve` publishes it.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ArchiveArgs {
    #[command(subcommand)]
    command: Option<ArchiveCommand>,
    #[command(flatten)]
    add: add::AddArgs,
}

#[derive(Debug, clap::Subcommand)]
enum ArchiveCommand {
    List(list::ListArgs),
    Verify(verify::VerifyArgs),
    Prune(prune::PruneArgs),
}

pub fn run(args: &ArchiveArgs, session: &Session) -> Result<u8> {
    match &args.command {
        Some(ArchiveCommand::List(args)) => list::run(args, session),
        Some(ArchiveCommand::Verify(args)) => verify::run(args, session),
        Some(ArchiveCommand::Prune(args)) => prune::run(args, session),
        None => add::run(&args.add, session),
    }
}

/// An archive that is read, perhaps from a tar file that was unpacked.
struct Opened {
    archive: Archive,
    _unpacked: Option<tempfile::TempDir>,
}

/// Opens the archive with this name, or the usual one, for reading.
fn open(name: Option<&ArchiveName>, session: &Session) -> Result<Opened> {
    match name {
        Some(ArchiveName::File(path)) => {
            let directory = beside(path)?;
            unpacked(path, directory.path(), &*session.ui.progress)?;
            Ok(Opened { archive: Archive::open(directory.path())?, _unpacked: Some(directory) })
        }
        name => Ok(Opened { archive: Archive::open(&directory(name, session)?)?, _unpacked: None }),
    }
}

/// Returns the directory with this name, or that of the usual archive.
fn directory(name: Option<&ArchiveName>, session: &Session) -> Result<PathBuf> {
    match name {
        None => session.usual_archive(),
        Some(ArchiveName::Directory(path) | ArchiveName::Layout(path)) => Ok(path.clone()),
        Some(ArchiveName::File(path)) => {
            Err(Error::new(Kind::Usage, "expected the directory of an archive, not a tar file")
                .fact("path", path.display())
                .hint("unpack it with `tar -xf`"))
        }
        Some(name @ (ArchiveName::Url(_) | ArchiveName::Registry { .. })) => {
            Err(Error::new(Kind::Usage, "expected an archive on this machine").fact("archive", name))
        }
    }
}

/// Makes a temporary directory beside a file, on its file system.
fn beside(file: &std::path::Path) -> Result<tempfile::TempDir> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let made = tempfile::Builder::new().prefix(".strixlock-archive-").tempdir_in(parent.unwrap_or(".".as_ref()));
    made.map_err(|error| Error::failure("cannot write beside the archive").fact("path", file.display()).because(&error))
}
