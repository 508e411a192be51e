//! Relations between packages: `a (>= 1) | b:any, c` (Debian Policy, chapter 7).
//!
//! Archives contain names that policy forbids and invalid versions. As in apt, a name is any text up to a blank or
//! one of `()[]<>,|`, and a version any text in the parentheses: if no package has it, it is just never found.

use std::cmp::Ordering;
use std::fmt;

use super::version::DebVersion;

/// One alternative of a relation: a package that would satisfy it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation<'t> {
    /// Its name.
    pub name: &'t str,
    /// The text after the colon: `any`, `native`, or an architecture.
    pub qualifier: Option<&'t str>,
    /// The versions that satisfy it, as a bound; `None` if all do.
    pub version: Option<(Operator, DebVersion)>,
}

/// A comparison of versions.
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
    /// Returns whether a version satisfies the bound, given how it compares with the bound's version.
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

    /// Splits the operator off a bound. Without one it is `=`; the deprecated `<` and `>` mean `<=` and `>=`.
    fn split(bound: &str) -> (Self, &str) {
        let signs = [
            ("<=", Self::EarlierOrEqual),
            ("<<", Self::Earlier),
            ("<", Self::EarlierOrEqual),
            (">=", Self::LaterOrEqual),
            (">>", Self::Later),
            (">", Self::LaterOrEqual),
            ("=", Self::Equal),
        ];
        let found = signs.into_iter().find_map(|(sign, operator)| Some((operator, bound.strip_prefix(sign)?)));
        found.unwrap_or((Self::Equal, bound))
    }
}

/// Parses a field into groups that must all be satisfied, each by one of its alternatives. The error describes the
/// text that cannot be parsed.
pub fn parse(field: &str) -> Result<Vec<Vec<Relation<'_>>>, String> {
    let mut groups = Vec::new();
    for group in groups_of(field) {
        groups.push(alternatives(group).map(|text| raw(text).map(Raw::relation)).collect::<Result<_, _>>()?);
    }
    Ok(groups)
}

/// Fails if [`parse`] would, with the same error, without building the result.
pub fn check(field: &str) -> Result<(), String> {
    groups_of(field).flat_map(alternatives).try_for_each(|text| raw(text).map(drop))
}

/// Splits a field into its groups. Skips empty ones, which stray commas make.
fn groups_of(field: &str) -> impl Iterator<Item = &str> {
    field.split(',').map(str::trim).filter(|group| !group.is_empty())
}

fn alternatives(group: &str) -> impl Iterator<Item = &str> {
    group.split('|').map(str::trim)
}

/// The parts of an alternative, as written.
struct Raw<'t> {
    target: &'t str,
    bound: Option<(Operator, &'t str)>,
}

fn raw(text: &str) -> Result<Raw<'_>, String> {
    let wrong = || format!("invalid package relation `{}`", text.chars().take(80).collect::<String>().escape_debug());
    let end = text.find(|c: char| c.is_ascii_whitespace() || "()[]<>".contains(c)).unwrap_or(text.len());
    let (target, rest) = text.split_at(end);
    if target.is_empty() {
        return Err(wrong());
    }
    let rest = rest.trim_start();
    if rest.is_empty() {
        return Ok(Raw { target, bound: None });
    }
    let bound =
        rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).filter(|(_, after)| after.trim().is_empty());
    let (operator, version) = Operator::split(bound.ok_or_else(wrong)?.0.trim());
    if version.trim().is_empty() { Err(wrong()) } else { Ok(Raw { target, bound: Some((operator, version.trim())) }) }
}

impl<'t> Raw<'t> {
    fn relation(self) -> Relation<'t> {
        let (name, qualifier) =
            self.target.rsplit_once(':').map_or((self.target, None), |(name, qualifier)| (name, Some(qualifier)));
        let version = self.bound.map(|(operator, version)| (operator, DebVersion::as_written(version)));
        Relation { name, qualifier, version }
    }
}

/// Returns the names that a field mentions, in order, with `:any` if present. Skips empty alternatives, and validates
/// nothing.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_parsed_with_alternatives_versions_and_qualifiers() {
        let groups = parse("a (>= 1:2.0~rc1) | b:any , c(<<3), ,d (= 1)|e:amd64\n (> 2)").unwrap();
        let told: Vec<Vec<String>> =
            groups.iter().map(|group| group.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(told, [vec!["a (>= 1:2.0~rc1)", "b:any"], vec!["c (<< 3)"], vec!["d (= 1)", "e:amd64 (>= 2)"]]);
        assert_eq!(groups[0][1].qualifier, Some("any"));
        assert_eq!(groups[1][0].version, Some((Operator::Earlier, DebVersion::parse("3").unwrap())));
        assert!(parse("").unwrap().is_empty());
        for wrong in
            ["a (", "a ()", "a (>= )", "a (>= 1) b", "a b", "(= 1)", "a [amd64]", "a | | b", "a |", "a <!nocheck>"]
        {
            assert!(parse(wrong).is_err() && check(wrong).is_err(), "{wrong}");
        }
        // Odd ones are read as in apt, and then match no package.
        for (odd, read) in [("a (1)", "a (= 1)"), ("a (== 1)", "a (= = 1)"), ("\u{e9}", "\u{e9}"), ("${a:B}", "${a:B}")]
        {
            check(odd).unwrap();
            assert_eq!(parse(odd).unwrap()[0][0].to_string(), read);
        }
        let names: Vec<&str> = names("a (>= 1)|b:any, c:amd64,\n d").collect();
        assert_eq!(names, ["a", "b:any", "c", "d"]);
    }
}
