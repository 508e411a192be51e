//! `strixlock version`

use serde_json::{Map, Value, json};

use super::Session;
use super::table::{Column, Table};
use super::ui::SCHEMA;
use crate::recipe::revisions;
use crate::store::VERSION;
use crate::{lock, tree};

/// Print the version, and those of everything that this program writes
///
/// The revision of a recipe is a part of the derivation ids of its outputs: two programs with the same revisions make
/// the same outputs from a lock.
#[derive(Debug, clap::Args)]
pub struct VersionArgs {}

/// The commit that the program was built from. `scripts/release` sets it.
const COMMIT: Option<&str> = option_env!("STRIXLOCK_COMMIT");

pub fn run(_args: &VersionArgs, session: &Session) -> u8 {
    let ui = &session.ui;
    let formats = formats();
    let recipes: Map<_, _> = revisions().into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect();
    if ui.is_json() {
        ui.json(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "commit": COMMIT,
            "target": target(),
            "formats": formats,
            "recipes": recipes,
        }));
        return 0;
    }
    ui.line(format!("strixlock {}", env!("CARGO_PKG_VERSION")));
    let mut table = Table::new([Column::word(""), Column::text("")]);
    table.row(["commit", COMMIT.unwrap_or("unknown")]);
    table.row(["target", &target()]);
    table.row(["formats", &list(formats.as_object().unwrap_or(&Map::new()))]);
    table.row(["recipes", &list(&recipes)]);
    ui.table(&table);
    0
}

/// Returns the formats of everything that this program writes.
pub fn formats() -> Value {
    // The file in a store says `strixlock-store 2`.
    let store: u64 = VERSION.trim().rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let snapshot = crate::export::snapshot::NEWEST;
    json!({ "lock": lock::FORMAT, "store": store, "listing": tree::FORMAT, "json": SCHEMA, "snapshot": snapshot })
}

fn list(versions: &Map<String, Value>) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    versions.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect::<Vec<_>>().join(", ")
}

/// Returns the machine that the program was built for.
fn target() -> String {
    let library = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-{}-{library}", std::env::consts::ARCH, std::env::consts::OS)
}
