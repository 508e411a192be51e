//! `strixlock trust add`

use std::path::Path;

use serde_json::json;
use url::Url;

use super::{key_json, told};
use crate::cli::Session;
use crate::cli::paths::expand;
use crate::error::{Error, Kind, Result};
use crate::fetch::Documents as _;
use crate::text::visible;
use crate::trust::{PublicKey, add, public_keys};
use crate::urls::show_url;

/// Size in bytes of the longest page of keys.
const LONGEST: u64 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Name of the signer
    #[arg(value_name = "NAME")]
    name: String,
    /// Key as in a .pub file, or the file, or a URL such as `https://github.com/NAME.keys` [default: the key that you sign
    /// with]
    #[arg(value_name = "KEY")]
    key: Vec<String>,
}

pub(super) fn run(args: &AddArgs, session: &Session) -> Result<()> {
    let ui = &session.ui;
    let keys = keys(&args.key.join(" "), session)?;
    let file = session.trusted_file()?;
    let added = add(&file, &args.name, &keys)?;
    let is_added = |key: &PublicKey| added.iter().any(|one| one.fingerprint() == key.fingerprint());
    let known: Vec<_> = keys.iter().filter(|key| !is_added(key)).collect();
    let to_json = |key: &PublicKey| key_json(&args.name, key);
    let value = json!({
        "file": file.display().to_string(),
        "added": added.iter().map(to_json).collect::<Vec<_>>(),
        "known": known.iter().map(|key| to_json(key)).collect::<Vec<_>>(),
    });
    ui.result(value, || {
        for key in &added {
            told(ui, "trusted", &args.name, key);
        }
        for key in &known {
            told(ui, "trusted already", &args.name, key);
        }
    });
    if !added.is_empty() {
        ui.note("compare the fingerprint with the key's owner, by another way than the one that the key came by");
    }
    Ok(())
}

/// Returns the keys that were named. Fails if there is none that can be used.
fn keys(written: &str, session: &Session) -> Result<Vec<PublicKey>> {
    if written.is_empty() {
        return Ok(vec![session.signing_key(None)?.public()?]);
    }
    let is_path = !written.contains(' ');
    let text = match Url::parse(written) {
        Ok(url) if is_path && written.contains("://") => {
            let page = session.fetcher()?.get(&url, LONGEST)?;
            return chosen(&String::from_utf8_lossy(&page.body), &show_url(&url), session);
        }
        _ if is_path => {
            let path = expand(Path::new(written)).map_err(|fault| Error::new(Kind::Usage, fault))?;
            read(&path)?
        }
        _ => written.to_owned(),
    };
    chosen(&text, if is_path { written } else { "the command line" }, session)
}

/// Returns the keys of a text. Warns of lines that cannot be used.
fn chosen(text: &str, origin: &str, session: &Session) -> Result<Vec<PublicKey>> {
    if text.contains("PRIVATE KEY-----") {
        return Err(Error::new(Kind::Usage, "expected a public key, not a private one")
            .fact("key", origin)
            .hint("the public half is in the file beside it that ends with .pub"));
    }
    let (keys, faults) = public_keys(text);
    if keys.is_empty() {
        let why = faults.first().map_or("no key", |fault| fault.strip_prefix("line 1: ").unwrap_or(fault));
        return Err(Error::new(Kind::Invalid, "there is no key that can be trusted")
            .fact("key", origin)
            .fact("found", visible(why)));
    }
    for fault in faults {
        session.ui.warning(&format!("{origin}: {}", visible(&fault)));
    }
    Ok(keys)
}

fn read(path: &Path) -> Result<String> {
    use std::io::Read as _;
    if !path.exists() {
        return Err(Error::new(Kind::NotFound, "missing key file").fact("path", path.display()));
    }
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
