//! A pinned git commit in REPRODUCIBLE.md and rebuild.sh.

use super::GitPin;
use crate::page::script::Script;
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
    fact(page, "made", &format!("{}, build number {}", text::date(pin.time), pin.number));
    for patch in &pin.patches {
        fact(page, "patch", &format!("{} {}", patch.path, patch.sha256));
    }
    for (path, submodule) in &pin.submodules {
        fact(page, "submodule", &format!("{path} {} {}", submodule.commit, submodule.url));
    }
    pin.content.report(page);
    // The same commit with other patches is another tree.
    let directory = format!("source-{}", &pin.content.digest.hex()[..12]);
    let [nar, content] = pin.content.commands(&directory);
    let submodules = if pin.submodules.is_empty() {
        String::new()
    } else {
        format!(" && git -C {directory} submodule update --init --recursive")
    };
    let mut steps = vec![
        format!("git clone --quiet --no-checkout -- {} {directory}", text::shell_word(&pin.url)),
        // The raw blobs: git's own conversions are switched off, unless something overrides that.
        format!("echo '* -text -eol -ident -filter -working-tree-encoding' > {directory}/.git/info/attributes"),
        format!("git -C {directory} rev-parse {}^{{tree}}   # {}", pin.commit, pin.tree),
        format!(
            "git -C {directory} rev-list --count {}   # the build number, where no tag b<number> says it",
            pin.commit
        ),
        format!("git -C {directory} checkout --quiet {}{submodules}", pin.commit),
    ];
    // The usual place of the manifest is beside this page.
    let files = pin.patches.iter().map(|patch| (text::shell_word(&format!("manifests/{}", patch.path)), patch.sha256));
    for (file, digest) in files {
        steps.push(format!("sha256sum < {file}   # {}", digest.hex()));
        steps.push(format!("git -C {directory} apply - < {file}"));
    }
    steps.extend([format!("find {directory} -name .git -prune -exec rm -rf {{}} +"), nar, content]);
    commands(page, &steps.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Returns a sentence about what nobody else verifies.
pub(super) fn unverified(pin: &GitPin) -> String {
    format!("That {} is the commit that its authors meant is the word of the server that sent it.", &pin.commit[..12])
}

/// Adds the commands that check out the commit with its submodules and patches.
pub(super) fn rebuild(name: &str, pin: &GitPin, script: &mut Script) -> Result<(), String> {
    script.functions(include_str!("rebuild.sh"));
    let directory = format!("inputs/{name}");
    let reference = pin.reference.as_deref().unwrap_or_default();
    script.run(&["checkout", &directory, &pin.commit, &pin.tree, &pin.url, reference]);
    for (number, patch) in pin.patches.iter().enumerate() {
        // Of the path only the digest is used as a name.
        let to = format!("downloads/{}.patch", patch.sha256.hex());
        script.note(&format!("patch {} of {name}: {}", number + 1, patch.path));
        script.embed(&to, &patch.path, patch.sha256)?;
        script.run(&["apply", &directory, &to]);
    }
    // Outer ones first: they make the directories of the inner ones.
    for (path, submodule) in &pin.submodules {
        script.run(&["checkout", &format!("{directory}/{path}"), &submodule.commit, "", &submodule.url, ""]);
    }
    Ok(())
}
