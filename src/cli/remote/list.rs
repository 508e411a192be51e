//! `strixlock remote list`

use serde_json::json;

use crate::cli::Session;
use crate::cli::table::{Column, Table};
use crate::error::Result;

pub fn run(session: &Session) -> Result<u8> {
    let remotes = session.remotes()?;
    let rows: Vec<_> =
        remotes.iter().map(|remote| json!({ "name": remote.name, "address": remote.address.to_string() })).collect();
    session.ui.result(json!({ "remotes": rows }), || {
        let mut table = Table::new([Column::name("remote"), Column::text("address")]);
        for remote in &remotes {
            table.row([remote.name.clone(), remote.address.to_string()]);
        }
        session.ui.table(&table);
        if remotes.is_empty() {
            session.ui.line("no remote");
        }
    });
    Ok(0)
}
