//! The start line of llama-server.

use super::container::PORT;
use crate::llama_source::{Options, Role, Wish};

/// Returns the program and its arguments, in the words of the version that has these options. This GPU needs all layers
/// of the model, flash attention, and a model that is read into memory.
#[must_use]
pub fn server(options: &Options, model: &str) -> Vec<String> {
    let port = PORT.to_string();
    let wishes = [
        (Wish::Host, "0.0.0.0"),
        (Wish::Port, port.as_str()),
        (Wish::GpuLayers, "999"),
        (Wish::FlashAttention, ""),
        (Wish::Unmapped, ""),
        (Wish::Model, model),
    ];
    let words = wishes.into_iter().flat_map(|(wish, value)| options.words(wish, value));
    std::iter::once(Role::Server.name().to_owned()).chain(words).collect()
}
