//! The keys that are trusted, and the key to sign with.

use std::path::{Path, PathBuf};

use super::Session;
use crate::cli::paths::expand;
use crate::error::{Error, Kind, Result};
use crate::trust::SigningKey;
use crate::upstream::git::user_setting;

impl Session {
    /// Returns the path of the file with the keys that are trusted, beside the user's configuration file. It is never
    /// one of the project: whoever can change a project's repository must not decide whose word counts.
    pub fn trusted_file(&self) -> Result<PathBuf> {
        // The last one is the user's.
        let config = self.config_files().into_iter().skip(1).next_back();
        let config = config.ok_or_else(|| {
            Error::new(Kind::NotFound, "there is no directory for your configuration")
                .hint("set HOME, or name a configuration file with `--config`")
        })?;
        Ok(std::path::absolute(config)?.with_file_name("allowed_signers"))
    }

    /// Returns the key to sign with: the named one, or git's.
    #[expect(clippy::unused_self, reason = "all that is set up from options and configuration comes from here")]
    pub fn signing_key(&self, named: Option<&Path>) -> Result<SigningKey> {
        if let Some(path) = named {
            return Ok(SigningKey::file(path.to_path_buf()));
        }
        SigningKey::of_git(user_setting, expand)?.ok_or_else(|| {
            Error::new(Kind::NotFound, "there is no SSH key to sign with")
                .fact("expected", "git's settings user.signingkey, and gpg.format with the value ssh")
                .hint(
                    "`git config --global gpg.format ssh` and `git config --global user.signingkey \
                     ~/.ssh/id_ed25519.pub` set them",
                )
        })
    }
}
