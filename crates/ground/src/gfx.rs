//! GPU targets by their LLVM names, such as `gfx1151`.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind};

/// One GPU architecture as LLVM names it: `gfx`, a decimal major version, a minor and a stepping digit in hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GfxTarget(String);

impl GfxTarget {
    /// Returns the name, such as `gfx1151`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GfxTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix("gfx").unwrap_or("");
        let (major, rest) = digits.split_at_checked(digits.len().saturating_sub(2)).unwrap_or(("", ""));
        let known = (1..=2).contains(&major.len())
            && major.bytes().all(|byte| byte.is_ascii_digit())
            && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if known {
            return Ok(Self(text.to_owned()));
        }
        let hint = if text.to_ascii_lowercase() != text && text.to_ascii_lowercase().parse::<Self>().is_ok() {
            format!("did you mean `{}`?", text.to_ascii_lowercase())
        } else {
            "a GPU target is one architecture such as `gfx1151` (Strix Halo) or `gfx90a`".to_owned()
        };
        Err(Error::new(Kind::Invalid, format!("invalid GPU target `{text}`")).hint(hint))
    }
}

impl fmt::Display for GfxTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::serde_by_text!(GfxTarget);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_strictly() {
        for good in ["gfx1151", "gfx90a", "gfx942", "gfx1100"] {
            assert_eq!(good.parse::<GfxTarget>().unwrap().as_str(), good);
        }
        for bad in ["", "gfx", "gfx1", "1151", "gfx115x", "gfx110X-all", "GFX1151", "gfxéé1"] {
            assert!(bad.parse::<GfxTarget>().is_err(), "{bad}");
        }
    }
}
