//! Tar archives whose headers hold exactly the given fields, as hostile archives do. A library would refuse to write
//! such names.

use tar::{EntryType, Header};

/// One entry of an archive, with exactly these fields. Names and targets longer than 100 bytes are cut.
#[derive(Clone, Debug)]
pub struct RawEntry {
    kind: EntryType,
    name: Vec<u8>,
    target: Vec<u8>,
    contents: Vec<u8>,
    mode: u32,
}

impl RawEntry {
    /// Creates an entry.
    #[must_use]
    pub fn new(kind: EntryType, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>, contents: &[u8], mode: u32) -> Self {
        let (name, target) = (name.as_ref().to_vec(), target.as_ref().to_vec());
        Self { kind, name, target, contents: contents.to_vec(), mode }
    }

    /// Creates a file with mode 644.
    #[must_use]
    pub fn file(name: impl AsRef<[u8]>, contents: &[u8]) -> Self {
        Self::new(EntryType::Regular, name, "", contents, 0o644)
    }

    /// Creates a directory with mode 755.
    #[must_use]
    pub fn directory(name: impl AsRef<[u8]>) -> Self {
        Self::new(EntryType::Directory, name, "", b"", 0o755)
    }

    /// Creates a symbolic link.
    #[must_use]
    pub fn link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(EntryType::Symlink, name, target, b"", 0o777)
    }
}

/// Returns a tar archive of these entries.
#[must_use]
pub fn raw_tar(entries: &[RawEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    for RawEntry { kind, name, target, contents, mode } in entries {
        let mut header = Header::new_gnu();
        let (fit, fit_target) = (name.len().min(100), target.len().min(100));
        header.as_old_mut().name[..fit].copy_from_slice(&name[..fit]);
        header.as_old_mut().linkname[..fit_target].copy_from_slice(&target[..fit_target]);
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_700_000_000);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(contents);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}
