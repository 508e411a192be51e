//! `strixlock runtime`

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::table::{Column, Table};
use super::{Session, Ui, drivers};
use crate::deb::owners;
use crate::error::Result;
use crate::realize::{Runtime, driver_output, runtime_output};
use crate::text;
use crate::tree::{Node, show};
use crate::trim::Sum;

/// Compare the runtime with the whole tree that it is taken from, and explain what is in it
///
/// The tree is that of ROCm, or the root of a Vulkan runtime. Computed from the realized trees, without network.
/// `strixlock why PATH` explains a single file.
#[derive(Debug, clap::Args)]
pub struct RuntimeArgs {
    /// Show sizes by reason, what was left out, and what the base system must provide
    #[arg(long)]
    explain: bool,
    /// Runtime to explain, if the lock has several
    #[arg(long, value_name = "OUTPUT")]
    output: Option<String>,
}

pub fn run(args: &RuntimeArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock()?;
    if let Some(name) = driver_output(lock, args.output.as_deref()) {
        return drivers::runtime(session, lock, &name, args.explain);
    }
    let name = runtime_output(lock, args.output.as_deref())?;
    let runtime = session.realizer(lock, None)?.explain(&name)?;
    let (full, kept) = (Sum::of(&runtime.rocm_listing), Sum::of(runtime.trimmed.listing()));
    let host = host(&runtime)?;
    if ui.is_json() {
        let mut value = json!({ "output": name, "full": sum(full), "trimmed": sum(kept) });
        if args.explain {
            value["reasons"] = reasons(&runtime);
            value["left_out"] = left_out(&runtime);
            value["host"] = host.iter().map(HostLibrary::to_json).collect();
            value["files"] = files(&runtime);
        }
        ui.json(value);
        return Ok(0);
    }
    let percent = kept.bytes.saturating_mul(1000).checked_div(full.bytes).unwrap_or(0);
    let mut table = sums("tree");
    row(&mut table, "the whole ROCm tree", full, "");
    row(&mut table, &name, kept, &format!("{}.{} % of its bytes", percent / 10, percent % 10));
    ui.table(&table);
    if args.explain {
        explain(ui, &runtime, &host);
    }
    Ok(0)
}

/// A library of the base system.
struct HostLibrary {
    name: String,
    /// Packages of the sysroot that contain it. `None` if there is no sysroot.
    packages: Option<BTreeSet<String>>,
    /// Files that need it.
    by: Vec<String>,
}

impl HostLibrary {
    fn to_json(&self) -> Value {
        json!({ "library": self.name, "packages": self.packages, "needed_by": self.by })
    }

    fn from(&self) -> String {
        match &self.packages {
            None => "from the host: the build has no sysroot".to_owned(),
            Some(packages) if packages.is_empty() => "in no package of the sysroot".to_owned(),
            Some(packages) => packages.iter().cloned().collect::<Vec<_>>().join(", "),
        }
    }
}

fn host(runtime: &Runtime) -> Result<Vec<HostLibrary>> {
    let names: BTreeSet<&str> = runtime.trimmed.host.keys().map(String::as_str).collect();
    let packages = match &runtime.sysroot {
        Some(sysroot) => Some(owners(&sysroot.path, &names)?),
        None => None,
    };
    let host = runtime.trimmed.host.iter().map(|(name, by)| HostLibrary {
        name: name.clone(),
        packages: packages.as_ref().map(|packages| packages.get(name).cloned().unwrap_or_default()),
        by: by.iter().map(|path| show(path)).collect(),
    });
    Ok(host.collect())
}

fn explain(ui: &Ui, runtime: &Runtime, host: &[HostLibrary]) {
    let mut kept = sums("kept");
    for (rule, sum) in largest_first(runtime.trimmed.by_rule()) {
        row(&mut kept, rule.label(), sum, &runtime.trimmed.because(rule));
    }
    let mut gone = sums("left out");
    for (kind, sum) in largest_first(runtime.trimmed.left_out_by_kind(&runtime.rocm_listing)) {
        row(&mut gone, kind.label(), sum, &kind.to_string());
    }
    let mut base =
        Table::new([Column::name("from the base system"), Column::text("package"), Column::name("needed by")]);
    for host in host {
        let by = match host.by.as_slice() {
            [one] => one.clone(),
            more => text::counted(more.len(), "file"),
        };
        base.row([host.name.clone(), host.from(), by]);
    }
    for table in [kept, gone, base] {
        ui.line("");
        ui.table(&table);
    }
}

pub(super) fn largest_first<Key>(sums: BTreeMap<Key, Sum>) -> Vec<(Key, Sum)> {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.bytes));
    sums
}

/// Returns an empty table of sums of files.
pub(super) fn sums(head: &'static str) -> Table {
    Table::new([
        Column::name(head),
        Column::number("size"),
        Column::number("files"),
        Column::number("links"),
        Column::text("because"),
    ])
}

pub(super) fn row(table: &mut Table, label: &str, sum: Sum, because: &str) {
    let links = if sum.links == 0 { String::new() } else { sum.links.to_string() };
    table.row([label, &text::bytes(sum.bytes), &sum.files.to_string(), &links, because]);
}

pub(super) fn sum(sum: Sum) -> Value {
    json!({ "files": sum.files, "links": sum.links, "bytes": sum.bytes })
}

pub(super) fn labelled(label: &str, because: &str, of: Sum) -> Value {
    let mut value = sum(of);
    value["rule"] = label.into();
    value["because"] = because.into();
    value
}

fn reasons(runtime: &Runtime) -> Value {
    let all = runtime.trimmed.by_rule();
    all.iter().map(|(rule, sum)| labelled(rule.label(), &runtime.trimmed.because(*rule), *sum)).collect()
}

fn left_out(runtime: &Runtime) -> Value {
    let all = runtime.trimmed.left_out_by_kind(&runtime.rocm_listing);
    all.iter().map(|(kind, sum)| labelled(kind.label(), &kind.to_string(), *sum)).collect()
}

/// Returns every file and link of the runtime with the rule that keeps it.
fn files(runtime: &Runtime) -> Value {
    let listing = runtime.trimmed.listing();
    let mut all = BTreeMap::new();
    for (path, reason) in &runtime.trimmed.kept {
        let size = listing
            .get(path)
            .and_then(|entry| if let Node::File { size, .. } = entry.node { Some(size) } else { None });
        let by = reason.by.as_deref().map(show);
        all.insert(show(path), json!({ "rule": reason.rule.label(), "by": by, "size": size }));
    }
    json!(all)
}
