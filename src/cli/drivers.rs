//! `strixlock runtime` and `strixlock why` for a Vulkan runtime.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Session;
use super::runtime::{labelled, largest_first, row, sum, sums};
use super::table::{Column, Table};
use super::ui::DIM;
use crate::deb::owners;
use crate::drivers::Rule;
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::realize::VulkanRuntime;
use crate::suggest::suggest;
use crate::text;
use crate::tree::path::file_name;
use crate::tree::{Listing, Node, show};
use crate::trim::Sum;

/// Shows the size of a Vulkan runtime beside that of its root; with `explain`, the reasons for its files.
pub(super) fn runtime(session: &Session, lock: &Lock, name: &str, explain: bool) -> Result<u8> {
    let ui = &session.ui;
    let runtime = session.realizer(lock, None)?.explain_drivers(name)?;
    let (full, kept) = (Sum::of(&runtime.root.listing()?), Sum::of(&runtime.listing));
    let (rules, host) = (by_rule(&runtime), host(&runtime)?);
    if ui.is_json() {
        let mut value = json!({ "output": name, "full": sum(full), "trimmed": sum(kept) });
        if explain {
            let reasons = rules.iter().map(|(rule, sum)| labelled(rule.label(), &rule.to_string(), *sum));
            value["reasons"] = reasons.collect();
            value["left_out"] = Value::Array(Vec::new());
            value["host"] = host
                .into_iter()
                .map(|(library, packages, by)| json!({ "library": library, "packages": packages, "needed_by": by }))
                .collect();
            value["files"] = files(&runtime);
        }
        ui.json(value);
        return Ok(0);
    }
    let mut table = sums("tree");
    row(&mut table, "the whole root", full, "");
    row(&mut table, name, kept, "");
    ui.table(&table);
    if explain {
        let mut kept = sums("kept");
        for (rule, sum) in largest_first(rules) {
            row(&mut kept, rule.label(), sum, &rule.to_string());
        }
        let head = [Column::name("from the system"), Column::text("package of the root"), Column::name("needed by")];
        let mut system = Table::new(head);
        for (library, packages, by) in host {
            let by = if let [one] = by.as_slice() { one.clone() } else { text::counted(by.len(), "file") };
            system.row([library, packages.into_iter().collect::<Vec<_>>().join(", "), by]);
        }
        for table in [kept, system] {
            ui.line("");
            ui.table(&table);
        }
    }
    Ok(0)
}

/// Explains why a file is in a Vulkan runtime.
pub(super) fn why(session: &Session, lock: &Lock, name: &str, path: &[u8]) -> Result<u8> {
    let ui = &session.ui;
    let runtime = session.realizer(lock, None)?.explain_drivers(name)?;
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let chain = runtime.collected.why(path);
    let Some((installed, _)) = chain.last() else { return not_kept(session, name, &runtime, path) };
    let size = size(&runtime.listing, &runtime.prefix, installed);
    let told = |rule: &Option<Rule>| match rule {
        Some(rule) => (rule.label(), rule.to_string()),
        None => ("engine", "is a file of the engine".to_owned()),
    };
    if ui.is_json() {
        let steps: Vec<_> = chain
            .iter()
            .map(|(path, rule)| {
                let (rule, because) = told(rule);
                json!({ "path": show(path), "rule": rule, "because": because })
            })
            .collect();
        ui.json(json!({ "output": name, "path": show(installed), "size": size, "kept": true, "chain": steps }));
        return Ok(0);
    }
    ui.line(format!("{}{}", show(installed), size.map_or_else(String::new, |size| format!(", {}", text::bytes(size)))));
    let mut table = Table::new([Column::word("rule"), Column::name("path"), Column::text("because").styled(DIM)]);
    for (path, rule) in &chain {
        let (rule, because) = told(rule);
        table.row([rule, &show(path), &because]);
    }
    ui.table(&table);
    Ok(0)
}

/// Tells of a file of the root that it is not kept. Fails if the root has no such file.
fn not_kept(session: &Session, name: &str, runtime: &VulkanRuntime, path: &[u8]) -> Result<u8> {
    let root = runtime.root.listing()?;
    let inner = path.strip_prefix(b"/").unwrap_or(path);
    let Some(entry) = root.get(inner).filter(|entry| entry.node != Node::Directory) else {
        let names: BTreeSet<String> = runtime.collected.kept.keys().map(|path| show(path)).collect();
        let wrong = show(path);
        let last = show(file_name(path));
        let same = names.iter().find(|name| name.rsplit('/').next() == Some(last.as_str()));
        let hint = match same {
            Some(same) => format!("did you mean `{}`?", show(&runtime.collected.installed(same.as_bytes()))),
            None => suggest(&wrong, names.iter().map(String::as_str)),
        };
        return Err(
            Error::new(Kind::NotFound, format!("missing from the runtime and from its root: `{wrong}`")).hint(hint)
        );
    };
    let size = if let Node::File { size, .. } = entry.node { Some(size) } else { None };
    let because = "is needed by neither loader nor drivers nor engine, or is the C library's";
    let path = show(&[b"/", inner].concat());
    if session.ui.is_json() {
        let left_out = json!({ "rule": "root", "because": because });
        session.ui.json(json!({ "output": name, "path": path, "size": size, "kept": false, "left_out": left_out }));
    } else {
        session.ui.line(format!("{path} is not in the runtime: it {because}"));
    }
    Ok(0)
}

fn size(listing: &Listing, prefix: &str, installed: &[u8]) -> Option<u64> {
    let inner = installed.strip_prefix(prefix.as_bytes())?.strip_prefix(b"/")?;
    if let Node::File { size, .. } = listing.get(inner)?.node { Some(size) } else { None }
}

fn by_rule(runtime: &VulkanRuntime) -> BTreeMap<Rule, Sum> {
    let mut all: BTreeMap<Rule, Sum> = BTreeMap::new();
    for (path, kept) in &runtime.collected.kept {
        if let Some(entry) = runtime.listing.get(path) {
            all.entry(kept.rule).or_default().add(Some(&entry.node));
        }
    }
    all
}

/// Name of a library of the C library, the packages of the root that have it, and the files that need it.
type HostLibrary = (String, BTreeSet<String>, Vec<String>);

/// Returns the libraries of the C library.
fn host(runtime: &VulkanRuntime) -> Result<Vec<HostLibrary>> {
    let names: Vec<String> = runtime.collected.host.keys().map(|name| show(name)).collect();
    let packages = owners(&runtime.root.path, &names.iter().map(String::as_str).collect())?;
    let by = runtime.collected.host.values().map(|by| by.iter().map(|path| show(path)).collect());
    let all = names.iter().zip(by);
    Ok(all.map(|(name, by)| (name.clone(), packages.get(name).cloned().unwrap_or_default(), by)).collect())
}

/// Returns every file and link of the runtime with the rule that keeps it.
fn files(runtime: &VulkanRuntime) -> Value {
    let mut all = BTreeMap::new();
    for (path, kept) in &runtime.collected.kept {
        let size = runtime
            .listing
            .get(path)
            .and_then(|entry| if let Node::File { size, .. } = entry.node { Some(size) } else { None });
        all.insert(show(path), json!({ "rule": kept.rule.label(), "by": kept.by.as_deref().map(show), "size": size }));
    }
    json!(all)
}
