//! Whose word counts.

use crate::cli::Session;
use crate::error::Result;
use crate::remote::Judge;
use crate::trust::Trusted;

/// Returns the judge of statements: the keys that the user trusts, now.
pub fn judge(session: &Session) -> Result<Judge> {
    // Without a home nobody can be trusted, and what the lock has the digest of needs nobody.
    let file = session.trusted_file().unwrap_or_default();
    Ok(Judge::new(Trusted::load(&file)?, session.now))
}
