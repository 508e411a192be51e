//! Writes a pinned git commit to REPRODUCIBLE.md.

use super::GitPin;
use crate::page::{commands, fact};
use crate::text;

pub(super) fn report(page: &mut String, pin: &GitPin) {
    fact(page, "url", &pin.url);
    if let Some(reference) = &pin.reference {
        fact(page, "ref", reference);
    }
    fact(page, "commit", &pin.commit);
    fact(page, "git tree", &pin.tree);
    fact(page, "committed", &text::date(pin.time));
    fact(page, "build number", &pin.number.to_string());
    for (path, submodule) in &pin.submodules {
        fact(page, "submodule", &format!("{path} {} {}", submodule.commit, submodule.url));
    }
    pin.content.report(page);
    let [nar, content] = pin.content.commands("source");
    let submodules =
        if pin.submodules.is_empty() { "" } else { " && git -C source submodule update --init --recursive" };
    commands(
        page,
        &[
            &format!("git clone --quiet --no-checkout -- {} source", text::shell_word(&pin.url)),
            // The raw blobs: git's own conversions are switched off, unless something overrides that.
            "echo '* -text -eol -ident -filter -working-tree-encoding' > source/.git/info/attributes",
            &format!("git -C source rev-parse {}^{{tree}}   # {}", pin.commit, pin.tree),
            &format!(
                "git -C source rev-list --count {}   # the build number, where no tag b<number> says it",
                pin.commit
            ),
            &format!("git -C source checkout --quiet {}{submodules}", pin.commit),
            "find source -name .git -prune -exec rm -rf {} +",
            &nar,
            &content,
        ],
    );
}
