//! Compares `ar` archives member by member. Their members are usually object files.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::Cause;
use super::parts::{MAX_PARTS, Pair, Part, explain as explain_contents, join};
use crate::elf::FileBytes;
use crate::error::Result;
use crate::tree::show;

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: u64 = 60;
/// Greatest size of the table of long names, in bytes.
const MAX_NAMES: u64 = 4 << 20;
const MAX_MEMBERS: usize = 1 << 16;

struct Member {
    /// The header's time field.
    times: Vec<u8>,
    /// The header's fields for owner, group and mode.
    owner: Vec<u8>,
    offset: u64,
    size: u64,
}

type Members = BTreeMap<(Vec<u8>, usize), Member>;

/// Adds the members that differ. Adds nothing unless both are archives.
pub(super) fn explain(pair: Pair, depth: u8, parts: &mut Vec<Part>) -> Result<()> {
    let Pair { name, first, second } = pair;
    let (Some(one), Some(other)) = (members(first)?, members(second)?) else { return Ok(()) };
    let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    for key in names {
        if parts.len() >= MAX_PARTS {
            break;
        }
        let label = join(name, &format!("member {}", show(&key.0)));
        let (Some(a), Some(b)) = (one.get(key), other.get(key)) else {
            let member = one.get(key).or(other.get(key));
            let says = |there: bool| if there { "present" } else { "absent" }.to_owned();
            parts.push(Part {
                part: label,
                offset: 0,
                bytes: member.map_or(0, |member| member.size),
                first: says(one.contains_key(key)),
                second: says(other.contains_key(key)),
                causes: vec![Cause::Unknown],
            });
            continue;
        };
        for (what, a, b, cause) in
            [("time", &a.times, &b.times, Cause::Time), ("owner", &a.owner, &b.owner, Cause::Metadata)]
        {
            if a != b {
                let part = format!("{label} ({what})");
                let bytes = a.iter().zip(b).filter(|(a, b)| a != b).count() as u64;
                parts.push(Part { part, offset: 0, bytes, first: show(a), second: show(b), causes: vec![cause] });
            }
        }
        let before = parts.len();
        let (first, second) = (first.part(a.offset, a.size)?, second.part(b.offset, b.size)?);
        explain_contents(Pair { name: &label, first: &first, second: &second }, depth - 1, parts)?;
        // The symbol index holds the offsets of the members.
        if key.0.is_empty() || key.0 == b"/" {
            parts[before..].iter_mut().for_each(|part| part.causes = vec![Cause::Consequence]);
        }
    }
    Ok(())
}

/// Returns the members by name, numbered from 0 if several have one name. `None` if the source is not an archive.
fn members(source: &FileBytes) -> Result<Option<Members>> {
    let magic = MAGIC.len() as u64;
    if source.len() < magic || *source.read("the magic", 0, magic, magic)? != *MAGIC {
        return Ok(None);
    }
    let (mut all, mut counts, mut long) = (Members::new(), BTreeMap::<Vec<u8>, usize>::new(), Vec::new());
    let mut at = magic;
    while at < source.len() {
        let header = source.read("a member's header", at, HEADER, HEADER)?;
        let text = |range: std::ops::Range<usize>| header[range].trim_ascii_end();
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u64>().ok());
        let size = number(text(48..58)).filter(|_| header[58..60] == *b"`\n");
        let (Some(size), true) = (size, all.len() < MAX_MEMBERS) else { return Ok(None) };
        let offset = at + HEADER;
        if text(0..16) == b"//" {
            long = source.read("the names", offset, size, MAX_NAMES)?.into_owned();
        }
        let name = text(0..16);
        let name = match name.strip_prefix(b"/").and_then(number) {
            Some(start) => {
                let rest = usize::try_from(start).ok().and_then(|start| long.get(start..)).unwrap_or_default();
                rest.split(|byte| *byte == b'\n').next().unwrap_or_default()
            }
            None => name,
        };
        let name = if name.len() > 1 { name.strip_suffix(b"/").unwrap_or(name) } else { name }.to_vec();
        let count = counts.entry(name.clone()).or_default();
        let member = Member { times: text(16..28).to_vec(), owner: text(28..48).to_vec(), offset, size };
        source.part(offset, size)?;
        all.insert((name, *count), member);
        *count += 1;
        at = offset + size + size % 2;
    }
    Ok(Some(all))
}
