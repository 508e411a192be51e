//! The list of tensors.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::cursor::Cursor;
use super::damaged;
use crate::error::Result;

/// Most dimensions of a tensor (`GGML_MAX_DIMS`).
const DIMENSIONS: u32 = 4;
/// Smallest entry of a tensor, in bytes: a length, dimensions, type and offset.
const LEAST: u64 = 8 + 4 + 4 + 8;

/// Most types that are kept; ggml has fewer.
const MOST_TYPES: usize = 256;

/// Reads `count` tensors. Returns the number of their elements, and their types.
pub(super) fn read(cursor: &mut Cursor<impl Read + Seek>, count: u64) -> Result<(u64, BTreeSet<u32>)> {
    cursor.demand("the list of tensors", count, LEAST)?;
    let (mut sum, mut types) = (0u64, BTreeSet::new());
    for _ in 0..count {
        let at = cursor.at();
        cursor.skip_string("the name of a tensor")?;
        let dimensions = cursor.u32("the dimensions of a tensor")?;
        if dimensions > DIMENSIONS {
            return Err(damaged(format!("a tensor of {dimensions} dimensions, the limit is {DIMENSIONS}"), at));
        }
        let mut elements = 1u64;
        for _ in 0..dimensions {
            let size = cursor.u64("the size of a tensor")?;
            let product = elements.checked_mul(size).filter(|product| i64::try_from(*product).is_ok());
            elements = product.ok_or_else(|| damaged("a tensor with too many elements", at))?;
        }
        let kind = cursor.u32("the type of a tensor")?;
        if types.len() < MOST_TYPES {
            types.insert(kind);
        }
        cursor.skip("the offset of a tensor", 1, 8)?;
        sum = sum.checked_add(elements).ok_or_else(|| damaged("too many elements in all tensors", at))?;
    }
    Ok((sum, types))
}
