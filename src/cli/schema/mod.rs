//! `strixlock schema`

mod markdown;

use serde_json::Value;

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::suggest::suggest;

/// Print a JSON schema: `manifest`, `lock`, `error`, or a command for what its --json prints
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// `manifest`, `lock`, `error` or a command
    #[arg(value_name = "NAME", required = true)]
    name: Vec<String>,
    /// Print it as a page with a table of keys
    #[arg(long)]
    markdown: bool,
}

/// Embeds the schemas of commands.
macro_rules! schemas {
    ($($name:literal)+) => {
        &[$(($name, include_str!(concat!("../../../docs/schema/json/", $name, ".schema.json")))),+]
    };
}

/// Schemas of files, by name.
const FILES: &[(&str, &str)] = &[
    ("manifest", include_str!("../../../docs/schema/strix.toml.schema.json")),
    ("lock", include_str!("../../../docs/schema/strix.lock.schema.json")),
];

/// Schemas of what commands print, by the command's words joined with hyphens.
const COMMANDS: &[(&str, &str)] = schemas! {
    "advisory-draft" "advisory-list" "advisory-show" "archive" "archive-list" "archive-prune" "archive-verify" "audit" "bench" "bisect"
    "check" "completions" "config-path" "config-show" "demo" "deploy"
    "diff" "doctor" "env" "error" "export-containerfile" "export-oci" "freeze"
    "gc" "generations" "hash" "init" "list-rocm" "lock-digest" "lock-merge" "lock-show" "log" "man" "outdated" "provision" "pull" "push" "realize" "remote-add" "remote-gc" "remote-list" "remote-ls" "remote-remove"
    "remote-verify" "report" "rollback"
    "runtime" "serve" "snapshot-restore" "snapshot-save" "status" "store" "store-pack" "switch" "thaw" "trust-add" "trust-list" "trust-remove" "up" "update" "validate" "verify"
    "version" "why"
};

/// Commands below which all commands print the same form.
const SHARED: [&str; 1] = ["bisect"];

pub fn run(args: &SchemaArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let name = args.name.join("-");
    let all = || FILES.iter().chain(COMMANDS);
    let of = |name: &str| all().find(|(known, _)| *known == name);
    // The commands below one may print what it prints.
    let shared = || {
        COMMANDS
            .iter()
            .find(|(known, _)| args.name.first().is_some_and(|first| first == known && SHARED.contains(known)))
    };
    let Some((_, text)) = of(&name).or_else(shared) else {
        return Err(Error::new(Kind::Usage, format!("there is no schema `{name}`"))
            .hint(suggest(&name, all().map(|(known, _)| *known))));
    };
    if !args.markdown {
        ui.line(text.trim_end());
        return Ok(0);
    }
    let schema: Value = serde_json::from_str(text)
        .map_err(|error| Error::failure("a schema of this program is damaged").because(&error))?;
    let page = markdown::page(&schema);
    ui.result(serde_json::json!({ "text": page }), || ui.line(page.trim_end()));
    Ok(0)
}
