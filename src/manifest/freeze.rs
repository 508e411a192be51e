//! Inputs that stay at their locked pin until somebody thaws them.
//!
//! A freeze stands in the manifest, beside what it holds, and not in the lock: it is a wish, everybody who reads a
//! change of it sees who is held back, until when and why, and it may be written by hand. The lock does not change by
//! it.
//!
//! ```toml
//! [inputs.rocm]
//! frozen = { until = "2026-12-24", why = "0920 and later crash with long prompts" }
//! ```

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;
use toml_edit::{DocumentMut, InlineTable, Item, RawString, TableLike, Value};

use crate::error::{Error, Kind, Result};
use crate::fields::{SourceText, Table};
use crate::text::{self, visible};

/// The field of an input.
pub(super) const FIELD: &str = "frozen";

/// A freeze of one input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freeze {
    /// The day on which it ends.
    pub until: Option<Date>,
    /// The reason.
    pub why: Option<String>,
}

impl Freeze {
    /// Reads the field of an input, if it is present.
    pub(super) fn parse(source: &SourceText, input: &Table) -> Result<Option<Self>> {
        let Some(fields) = input.table(FIELD)? else { return Ok(None) };
        let until = match fields.text("until")? {
            None => None,
            Some(text) => Some(
                text.get_ref()
                    .parse()
                    .map_err(|_| source.error(text.span(), "invalid day in `until`", "such as \"2026-12-24\""))?,
            ),
        };
        let why = fields.text("why")?.map(toml::Spanned::into_inner);
        fields.finish()?;
        Ok(Some(Self { until, why }))
    }

    /// Returns true if it holds at this time, in seconds since 1970: it ends with the beginning of its last day in UTC.
    #[must_use]
    pub fn holds(&self, now: i64) -> bool {
        self.until.is_none_or(|until| text::day(now).is_none_or(|today| today < until))
    }

    fn to_value(&self) -> Value {
        let mut table = InlineTable::new();
        if let Some(until) = self.until {
            table.insert("until", until.to_string().into());
        }
        if let Some(why) = &self.why {
            table.insert("why", why.as_str().into());
        }
        Value::InlineTable(table)
    }
}

/// The words for it: `frozen until 2026-12-24: the reason`.
impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("frozen")?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        if let Some(why) = &self.why {
            write!(f, ": {}", visible(why))?;
        }
        Ok(())
    }
}

impl Serialize for Freeze {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("until", &self.until.map(|day| day.to_string()))?;
        map.serialize_entry("why", &self.why)?;
        map.end()
    }
}

/// Returns the text of a manifest with this freeze of an input in the place of another, or with none. All else stays
/// as it is, comments and order too. Fails if the input has no table of its own.
pub fn with_freeze(text: &str, input: &str, freeze: Option<&Freeze>) -> Result<String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| Error::new(Kind::Invalid, "the manifest is not TOML").because(&error))?;
    let inputs = document.get_mut("inputs").and_then(Item::as_table_like_mut);
    let Some(item) = inputs.and_then(|inputs| inputs.get_mut(input)).filter(|item| item.is_table_like()) else {
        return Err(Error::new(Kind::NotFound, format!("the manifest has no table for the input `{input}`"))
            .hint("an output or a variant asks for it: write `frozen` there, or freeze the input that it comes from"));
    };
    // The blank before the brace stays there.
    let blank = item.as_inline_table_mut().and_then(take_blank);
    if let Some(table) = item.as_table_like_mut() {
        match freeze {
            Some(freeze) => put(table, freeze.to_value()),
            None => drop(table.remove(FIELD)),
        }
    }
    if let (Some(blank), Some((_, last))) =
        (blank, item.as_inline_table_mut().and_then(|table| table.iter_mut().last()))
    {
        last.decor_mut().set_suffix(blank);
    }
    let edited = document.to_string();
    // The parser knows one ending of lines only.
    let is_crlf = text.contains('\n') && text.matches('\n').count() == text.matches("\r\n").count();
    Ok(if is_crlf { edited.replace('\n', "\r\n") } else { edited })
}

fn put(table: &mut dyn TableLike, new: Value) {
    if let Some(old) = table.get_mut(FIELD).and_then(Item::as_value_mut) {
        // The comment behind it stays.
        let decor = old.decor().clone();
        *old = new;
        *old.decor_mut() = decor;
    } else {
        table.insert(FIELD, Item::Value(new));
    }
}

/// Takes away what stands between the last value of an inline table and its brace.
fn take_blank(table: &mut InlineTable) -> Option<RawString> {
    let (_, last) = table.iter_mut().last()?;
    let blank = last.decor().suffix().cloned()?;
    last.decor_mut().set_suffix("");
    Some(blank)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "# Ours\n[inputs.rocm]  # the nightly\ntype = \"rocm\"\ntarget = \"gfx1151\" # Strix Halo\n\n\
                            # llama.cpp\n[inputs.llama-cpp]\ntype = \"git\"\n";

    fn freeze(until: Option<&str>, why: Option<&str>) -> Freeze {
        Freeze { until: until.map(|day| day.parse().unwrap()), why: why.map(str::to_owned) }
    }

    #[test]
    fn one_line_comes_and_goes_and_all_else_stays() {
        let one = freeze(Some("2026-12-24"), Some("crashes: \"0920\""));
        let frozen = with_freeze(MANIFEST, "rocm", Some(&one)).unwrap();
        let line = "frozen = { until = \"2026-12-24\", why = 'crashes: \"0920\"' }\n";
        assert_eq!(frozen, MANIFEST.replace("# Strix Halo\n", &format!("# Strix Halo\n{line}")));
        let longer = freeze(None, None);
        let commented = frozen.replace(" }\n", " } # see 17\n");
        let changed = with_freeze(&commented, "rocm", Some(&longer)).unwrap();
        assert_eq!(changed, MANIFEST.replace("# Strix Halo\n", "# Strix Halo\nfrozen = {} # see 17\n"));
        assert_eq!(with_freeze(&frozen, "rocm", None).unwrap(), MANIFEST);
        assert_eq!(with_freeze(MANIFEST, "rocm", None).unwrap(), MANIFEST);
    }

    #[test]
    fn every_way_to_write_a_table_is_edited_and_others_are_refused() {
        let one = freeze(None, Some("x"));
        for (text, edited) in [
            (
                "inputs = { a = { type = \"file\" } }\n",
                "inputs = { a = { type = \"file\", frozen = { why = \"x\" } } }\n",
            ),
            ("[inputs]\na = { type = \"file\" }\n", "[inputs]\na = { type = \"file\", frozen = { why = \"x\" } }\n"),
            ("[inputs]\na.type = \"file\"\n", "[inputs]\na.type = \"file\"\na.frozen = { why = \"x\" }\n"),
            ("[inputs.a]\r\ntype = \"file\"\r\n", "[inputs.a]\r\ntype = \"file\"\r\nfrozen = { why = \"x\" }\r\n"),
        ] {
            assert_eq!(with_freeze(text, "a", Some(&one)).unwrap(), edited);
            assert_eq!(with_freeze(edited, "a", None).unwrap(), text);
        }
        for text in ["", "[inputs.b]\n", "inputs = 1\n", "[inputs]\na = 1\n"] {
            assert_eq!(with_freeze(text, "a", Some(&one)).unwrap_err().kind(), Kind::NotFound, "{text}");
        }
        assert_eq!(with_freeze("[inputs", "a", None).unwrap_err().kind(), Kind::Invalid);
    }

    #[test]
    fn a_freeze_ends_on_its_day() {
        let noon = |day: i64| 1_798_113_600 + day * 86_400;
        let one = freeze(Some("2026-12-24"), None);
        assert_eq!([-1, 0, 1].map(|day| one.holds(noon(day))), [true, false, false]);
        assert!(freeze(None, None).holds(noon(10_000)));
        assert_eq!(one.to_string(), "frozen until 2026-12-24");
        assert_eq!(freeze(None, Some("\u{1b}[1mbad\u{1b}[0m")).to_string(), "frozen: bad");
    }
}
