//! `strixlock config`

use serde_json::{Value, json};

use super::Session;
use super::session::{Setting, variable};
use super::table::{Column, Table};
use super::ui::DIM;
use crate::error::Result;

/// Show settings and the files that they come from
#[derive(Debug, clap::Subcommand)]
pub enum ConfigCommand {
    /// Print each setting with its value and its origin
    ///
    /// An option takes precedence over an environment variable, that over strixlock.toml beside manifests/, that over
    /// the user's configuration file. The variable of a setting is STRIXLOCK_ and its name in capitals, with _ for -.
    Show,
    /// Print the paths of the configuration files, the project's first; they need not exist
    Path,
}

pub fn run(command: &ConfigCommand, session: &Session) -> Result<u8> {
    match command {
        ConfigCommand::Show => show(session),
        ConfigCommand::Path => {
            path(session);
            Ok(0)
        }
    }
}

fn show(session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let settings = session.settings()?;
    if ui.is_json() {
        let all: Vec<_> = settings.iter().map(to_json).collect();
        ui.json(json!({ "settings": all }));
        return Ok(0);
    }
    let mut table = Table::new([Column::word(""), Column::text(""), Column::name("").styled(DIM)]);
    for setting in &settings {
        table.row([setting.name.clone(), text(&setting.value), setting.origin.to_string()]);
    }
    ui.table(&table);
    Ok(0)
}

fn to_json(setting: &Setting) -> Value {
    json!({
        "name": setting.name,
        "value": setting.value,
        "origin": setting.origin,
        "variable": variable(&setting.name),
    })
}

/// Returns a value as it is shown to people.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(element) => {
            let part = |name| element.get(name).and_then(Value::as_str).unwrap_or_default();
            match element.get("address").and_then(Value::as_str) {
                Some(address) => format!("{} {address}", part("name")),
                None => format!("{} -> {}", part("of"), part("at")),
            }
        }
        other => other.to_string(),
    }
}

fn path(session: &Session) {
    let ui = &session.ui;
    let files = session.config_files();
    if ui.is_json() {
        let files: Vec<_> =
            files.iter().map(|path| json!({ "path": path.display().to_string(), "exists": path.is_file() })).collect();
        ui.json(json!({ "files": files }));
        return;
    }
    for path in files {
        ui.line(path.display().to_string());
    }
}
