//! The records of PAX extended headers: `LENGTH KEY=VALUE` and a line feed each, as POSIX specifies them.

/// The keys that concern a tree. Each may stand only once in a header, since programs disagree which of two counts.
const PATH: &[u8] = b"path";
const TARGET: &[u8] = b"linkpath";
const SIZE: &[u8] = b"size";
/// Keys of sparse files, and of files that continue in another archive.
const SPARSE: [&[u8]; 5] =
    [b"GNU.sparse.", b"SCHILY.realsize", b"GNU.volume.filename", b"GNU.volume.size", b"GNU.volume.offset"];

/// The records of one header, as far as they concern a tree. Times, owners, comments and attributes do not.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Records {
    pub path: Option<Vec<u8>>,
    pub target: Option<Vec<u8>>,
    pub size: Option<u64>,
    /// True if the entry is a sparse file, whose contents in the archive are not the file's.
    pub sparse: bool,
}

impl Records {
    pub fn parse(mut rest: &[u8]) -> Result<Self, &'static str> {
        let mut records = Self::default();
        while !rest.is_empty() {
            let (record, behind) = split(rest).ok_or("malformed record in its extended header")?;
            rest = behind;
            let equals = record.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
            let (key, value) = record.split_at(equals.ok_or("a record without a key in its extended header")?);
            let value = &value[1..];
            if SPARSE.iter().any(|sparse| key.starts_with(sparse)) {
                records.sparse = true;
                continue;
            }
            let twice = match key {
                PATH => records.path.replace(name(value)?.to_vec()).is_some(),
                TARGET => records.target.replace(name(value)?.to_vec()).is_some(),
                SIZE => records.size.replace(size(value)?).is_some(),
                _ => false,
            };
            if twice {
                return Err("duplicate key in its extended header");
            }
        }
        Ok(records)
    }

    /// Returns whether no record concerns a tree.
    pub fn say_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Splits off the first record, without its length and line feed. Returns it and the rest.
fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).filter(|end| rest[*end] == b' ')?;
    let length: usize = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let (record, behind) = rest.split_at_checked(length)?;
    let record = record.get(digits + 1..)?.strip_suffix(b"\n")?;
    Some((record, behind))
}

/// Validates a name. An empty value would undo an earlier header's, and a zero ends the name for some programs.
fn name(value: &[u8]) -> Result<&[u8], &'static str> {
    if value.is_empty() || value.contains(&0) {
        Err("a name in its extended header is empty or contains a zero byte")
    } else {
        Ok(value)
    }
}

fn size(value: &[u8]) -> Result<u64, &'static str> {
    let digits = std::str::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let size = digits.and_then(|text| text.parse::<u64>().ok()).filter(|size| i64::try_from(*size).is_ok());
    size.ok_or("invalid size in its extended header")
}
