//! Feeds a parser hostile input of a chosen size: `doubling CASE NUMBER`.
//!
//! `scripts/doubling` runs each case with a number, twice, four and eight times that. Prints one line of JSON: the
//! bytes of the input, the seconds that the parser took, the memory that it needed besides its input, and its result.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use strixlock_formats::elf::{FileBytes, sections};
use strixlock_formats::oci::LayerFile;
use strixlock_formats::oci::apply::apply;
use strixlock_formats::tree::{Entry, Limits, Listing, Node, Receiver as _, TreeWriter};
use strixlock_ground::digest::{Sha256Digest, hash_reader};
use strixlock_ground::progress::{Doing, Progress as _, Silent, Unit};

type Anything<T> = Result<T, Box<dyn Error>>;

fn main() -> Anything<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, number] = &arguments[..] else { return Err("usage: doubling CASE NUMBER".into()) };
    let place = tempfile::tempdir()?;
    let told = told(case, number.parse()?, place.path())?;
    println!("{told}");
    Ok(())
}

fn told(case: &str, number: usize, place: &Path) -> Anything<serde_json::Value> {
    match case {
        "page-attributes" => {
            let page = page(number)?;
            measured(page.len(), || {
                Ok(strixlock::parts::parse_index(&page, &"http://localhost/".parse()?)?.files.len())
            })
        }
        "whiteouts" => {
            let file = place.join("layer.tar");
            let size = archive(&file, (0..number).map(|at| format!(".wh.{at:09}")))?;
            let (diff_id, _) = hash_reader(fs_err::File::open(&file)?)?;
            measured(size, || whiteouts(&file, diff_id, place))
        }
        "listing" => {
            let entries: Vec<_> = likes(number, "z").map(entry).collect();
            let length = entries.iter().map(|entry| entry.path.len()).sum();
            measured(length, move || Ok(found(&Listing::new(entries), number)))
        }
        "link-targets" => {
            // Creating links takes the file system's time, so the measurement begins after it.
            let mut tree = TreeWriter::new(place, Limits::default())?;
            for (path, target) in likes(number, "a/../z") {
                tree.link(path.as_bytes(), target.as_bytes())?;
            }
            let length = tree.names_taken();
            measured(length, || Ok(tree.finish()?.entries().len()))
        }
        // Names that together are as long as allowed, and names that are each as long as the file.
        "section-names" => sections_of(&elf(number, 128)),
        "section-names-long" => sections_of(&elf(number, 16 * number)),
        other => Err(format!("unknown case: {other}").into()),
    }
}

/// Returns an index page with one link that has `number` attributes.
fn page(number: usize) -> Anything<Vec<u8>> {
    let mut page = "<title>Index of /</title><a href=x.tar.gz>x</a><a".to_owned();
    for at in 0..number {
        write!(page, " a{at}=x")?;
    }
    page.push('>');
    Ok(page.into_bytes())
}

/// Returns `number` links whose names sort between the last link and its possible places, and that link.
fn likes(number: usize, target: &str) -> impl Iterator<Item = (String, String)> {
    let links = (0..number).map(move |at| (format!("a -> {at:09}"), target.to_owned()));
    links.chain([("a".to_owned(), "z".to_owned())])
}

fn entry((path, target): (String, String)) -> Entry {
    Entry { path: path.into_bytes(), node: Node::Link { target: target.into_bytes() } }
}

/// Writes an archive of empty files. Returns its size.
fn archive(path: &Path, names: impl Iterator<Item = String>) -> Anything<usize> {
    let mut archive = tar::Builder::new(std::io::BufWriter::new(fs_err::File::create(path)?));
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        archive.append_data(&mut header, name, &[][..])?;
    }
    archive.into_inner()?.into_inner()?;
    Ok(fs_err::metadata(path)?.len() as usize)
}

fn whiteouts(path: &Path, diff_id: Sha256Digest, place: &Path) -> Anything<usize> {
    let media_type = "application/vnd.oci.image.layer.v1.tar";
    let task = Silent.begin(Doing::Unpack, "layers", Some(1), Unit::Steps);
    Ok(apply(&[LayerFile { path, media_type, diff_id }], place, &*task)?.listing.entries().len())
}

/// Looks up the link behind all others as often as there are others.
fn found(listing: &Listing, number: usize) -> usize {
    (0..number).filter(|_| listing.get(b"a").is_some()).count()
}

fn sections_of(file: &[u8]) -> Anything<serde_json::Value> {
    measured(file.len(), || Ok(sections(&FileBytes::memory(file))?.map_or(0, |sections| sections.len())))
}

/// Returns an ELF file with `number` sections that share one name of this length.
fn elf(number: usize, length: usize) -> Vec<u8> {
    // A table as long as if each section had an eighth of its name for itself.
    let names = length.max(16 * number);
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(64, 0);
    for (at, value) in [(16, 3), (18, 62), (40, 64), (58, 64), (62, 1)] {
        file[at..at + 2].copy_from_slice(&u16::to_le_bytes(value));
    }
    for at in 0..number {
        let mut section = [0; 64];
        // The first section has the number of all, the second the names.
        let (start, size) = if at == 0 { (0, number) } else { (64 + 64 * number, names) };
        section[24..32].copy_from_slice(&(start as u64).to_le_bytes());
        section[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        file.extend(section);
    }
    let end = file.len() + names;
    file.resize(file.len() + length - 1, b'a');
    file.resize(end, 0);
    file
}

/// Runs a parser on input of this many bytes, and returns the measurements as JSON.
fn measured(bytes: usize, parser: impl FnOnce() -> Anything<usize>) -> Anything<serde_json::Value> {
    let before = memory("VmRSS:")?;
    // From here on the kernel measures the peak anew.
    fs_err::write("/proc/self/clear_refs", "5")?;
    let began = Instant::now();
    let answer = parser();
    let seconds = began.elapsed().as_secs_f64();
    let needed = memory("VmHWM:")?.saturating_sub(before);
    let answer = match answer {
        Ok(count) => format!("taken: {count}"),
        Err(error) => format!("refused: {}", error.to_string().lines().next().unwrap_or_default()),
    };
    Ok(serde_json::json!({ "bytes": bytes, "seconds": seconds, "needed_kib": needed, "answer": answer }))
}

/// Returns a value of the kernel's status of this process, in KiB.
fn memory(what: &str) -> Anything<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or("no memory figures from the kernel")?;
    Ok(line.split_whitespace().next().ok_or("no memory figures from the kernel")?.parse()?)
}
