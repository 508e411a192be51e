//! `strixlock hash`

use std::path::PathBuf;

use super::Session;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::tree::nar;
use crate::tree::scan::scan;

/// Print the tree digest of a directory
#[derive(Debug, clap::Args)]
pub struct HashArgs {
    /// The directory
    path: PathBuf,
    /// Print the NAR hash instead, as `nix hash path` does
    #[arg(long)]
    nar: bool,
    /// Print the NAR hash in Nix's base 32 instead of SRI
    #[arg(long, requires = "nar")]
    base32: bool,
    /// Print the listing that is hashed
    #[arg(long, conflicts_with = "nar")]
    listing: bool,
}

pub fn run(args: &HashArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    if !args.path.exists() {
        return Err(Error::new(Kind::NotFound, "there is no such directory").fact("path", args.path.display()));
    }
    if !args.path.is_dir() {
        return Err(Error::failure("expected a directory")
            .fact("path", args.path.display())
            .hint("use `sha256sum` for files"));
    }
    let listing = scan(&args.path)?;
    let nar = if args.nar { Some(nar::hash(&args.path, &listing)?) } else { None };
    if ui.is_json() {
        let mut all = serde_json::json!({
            "tree": listing.digest(),
            "nar": nar.map(|nar: Sha256Digest| if args.base32 { nar.nix_base32() } else { nar.sri() }),
            "entries": listing.entries().len(),
            "size": listing.total_size(),
        });
        if args.listing {
            // Names are bytes. JSON shows invalid UTF-8 in them as replacement characters.
            all["listing"] = String::from_utf8_lossy(&listing.to_bytes()).into();
        }
        ui.json(all);
    } else if args.listing {
        use std::io::Write as _;
        std::io::stdout().write_all(&listing.to_bytes())?;
    } else {
        match nar {
            Some(nar) if args.base32 => ui.line(nar.nix_base32()),
            Some(nar) => ui.line(nar.sri()),
            None => ui.line(listing.digest().to_string()),
        }
    }
    Ok(0)
}
