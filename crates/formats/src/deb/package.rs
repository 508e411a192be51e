//! Unpacks one package into a directory of its own.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ar::{self, Member};
use super::control::Control;
use super::{Deb, MOST_ENTRIES, MOST_NAMES};
use crate::error::{Error, Kind, Result};
use crate::tree::confined::Root;
use crate::tree::unpack::{Remarks, SpecialBits, untar};
use crate::tree::{Limits, Listing, Node, TreeWriter};

/// Directories of the two archives of a package, below the package's directory.
pub(super) const DATA: &str = "data";
const CONTROL: &str = "control";

/// Limits of control archives, unpacked: the checksums of a kernel's headers are some megabytes.
const CONTROL_LIMITS: Limits = Limits { entries: 1000, bytes: 64 << 20, colliding_names: true };
/// Longest stanza, in bytes; real ones have some kilobytes.
const MOST_STANZA: u64 = 1 << 20;
/// Bytes of a maintainer script that are searched.
const MOST_SCRIPT: u64 = 1 << 20;
const SCRIPTS: [&[u8]; 4] = [b"preinst", b"postinst", b"prerm", b"postrm"];

/// Greatest multiple of its own size that a package may unpack to. Text in many languages reaches 15; zeros reach
/// thousands.
const RATIO: u64 = 200;
/// Bytes that every package may unpack to.
const ALWAYS: u64 = 64 << 20;

/// One package, unpacked.
pub(super) struct Package {
    pub control: Control,
    pub listing: Listing,
    /// The place and node of the unpacked `md5sums`, if the package has one.
    pub checksums: Option<(Vec<u8>, Node)>,
    /// True if its maintainer scripts, which are not run, would divert files.
    pub diverts: bool,
    /// Reports of what a tree cannot express.
    pub remarks: Remarks,
}

/// Unpacks a package below the empty `directory`. `names` counts the memory for the names in all packages.
pub(super) fn unpack(deb: &Deb, directory: &Path, names: &AtomicUsize) -> Result<Package> {
    let mut file = fs_err::File::open(&deb.path)?;
    let size = file.metadata()?.len();
    let parts = ar::parts(&mut file)?;

    let (info, _) = extract(&mut file, parts.control, &directory.join(CONTROL), CONTROL_LIMITS, names)?;
    let root = Root::open(&directory.join(CONTROL))?;
    let control = Control::parse(&read(&root, &info, b"control", MOST_STANZA)?)?;
    if control.package != deb.name || control.version != deb.version {
        return Err(Error::new(Kind::Mismatch, "the package does not match the lock")
            .fact("locked", format!("{} {}", deb.name, deb.version))
            .fact("found", control.display()));
    }
    let mut diverts = false;
    for script in SCRIPTS.into_iter().filter(|script| info.get(script).is_some()) {
        let text = read(&root, &info, script, MOST_SCRIPT).unwrap_or_default();
        diverts |= text.windows(12).any(|window| window == b"dpkg-divert ");
    }
    let checksums = info.get(b"md5sums").filter(|entry| matches!(entry.node, Node::File { .. }));
    let checksums = checksums.map(|entry| (format!("{CONTROL}/md5sums").into_bytes(), entry.node.clone()));

    let bytes = size.saturating_mul(RATIO).max(ALWAYS);
    let limits = Limits { entries: MOST_ENTRIES, bytes, colliding_names: true };
    let (listing, remarks) = extract(&mut file, parts.data, &directory.join(DATA), limits, names)?;
    Ok(Package { control, listing, checksums, diverts, remarks })
}

fn extract(
    file: &mut (impl Read + Seek),
    member: Member,
    directory: &Path,
    limits: Limits,
    names: &AtomicUsize,
) -> Result<(Listing, Remarks)> {
    fs_err::create_dir(directory)?;
    file.seek(SeekFrom::Start(member.offset))?;
    let stream = BufReader::with_capacity(64 * 1024, file.take(member.size));
    let left = MOST_NAMES.saturating_sub(names.load(Ordering::Relaxed));
    let mut writer = TreeWriter::new(directory, limits)?.with_names(left);
    // Distributions ship some setuid files (su, mount). Their tree is only used without rights to become another
    // user, and no tree can hold the bits, so they are reported instead of refused.
    let remarks = untar(member.compression.decoder(stream)?, &mut writer, SpecialBits::Drop)?;
    if remarks.empty {
        // Even an archive without entries has an end; dpkg refuses a package without one.
        return Err(Error::new(Kind::Invalid, "the package is refused: one of its archives is empty"));
    }
    // Packages unpacked at the same time were each given the whole remainder.
    let taken = writer.names_taken();
    if names.fetch_add(taken, Ordering::Relaxed) + taken > MOST_NAMES {
        return Err(Error::new(Kind::Invalid, "the names in all packages together need too much memory")
            .fact("limit", crate::text::bytes(MOST_NAMES as u64)));
    }
    Ok((writer.finish()?, remarks))
}

fn read(root: &Root, listing: &Listing, name: &[u8], most: u64) -> Result<Vec<u8>> {
    let wrong = |why: &str| {
        let name = crate::tree::named(name);
        Error::new(Kind::Invalid, format!("the package is refused: its `{name}` {why}"))
    };
    match listing.get(name).map(|entry| &entry.node) {
        Some(Node::File { size, .. }) if *size <= most => {}
        Some(Node::File { .. }) => return Err(wrong("is too large")),
        _ => return Err(wrong("is missing")),
    }
    let mut text = Vec::new();
    root.open_file(name)?.take(most).read_to_end(&mut text)?;
    Ok(text)
}
