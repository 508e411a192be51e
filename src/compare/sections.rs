//! Compares ELF files section by section.

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::differing;
use super::cause::Cause;
use super::parts::{MAX_PARTS, Pair, Part, byte_part, join};
use crate::elf::{Section, sections};
use crate::error::Result;
use crate::tree::show;

/// Sections derived from others: tables of names, offsets and addresses.
const FOLLOWING: [&str; 13] = [
    ".symtab",
    ".strtab",
    ".dynsym",
    ".dynstr",
    ".rela",
    ".rel",
    ".hash",
    ".gnu.hash",
    ".got",
    ".eh_frame",
    ".shstrtab",
    ".dynamic",
    ".gnu_debuglink",
];

/// Adds the sections that differ. Adds nothing unless both are ELF files.
pub(super) fn explain(pair: Pair, parts: &mut Vec<Part>) -> Result<()> {
    let Pair { name, first, second } = pair;
    let (Some(one), Some(other)) = (sections(first)?, sections(second)?) else { return Ok(()) };
    let (one, other) = (numbered(&one), numbered(&other));
    let names: BTreeSet<_> = one.keys().chain(other.keys()).copied().collect();
    let (mut found, mut moved) = (Vec::new(), false);
    for key in names {
        if found.len() >= MAX_PARTS {
            break;
        }
        let label = join(name, &show(key.0));
        let (Some(a), Some(b)) = (one.get(&key), other.get(&key)) else {
            let section = one.get(&key).or(other.get(&key));
            let bytes = section.map_or(0, |section| section.size);
            let says = |there: bool| if there { "present" } else { "absent" }.to_owned();
            let (first, second) = (says(one.contains_key(&key)), says(other.contains_key(&key)));
            found.push(Part { part: label, offset: 0, bytes, first, second, causes: vec![Cause::Unknown] });
            moved = true;
            continue;
        };
        moved |= a.size != b.size;
        if !a.in_file || !b.in_file {
            if a.size != b.size {
                let (first, second) = (format!("{} bytes", a.size), format!("{} bytes", b.size));
                let bytes = a.size.abs_diff(b.size);
                found.push(Part { part: label, offset: 0, bytes, first, second, causes: vec![Cause::Unknown] });
            }
            continue;
        }
        let (a, b) = (first.part(a.offset, a.size)?, second.part(b.offset, b.size)?);
        if let Some(differing) = differing(&a, &b)? {
            found.push(byte_part(label, &a, &b, &differing)?);
        }
    }
    let leads = |cause: &Cause| !matches!(cause, Cause::Unknown | Cause::Random | Cause::BuildId);
    let known = found.iter().flat_map(|part| &part.causes).any(leads);
    for part in &mut found {
        let section = part.part.rsplit(": ").next().unwrap_or_default();
        let follows = FOLLOWING.iter().any(|start| section.starts_with(start));
        if known && (moved || follows) {
            part.causes.iter_mut().filter(|cause| matches!(cause, Cause::Unknown | Cause::Random)).for_each(|cause| {
                *cause = Cause::Consequence;
            });
        }
    }
    parts.append(&mut found);
    Ok(())
}

/// Returns the sections by name, numbered from 0 if several have one name.
fn numbered(sections: &[Section]) -> BTreeMap<(&[u8], usize), &Section> {
    let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for section in sections {
        let count = counts.entry(&section.name).or_default();
        all.insert((section.name.as_slice(), *count), section);
        *count += 1;
    }
    all
}
