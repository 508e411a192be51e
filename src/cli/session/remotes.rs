//! The remotes of the configuration.

use super::Session;
use super::config::{RemoteSetting, Switch, user_file};
use crate::error::{Error, Kind, Result};
use crate::suggest::suggest;

impl Session {
    /// Returns the remotes, in the order in which they are asked.
    pub fn remotes(&self) -> Result<Vec<RemoteSetting>> {
        Ok(self.config()?.remotes.iter().map(|set| set.value.clone()).collect())
    }

    /// Returns the remotes that are asked before something is built.
    pub fn remotes_to_ask(&self) -> Result<Vec<RemoteSetting>> {
        let asks = self.config()?.is_on(Switch::AskRemotes) && !self.is_offline();
        if asks { self.remotes() } else { Ok(Vec::new()) }
    }

    /// Returns the remote with this name or address; the first one of the configuration if none is named.
    pub fn remote(&self, name: Option<&str>) -> Result<RemoteSetting> {
        let all = self.remotes()?;
        let add = "`strixlock remote add team oci://registry.example/team/strix` adds one";
        let Some(name) = name else {
            return all.into_iter().next().ok_or_else(|| Error::new(Kind::NotFound, "there is no remote").hint(add));
        };
        if name.contains("://") {
            let address = name.parse().map_err(|fault| {
                Error::new(Kind::Usage, "invalid address of a remote").fact("address", name).fact("fault", fault)
            })?;
            return Ok(RemoteSetting { name: name.to_owned(), address });
        }
        let names: Vec<String> = all.iter().map(|remote| remote.name.clone()).collect();
        all.into_iter().find(|remote| remote.name == name).ok_or_else(|| {
            let error = Error::new(Kind::NotFound, format!("there is no remote `{name}`"));
            if names.is_empty() { error.hint(add) } else { error.hint(suggest(name, names.iter().map(String::as_str))) }
        })
    }

    /// Returns the file that remotes are added to: the project's, or the user's.
    pub fn remotes_file(&self, of_project: bool) -> Result<std::path::PathBuf> {
        if of_project {
            return Ok(self.project_file());
        }
        self.args.config.clone().or_else(user_file).ok_or_else(|| {
            Error::failure("there is no home directory for the configuration").hint("name a file with --config")
        })
    }
}
