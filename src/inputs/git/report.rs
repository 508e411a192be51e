//! Writes a pinned git commit to REPRODUCIBLE.md.

use super::GitPin;
use crate::page::{commands, fact};
use crate::text;

pub(super) fn report(page: &mut String, pin: &GitPin) {
    fact(page, "url", &pin.url);
    if let Some(reference) = &pin.reference {
        fact(page, "ref", reference);
    }
    if !pin.tags.is_empty() {
        fact(page, "tags", &pin.tags.join(", "));
    }
    fact(page, "commit", &pin.commit);
    fact(page, "git tree", &pin.tree);
    fact(page, "committed", &text::date(pin.time));
    fact(page, "build number", &pin.number.to_string());
    for patch in &pin.patches {
        fact(page, "patch", &format!("{} {}", patch.path, patch.sha256));
    }
    for (path, submodule) in &pin.submodules {
        fact(page, "submodule", &format!("{path} {} {}", submodule.commit, submodule.url));
    }
    pin.content.report(page);
    let [nar, content] = pin.content.commands("source");
    let submodules =
        if pin.submodules.is_empty() { "" } else { " && git -C source submodule update --init --recursive" };
    let mut steps = vec![
        format!("git clone --quiet --no-checkout -- {} source", text::shell_word(&pin.url)),
        // The raw blobs: git's own conversions are switched off, unless something overrides that.
        "echo '* -text -eol -ident -filter -working-tree-encoding' > source/.git/info/attributes".to_owned(),
        format!("git -C source rev-parse {}^{{tree}}   # {}", pin.commit, pin.tree),
        format!("git -C source rev-list --count {}   # the build number, where no tag b<number> says it", pin.commit),
        format!("git -C source checkout --quiet {}{submodules}", pin.commit),
    ];
    // The usual place of the manifest is beside this page.
    let files = pin.patches.iter().map(|patch| (text::shell_word(&format!("manifests/{}", patch.path)), patch.sha256));
    for (file, digest) in files {
        steps.push(format!("sha256sum < {file}   # {}", digest.hex()));
        steps.push(format!("git -C source apply - < {file}"));
    }
    steps.extend(["find source -name .git -prune -exec rm -rf {} +".to_owned(), nar, content]);
    commands(page, &steps.iter().map(String::as_str).collect::<Vec<_>>());
}
