//! Archives in REPRODUCIBLE.md and rebuild.sh: inputs of several kinds are one.

use url::Url;

use super::TreePin;
use crate::digest::Sha256Digest;
use crate::page::script::Script;
use crate::page::{commands, fact};
use crate::text::shell_word;

/// A pinned archive with the tree in it.
pub(super) struct Archive<'p> {
    /// The name of its file on the machine of whoever checks it.
    pub file: &'p str,
    /// The URLs.
    pub urls: &'p [Url],
    /// The digest.
    pub sha256: Sha256Digest,
    /// True if a directory around everything is taken off.
    pub wrapped: bool,
    /// The tree.
    pub tree: &'p TreePin,
}

impl Archive<'_> {
    /// Writes further URLs, and the commands by which anybody can compare archive and tree with the pin. `directory` is
    /// a word for the directory that it is unpacked to; a part of the digest is added to it.
    pub fn report(&self, page: &mut String, directory: &str) {
        for mirror in self.urls.iter().skip(1) {
            fact(page, "also at", mirror.as_str());
        }
        self.tree.report(page);
        // Another archive is unpacked to another directory.
        let directory = format!("{directory}-{}", &self.sha256.hex()[..12]);
        let (file, url) = (shell_word(self.file), self.urls.first().map(ToString::to_string).unwrap_or_default());
        let strip = if self.wrapped { " --strip-components=1" } else { "" };
        let [nar, tree] = self.tree.commands(&directory);
        commands(
            page,
            &[
                &format!("curl -fLo {file} {}", shell_word(&url)),
                &format!("sha256sum < {file}   # {}", self.sha256.hex()),
                &format!("mkdir {directory} && tar -xf {file} -C {directory}{strip} --no-same-owner"),
                &nar,
                &tree,
            ],
        );
    }

    /// Adds the commands to rebuild.sh that make the directory `inputs/NAME`.
    pub fn rebuild(&self, name: &str, script: &mut Script) {
        script.functions(include_str!("archive.sh"));
        let (file, hex) = (format!("downloads/{}", self.file), self.sha256.hex());
        let urls = self.urls.iter().map(Url::as_str);
        script.run(&[vec!["fetch", &file, &hex], urls.collect()].concat());
        let directory = format!("inputs/{name}");
        let mut unpack = vec!["unpack", &file, &directory];
        if self.wrapped {
            unpack.push("wrapped");
        }
        script.run(&unpack);
    }
}
