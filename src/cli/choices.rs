//! Words of the command line that stand for values of the library.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::export::Engine;
use crate::store::LinkMode;
use crate::validate::Device;

/// A word, its line in the help, and its value.
type Choice<T> = (&'static str, &'static str, T);

/// The words for [`LinkMode`].
const LINK_MODES: [Choice<LinkMode>; 4] = [
    ("auto", "Shared blocks where the file system can, else a copy", LinkMode::Auto),
    ("reflink", "Shared blocks, or an error", LinkMode::Reflink),
    (
        "hardlink",
        "The same file under a second name: no space, read-only, and a write through it damages the store",
        LinkMode::Hardlink,
    ),
    ("copy", "The bytes once more", LinkMode::Copy),
];

/// The words for [`Device`].
const DEVICES: [Choice<Device>; 2] =
    [("gpu", "The GPU, through the device nodes of ROCm", Device::Gpu), ("cpu", "The CPU alone", Device::Cpu)];

/// The words for [`Engine`].
const ENGINES: [Choice<Engine>; 8] = [
    ("distrobox", "distrobox: a toolbox that shares your home; writes distrobox.ini", Engine::Distrobox),
    ("toolbox", "toolbox: a toolbox that shares your home", Engine::Toolbox),
    ("podman", "podman: a container that stays, to be entered", Engine::Podman),
    ("docker", "docker: a container that stays, to be entered", Engine::Docker),
    ("quadlet", "A systemd unit for llama-server, run by podman", Engine::Quadlet),
    ("compose", "A compose file for llama-server", Engine::Compose),
    ("devcontainer", "A devcontainer.json for editors", Engine::Devcontainer),
    ("llama-swap", "A configuration of llama-swap, which starts llama-server when it is asked for", Engine::LlamaSwap),
];

/// Reads a [`LinkMode`].
pub(super) fn link_mode() -> impl TypedValueParser<Value = LinkMode> {
    one_of(&LINK_MODES)
}

/// Reads a [`Device`].
pub(super) fn device() -> impl TypedValueParser<Value = Device> {
    one_of(&DEVICES)
}

/// Reads an [`Engine`].
pub(super) fn engine() -> impl TypedValueParser<Value = Engine> {
    one_of(&ENGINES)
}

/// Reads one of these words; the help and the error for another word list them.
fn one_of<T: Copy + Send + Sync + 'static>(choices: &'static [Choice<T>]) -> impl TypedValueParser<Value = T> {
    let words = choices.iter().map(|(word, help, _)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(words).try_map(|text| {
        let found = choices.iter().find(|(word, ..)| *word == text);
        found.map(|(.., value)| *value).ok_or("not one of the words that are known")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_the_word_that_the_library_calls_it_by() {
        for (word, _, engine) in ENGINES {
            assert_eq!(word, engine.name());
        }
        for (word, _, device) in DEVICES {
            assert_eq!(word, device.name());
        }
    }
}
