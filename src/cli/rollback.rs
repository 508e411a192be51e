//! `strixlock rollback`

use super::Session;
use super::session::described;
use super::switch::go;
use crate::error::{Error, Kind, Result};

/// Switch to the next older generation
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {}

pub fn run(_args: &RollbackArgs, session: &Session) -> Result<u8> {
    let profile = session.profile_there()?;
    let current = profile.current()?.ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no generation to roll back from")
            .fact("profile", described(&profile))
            .hint("`strixlock realize` makes the first")
    })?;
    let older = profile.generations()?.into_iter().rfind(|number| *number < current).ok_or_else(|| {
        Error::new(Kind::NotFound, format!("there is no generation older than {current}"))
            .fact("profile", described(&profile))
    })?;
    go(session, &profile, older)
}
