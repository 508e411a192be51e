//! `strixlock remote add` and `strixlock remote remove`

use std::path::Path;

use serde_json::json;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

use crate::cli::Session;
use crate::cli::paths::shown;
use crate::cli::session::remote_name;
use crate::error::{Error, Kind, Result};
use crate::remote::Address;
use crate::store::replace_file;

/// Add a remote to the configuration
///
/// `realize` then asks it before building. Logins are those of podman and docker: `podman login HOST`.
#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Its name, by which commands know it
    #[arg(value_name = "NAME", value_parser = remote_name)]
    name: String,
    /// Its address: `oci://HOST[:PORT]/REPOSITORY`, `file:///PATH`, `s3://BUCKET/PREFIX`, or `https://HOST/PATH`, which
    /// is only read
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// Write it to strixlock.toml of the project, for all who work on it, in place of your own configuration
    #[arg(long)]
    project: bool,
}

/// Remove a remote from the configuration; what it has stays there
#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
}

pub fn add(args: &AddArgs, session: &Session) -> Result<u8> {
    let (name, address) = (&args.name, args.address.to_string());
    let known = session.remotes()?.into_iter().find(|remote| remote.name == *name);
    if let Some(known) = known.as_ref().filter(|known| known.address != args.address) {
        return Err(Error::new(Kind::Usage, format!("there is a remote `{name}` already"))
            .fact("address", &known.address)
            .hint(format!("`strixlock remote remove {name}` removes it")));
    }
    let file = session.remotes_file(args.project)?;
    if known.is_none() {
        change(&file, |remotes| {
            let mut table = Table::new();
            table.insert("name", Item::Value(Value::from(name.as_str())));
            table.insert("address", Item::Value(Value::from(address.as_str())));
            remotes.push(table);
        })?;
    }
    let json =
        json!({ "name": name, "address": address, "added": known.is_none(), "file": file.display().to_string() });
    session.ui.result(json, || {
        let how = if known.is_none() { "added to" } else { "is in the configuration already;" };
        let place = if known.is_none() { format!(" {}", shown(&file)) } else { " nothing to add".to_owned() };
        session.ui.line(format!("{name} {address} {how}{place}"));
    });
    Ok(0)
}

pub fn remove(args: &RemoveArgs, session: &Session) -> Result<u8> {
    let name = &args.name;
    let known = session.remote(Some(name))?;
    let mut changed = Vec::new();
    for of_project in [true, false] {
        let file = session.remotes_file(of_project)?;
        let mut found = false;
        if file.is_file() {
            change(&file, |remotes| {
                let before = remotes.len();
                remotes.retain(|table| table.get("name").and_then(Item::as_str) != Some(name));
                found = remotes.len() < before;
            })?;
        }
        if found {
            changed.push(file);
        }
    }
    if changed.is_empty() {
        return Err(Error::failure(format!("the remote `{name}` stands in no table [[remotes]] of a file"))
            .hint("`strixlock config show` tells where it comes from"));
    }
    let files: Vec<String> = changed.iter().map(|file| file.display().to_string()).collect();
    session.ui.result(json!({ "name": name, "address": known.address.to_string(), "files": files }), || {
        for file in &changed {
            session.ui.line(format!("{name} removed from {}", shown(file)));
        }
    });
    Ok(0)
}

/// Changes the remotes in a configuration file; all else in it stays as it is.
fn change(file: &Path, edit: impl FnOnce(&mut ArrayOfTables)) -> Result<()> {
    let old = match fs_err::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let mut document: DocumentMut = old
        .parse()
        .map_err(|error: toml_edit::TomlError| Error::new(Kind::Invalid, "the file is not TOML").because(&error))?;
    let remotes = document.entry("remotes").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let Item::ArrayOfTables(remotes) = remotes else {
        return Err(Error::new(
            Kind::Invalid,
            "`remotes` is not written as tables [[remotes]], and cannot be changed here",
        )
        .fact("file", file.display())
        .hint("change it in an editor"));
    };
    edit(remotes);
    if remotes.is_empty() {
        document.remove("remotes");
    }
    let new = document.to_string();
    if new == old {
        return Ok(());
    }
    fs_err::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
    // A link stays one, and leads to the new text.
    let place = fs_err::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    replace_file(&place, new.as_bytes())
}
