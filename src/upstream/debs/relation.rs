//! Relations between packages: `a (>= 1) | b:any, c`.

use std::cmp::Ordering;
use std::fmt;

use super::version::DebVersion;

/// One package that would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation<'t> {
    /// Its name.
    pub name: &'t str,
    /// What stands after the colon: `any`, `native`, or an architecture.
    pub qualifier: Option<&'t str>,
    /// Which of its versions would do; absent: all.
    pub version: Option<(Operator, DebVersion)>,
}

/// How a version must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Operator {
    /// Whether a version that compares so with the wanted one will do.
    #[must_use]
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Earlier => order.is_lt(),
            Self::EarlierOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::LaterOrEqual => order.is_ge(),
            Self::Later => order.is_gt(),
        }
    }
}

/// Parses a field: groups that all must hold, each of them alternatives of which one must. What cannot be read is told.
pub fn parse(field: &str) -> Result<Vec<Vec<Relation<'_>>>, String> {
    let groups = field.split(',').map(str::trim).filter(|group| !group.is_empty());
    groups.map(|group| group.split('|').map(one).collect()).collect()
}

fn one(text: &str) -> Result<Relation<'_>, String> {
    let text = text.trim();
    let wrong = || format!("`{}` is no relation to a package", text.chars().take(80).collect::<String>());
    let (target, bound) = match text.split_once('(') {
        Some((target, rest)) => (target.trim_end(), Some(rest.strip_suffix(')').ok_or_else(wrong)?)),
        None => (text, None),
    };
    let (name, qualifier) = match target.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (target, None),
    };
    // Archives have names that policy forbids, such as with capitals: only what would be ambiguous is refused.
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
    };
    if !plain(name) || !qualifier.is_none_or(plain) {
        return Err(wrong());
    }
    let version = bound.map(|bound| versioned(bound).ok_or_else(wrong)).transpose()?;
    Ok(Relation { name, qualifier, version })
}

fn versioned(text: &str) -> Option<(Operator, DebVersion)> {
    let text = text.trim();
    let end = text.find(|c| !matches!(c, '<' | '=' | '>'))?;
    let operator = match &text[..end] {
        "<<" => Operator::Earlier,
        // The single ones are deprecated, and mean this.
        "<=" | "<" => Operator::EarlierOrEqual,
        "=" => Operator::Equal,
        ">=" | ">" => Operator::LaterOrEqual,
        ">>" => Operator::Later,
        _ => return None,
    };
    Some((operator, DebVersion::parse(text[end..].trim())?))
}

/// The names that a field mentions, in order; with `:any` where that is asked for. Reads what it can.
pub fn names(field: &str) -> impl Iterator<Item = &str> {
    field.split([',', '|']).filter_map(|text| {
        let name = text.trim_start().split([' ', '(', '\t', '\n']).next()?;
        let name = if name.ends_with(":any") { name } else { name.split(':').next()? };
        (!name.is_empty()).then_some(name)
    })
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earlier => "<<",
            Self::EarlierOrEqual => "<=",
            Self::Equal => "=",
            Self::LaterOrEqual => ">=",
            Self::Later => ">>",
        })
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(qualifier) = self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        match &self.version {
            Some((operator, version)) => write!(f, " ({operator} {version})"),
            None => Ok(()),
        }
    }
}
