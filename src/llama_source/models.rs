//! Models that a pinned llama.cpp supports, read from the text of its sources.
//!
//! Versions differ, so no list of models is built in. `src/llama-arch.cpp` contains the name of each architecture as a
//! string literal, and `ggml/include/ggml.h` numbers the types of tensors. Sources without these texts are not
//! llama.cpp's, or have a newer form: nothing is reported for them.

use std::collections::BTreeSet;

use super::read;
use crate::error::Result;
use crate::gguf::{Gguf, Header};
use crate::store::StoredTree;

const ARCHITECTURES: &str = "src/llama-arch.cpp";
const TYPES: &str = "ggml/include/ggml.h";

/// Architectures and tensor types that a version of llama.cpp supports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knowledge {
    architectures: BTreeSet<String>,
    types: BTreeSet<u32>,
}

impl Knowledge {
    /// Reads them from the sources.
    pub fn read(source: &StoredTree) -> Result<Self> {
        let text = |path| Ok::<_, crate::error::Error>(read(source, path)?.unwrap_or_default());
        Ok(Self { architectures: architectures(&text(ARCHITECTURES)?), types: types(&text(TYPES)?) })
    }

    /// Describes the architecture and tensor types of a model that are unsupported.
    #[must_use]
    pub fn lacks(&self, model: &Gguf, headers: &[Header]) -> Vec<String> {
        let mut unknown = Vec::new();
        if !self.architectures.is_empty() && !self.architectures.contains(&model.architecture) {
            unknown.push(format!("the architecture `{}`", model.architecture));
        }
        let used: BTreeSet<u32> = headers.iter().flat_map(|header| header.types.iter().copied()).collect();
        if !self.types.is_empty() {
            unknown.extend(used.difference(&self.types).map(|number| format!("the tensor type {number}")));
        }
        unknown
    }
}

/// Returns the names in lines such as `{ LLM_ARCH_LLAMA, "llama" },`.
fn architectures(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').trim_start();
        let rest = rest.strip_prefix(',')?.trim_start().strip_prefix('"')?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    text.split("LLM_ARCH_").skip(1).filter_map(name).collect()
}

/// Returns the numbers of `enum ggml_type`. Removed types stand in comments, and are not among them.
fn types(text: &str) -> BTreeSet<u32> {
    let body =
        text.split_once("enum ggml_type {").and_then(|(_, rest)| rest.split_once('}')).map_or("", |(body, _)| body);
    let code: Vec<&str> = body.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect();
    let (mut numbers, mut next) = (BTreeSet::new(), 0_u32);
    for entry in code.join(" ").split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, number) = entry.split_once('=').map_or((entry, None), |(name, number)| (name.trim(), Some(number)));
        next = number.and_then(|number| number.trim().parse().ok()).unwrap_or(next);
        if name.starts_with("GGML_TYPE_") && name != "GGML_TYPE_COUNT" {
            numbers.insert(next);
        }
        next = next.saturating_add(1);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCH: &str = r#"
static const std::map<llm_arch, const char *> LLM_ARCH_NAMES = {
    { LLM_ARCH_CLIP,             "clip"             }, // dummy, only used by llama-quantize
    { LLM_ARCH_LLAMA,            "llama"            },
    { LLM_ARCH_QWEN3MOE,         "qwen3moe"         },
    { LLM_ARCH_UNKNOWN,          "(unknown)"        },
};
        case LLM_ARCH_GEMMA3N:
"#;
    const GGML: &str = "
    // NOTE: always add types at the end of the enum to keep backward compatibility
    enum ggml_type {
        GGML_TYPE_F32     = 0,
        GGML_TYPE_F16     = 1,
        // GGML_TYPE_Q4_2 = 4, support has been removed
        GGML_TYPE_Q5_0    = 6,
        GGML_TYPE_Q5_1,
        GGML_TYPE_COUNT   = 40,
    };
";

    #[test]
    fn what_a_version_knows_is_read_from_its_text() {
        assert_eq!(architectures(ARCH).into_iter().collect::<Vec<_>>(), ["(unknown)", "clip", "llama", "qwen3moe"]);
        assert_eq!(types(GGML).into_iter().collect::<Vec<_>>(), [0, 1, 6, 7]);
        for text in ["", "enum ggml_type {", "LLM_ARCH_", "LLM_ARCH_X, \"", "enum ggml_type { = , A = 99999999999 }"] {
            assert!(types(text).is_empty() && architectures(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_it_does_not_know_is_named() {
        let known = Knowledge { architectures: architectures(ARCH), types: types(GGML) };
        let model = |architecture: &str| Gguf {
            architecture: architecture.to_owned(),
            quantisation: None,
            context: None,
            tensors: 1,
            parameters: 1,
        };
        let header = |types: &[u32]| Header { types: types.iter().copied().collect(), ..Header::default() };
        assert!(known.lacks(&model("llama"), &[header(&[0, 1]), header(&[7])]).is_empty());
        assert_eq!(
            known.lacks(&model("gemma3n"), &[header(&[0, 4]), header(&[250])]),
            ["the architecture `gemma3n`", "the tensor type 4", "the tensor type 250"]
        );
        assert!(Knowledge::default().lacks(&model("x"), &[header(&[250])]).is_empty());
    }
}
