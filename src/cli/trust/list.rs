//! `strixlock trust list`

use serde_json::{Value, json};

use super::{key_json, validity};
use crate::cli::Session;
use crate::cli::paths::shown;
use crate::cli::table::{Column, Table};
use crate::error::Result;
use crate::text::{rfc3339, visible};
use crate::trust::{Signer, Trusted};

pub(super) fn run(session: &Session) -> Result<()> {
    let ui = &session.ui;
    let trusted = Trusted::load(&session.trusted_file()?)?;
    let ignored: Vec<_> =
        trusted.ignored().iter().map(|one| json!({ "line": one.line, "why": visible(&one.why) })).collect();
    let value = json!({
        "file": trusted.file().display().to_string(),
        "keys": trusted.signers().iter().map(|signer| to_json(signer, session.now)).collect::<Vec<_>>(),
        "ignored": ignored,
    });
    ui.result(value, || {
        if trusted.signers().is_empty() {
            ui.line("no key is trusted");
        } else {
            ui.table(&table(trusted.signers(), session.now));
        }
    });
    for one in trusted.ignored() {
        ui.warning(&format!("{}:{}: passed over: {}", shown(trusted.file()), one.line, visible(&one.why)));
    }
    Ok(())
}

fn to_json(signer: &Signer, now: i64) -> Value {
    let mut value = key_json(&visible(signer.name()), signer.key());
    value["valid_after"] = signer.valid_after().and_then(rfc3339).into();
    value["valid_before"] = signer.valid_before().and_then(rfc3339).into();
    value["refused"] = signer.refusal(now).into();
    value
}

fn table(signers: &[Signer], now: i64) -> Table {
    let mut table = Table::new([
        Column::name("name"),
        Column::name("fingerprint"),
        Column::word("type"),
        Column::text("comment").spare(),
        Column::text("valid"),
        Column::text(""),
    ]);
    for signer in signers {
        let key = signer.key();
        table.row([
            visible(signer.name()),
            key.fingerprint(),
            key.kind(),
            visible(key.comment()),
            validity(signer),
            signer.refusal(now).unwrap_or_default().to_owned(),
        ]);
    }
    table
}
