//! The links of a sysroot that the manifest asks for: path and target.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::rules;
use crate::error::Result;
use crate::fields::{Source, Table};

pub(super) fn links(source: &Source, fields: &Table) -> Result<BTreeMap<String, String>> {
    let mut links = BTreeMap::new();
    let Some(table) = fields.table("links")? else { return Ok(links) };
    for (key, value) in table.entries() {
        let path = key.get_ref();
        let DeValue::String(target) = value.get_ref() else {
            return Err(table.wrong_type(value.span(), path, "a string", value.get_ref()));
        };
        if !rules::is_link(path, target) {
            let message = "a link is a path below the root and a target";
            return Err(source.error(key.span(), message, "such as \"usr/bin/cc\" = \"gcc\""));
        }
        links.insert(path.clone().into_owned(), target.clone().into_owned());
    }
    Ok(links)
}
