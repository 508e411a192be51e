//! A relation to another package, such as `libx (<< 2.0)`.

use std::cmp::Ordering;

use super::control::is_package_name;
use super::version;

/// A package, in certain versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relation {
    /// The other package.
    pub package: String,
    /// What its version must be, where that matters.
    pub version: Option<(Operator, String)>,
}

/// How versions are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

impl Relation {
    /// Reads a list with commas; `None` where it is not one.
    pub(super) fn parse_list(text: &str) -> Option<Vec<Self>> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, version) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => (name, Some(rest.strip_suffix(')')?.trim())),
        };
        // `name:any` and `name:amd64` are the same package here.
        let name = name.trim().split(':').next()?;
        let version = version.map(|version| {
            let at = version.find(|c: char| !"<=>".contains(c))?;
            let operator = match &version[..at] {
                "<<" => Operator::Earlier,
                "<=" | "<" => Operator::EarlierOrEqual,
                "=" => Operator::Equal,
                ">=" | ">" => Operator::LaterOrEqual,
                ">>" => Operator::Later,
                _ => return None,
            };
            Some((operator, version[at..].trim().to_owned()))
        });
        let version = match version {
            None => None,
            Some(version) => Some(version?),
        };
        is_package_name(name).then(|| Self { package: name.to_owned(), version })
    }

    /// Whether this version of this package is meant.
    #[must_use]
    pub fn matches(&self, package: &str, found: &str) -> bool {
        self.package == package
            && self.version.as_ref().is_none_or(|(operator, wanted)| {
                let order = version::compare(found, wanted);
                match operator {
                    Operator::Earlier => order == Ordering::Less,
                    Operator::EarlierOrEqual => order != Ordering::Greater,
                    Operator::Equal => order == Ordering::Equal,
                    Operator::LaterOrEqual => order != Ordering::Less,
                    Operator::Later => order == Ordering::Greater,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_read_and_judged() {
        let list = Relation::parse_list("liba (<< 1.5~), libb:any, libc6 (>=2), \n libd ( = 1:3 ),").unwrap();
        let matches = |package, version| list.iter().any(|relation| relation.matches(package, version));
        for (package, version) in [("liba", "1.4"), ("libb", "9"), ("libc6", "2"), ("libc6", "2.1"), ("libd", "1:3")] {
            assert!(matches(package, version), "{package} {version}");
        }
        for (package, version) in [("liba", "1.5"), ("libc6", "1.9"), ("libd", "3"), ("libe", "1")] {
            assert!(!matches(package, version), "{package} {version}");
        }
        for text in ["a|b", "liba (1)", "liba (<< 1", "liba (<> 1)", "LIBA", "liba (==1)"] {
            assert_eq!(Relation::parse_list(text), None, "{text}");
        }
    }
}
