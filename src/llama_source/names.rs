//! The table of spellings, `names.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

/// The table, compiled into the program. A test parses it, so the fallback is never used.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("names.toml")).unwrap_or_default());

/// Something that an option of a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// The number of tokens that a caller may hand over at once.
    Batch,
    /// The greatest number of pieces of a text to measure.
    Chunks,
    /// The number of tokens of context.
    Context,
    /// The device that computes.
    Device,
    /// A file with the prompt.
    File,
    /// Flash attention, which is faster on this GPU.
    FlashAttention,
    /// The number of tokens to generate.
    Generated,
    /// The number of layers on the GPU.
    GpuLayers,
    /// Print the options.
    Help,
    /// The address to listen on.
    Host,
    /// Go on after the end of the text: a model with random weights ends it at random.
    IgnoreEnd,
    /// Print the devices.
    ListDevices,
    /// The number of tokens that are computed at once.
    MicroBatch,
    /// The file of the model.
    Model,
    /// Complete the prompt, and do not chat.
    NoConversation,
    /// Print only the generated text.
    NoPromptShown,
    /// Skip the empty run before the first.
    NoWarmUp,
    /// The form of the output.
    Output,
    /// The number of requests that are answered at once.
    Parallel,
    /// The port to listen on.
    Port,
    /// The prompt; for the benchmark, the number of its tokens.
    Prompt,
    /// The number of runs.
    Repetitions,
    /// The random seed.
    Seed,
    /// Print without control sequences.
    SimpleTerminal,
    /// Report the speed.
    Speed,
    /// The temperature of sampling.
    Temperature,
    /// The number of threads.
    Threads,
    /// Read the model into memory instead of mapping its file.
    Unmapped,
    /// Print the version.
    Version,
}

/// A kind of program of llama.cpp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Measures speed.
    Bench,
    /// Chats in the terminal.
    Chat,
    /// Completes a prompt.
    Completion,
    /// Measures how well a model foretells a text.
    Perplexity,
    /// Lends a device to another machine.
    Rpc,
    /// Serves a model over HTTP.
    Server,
}

/// The table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub unsure: BTreeSet<Wish>,
    default_roots: Vec<String>,
    first_commands: Vec<Vec<String>>,
    asked: BTreeSet<String>,
    socket: String,
    pub options: BTreeMap<Wish, Vec<Vec<String>>>,
    programs: BTreeMap<Role, Program>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    names: Vec<String>,
    options: Place,
}

/// The place of a program's options in the source.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Place {
    /// Groups of `common/arg.cpp`, besides the options that all programs have.
    Groups(Vec<String>),
    /// A file of its own.
    File(String),
}

impl Wish {
    /// Returns the name of the option in its preferred spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.options.get(&self).and_then(|all| all.first()?.first()).map_or("", String::as_str)
    }

    /// Returns the spellings of all ages, for messages.
    #[must_use]
    pub fn spellings(self) -> String {
        let all = TABLE.options.get(&self).map_or(&[][..], Vec::as_slice);
        all.iter().map(|words| format!("`{}`", words.join(" "))).collect::<Vec<_>>().join(", ")
    }
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [Self::Bench, Self::Chat, Self::Completion, Self::Rpc, Self::Server];

    /// Returns the names of such programs, the newest first.
    #[must_use]
    pub fn names(self) -> &'static [String] {
        TABLE.programs.get(&self).map_or(&[], |program| &program.names)
    }

    /// Returns the name of the newest versions.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.names().first().map_or("", String::as_str)
    }

    /// Returns the role that has a program of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let first = |program: &Program| program.names.first().is_some_and(|own| own == name);
        let any = |program: &Program| program.names.iter().any(|own| own == name);
        let find = |fits: &dyn Fn(&Program) -> bool| TABLE.programs.iter().find(|(_, program)| fits(program));
        find(&first).or_else(|| find(&any)).map(|(role, _)| *role)
    }

    pub(super) fn place(self) -> Option<&'static Place> {
        TABLE.programs.get(&self).map(|program| &program.options)
    }
}

/// Returns the roots of a runtime whose manifest names none.
#[must_use]
pub fn default_roots() -> &'static [String] {
    &TABLE.default_roots
}

/// Returns true for a program without a role that has the options that all programs share.
#[must_use]
pub fn is_asked(program: &str) -> bool {
    TABLE.asked.contains(program)
}

/// Returns the ending of an address by which a server listens on a UNIX socket.
#[must_use]
pub fn socket_ending() -> &'static str {
    &TABLE.socket
}

/// Returns command lines by which one sees that something runs, the preferred one first.
#[must_use]
pub fn first_commands() -> &'static [Vec<String>] {
    &TABLE.first_commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let table: Table = toml::from_str(include_str!("names.toml")).unwrap();
        assert_eq!(table.options.len(), Wish::Version as usize + 1);
        assert_eq!(table.programs.len(), Role::Server as usize + 1);
        for (wish, spellings) in &table.options {
            assert!(!spellings.is_empty() && spellings.iter().all(|words| words[0].starts_with('-')), "{wish:?}");
        }
        assert!(table.programs.values().all(|program| !program.names.is_empty()));
    }

    #[test]
    fn a_name_that_two_roles_have_belongs_to_the_one_that_prefers_it() {
        assert_eq!(Role::of("llama-cli"), Some(Role::Chat));
        assert_eq!(Role::of("rpc-server"), Some(Role::Rpc));
        assert_eq!(Role::of("llama-quantize"), None);
    }
}
