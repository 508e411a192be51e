//! The grounds for believing each thing of a lock, and the commands that repeat them, for pages of another form.

use super::{Describe as _, Known, is_of_one_machine, known_facts, outputs, sure, tree};
use crate::inputs::Trust;
use crate::lock::Lock;
use crate::page::blocks;
use crate::recipe::each_output;

/// A thing of a lock, with the grounds for believing what the lock says of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The name of the input or output.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// The claim that the commands show.
    pub claim: &'static str,
    /// The grounds, in words.
    pub sure: String,
    /// True for outputs.
    pub is_output: bool,
    /// True if somebody besides the first download or the first build says so.
    pub is_repeated: bool,
    /// True for what was made with the host's own root.
    pub is_of_one_machine: bool,
    /// The commands, for bash. Some use the function `tree_digest`.
    pub commands: Vec<String>,
}

/// Returns the evidence for all inputs, then for all outputs in the order in which they are made.
#[must_use]
pub fn evidence(lock: &Lock, known: &Known) -> Vec<Evidence> {
    let inputs = lock.inputs.iter().map(|(name, input)| {
        let (mut page, trust) = (String::new(), input.trust());
        input.report(&mut page);
        input.lists(name, &mut page);
        Evidence {
            name: name.clone(),
            kind: input.kind().name(),
            claim: "what upstream serves is what was pinned",
            is_repeated: matches!(trust, Trust::Signed(_) | Trust::Published | Trust::Own),
            sure: trust.words(),
            is_output: false,
            is_of_one_machine: false,
            commands: blocks(&page).map(str::to_owned).collect(),
        }
    });
    let outputs = outputs(lock).map(|(name, output)| {
        let expected = tree(lock, name, output, known);
        let digest = expected.map_or_else(String::new, |digest| format!("   # {digest}"));
        let place = format!("check/{name}");
        let mut commands = vec![format!("strixlock realize {name} --to check"), format!("tree_digest {place}{digest}")];
        let fact = known_facts(known, name);
        commands.extend(each_output!(&output.recipe, recipe => recipe.checks(&place, &fact)));
        let is_repeated = output.tree.is_some()
            || output.recipe.published().is_some()
            || known.of(name).is_some_and(|realized| realized.twice);
        Evidence {
            name: name.clone(),
            kind: output.recipe.kind(),
            claim: "made again, it is this tree",
            sure: sure(name, output, known).to_owned(),
            is_output: true,
            is_repeated,
            is_of_one_machine: is_of_one_machine(lock, name),
            commands,
        }
    });
    inputs.chain(outputs).collect()
}
