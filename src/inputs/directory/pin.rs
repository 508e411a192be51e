//! A pinned directory.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DirectoryRequest;
use crate::inputs::project::is_project_path;
use crate::inputs::{Block, Pinned, TreePin, Trust};
use crate::page::script::Script;
use crate::page::{commands, fact};
use crate::text::{shell_word, visible};

/// A pinned directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryPin {
    /// Its files.
    pub content: TreePin,
}

impl Pinned for Block<DirectoryRequest> {
    fn version(&self) -> String {
        format!("sha256:{}…", &self.locked.content.digest.hex()[..12])
    }

    fn short_version(&self) -> String {
        self.requested.path.clone()
    }

    fn size(&self) -> u64 {
        self.locked.content.size
    }

    fn visible(&self) -> Value {
        serde_json::json!({ "content": self.locked.content.digest })
    }

    fn fault(&self) -> Option<String> {
        let wrong = !is_project_path(&self.requested.path);
        wrong.then(|| format!("invalid path of a directory `{}`", visible(&self.requested.path)))
    }

    fn report(&self, page: &mut String) {
        fact(page, "directory", &format!("{}, relative to the manifest", self.requested.path));
        self.locked.content.report(page);
        // The usual place of the manifest is beside this page.
        let steps = self.locked.content.commands(&shell_word(&format!("manifests/{}", self.requested.path)));
        commands(page, &steps.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn trust(&self) -> Trust {
        Trust::Own
    }

    fn unverified(&self) -> Vec<String> {
        vec!["Files of this project: nobody else publishes or verifies them.".to_owned()]
    }

    fn rebuild(&self, name: &str, script: &mut Script) -> Result<(), String> {
        script.functions(include_str!("rebuild.sh"));
        let (path, to) = (format!("manifests/{}", self.requested.path), format!("inputs/{name}"));
        script.run(&["own", &path, &to, &self.locked.content.digest.to_string()]);
        Ok(())
    }

    fn tree(&self) -> Option<&TreePin> {
        Some(&self.locked.content)
    }
}
