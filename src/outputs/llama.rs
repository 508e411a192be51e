//! Output `llama`.

use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::lock::{Derive, Parts};
use crate::manifest::rules;
use crate::recipe::LlamaRecipe;
use crate::recipe::llama::{self, Hip, Source};

/// The number of compilers in the commands that are hashed: it shows in no output.
const JOBS: usize = 1;

impl Derive for LlamaRecipe {
    fn adds(&self, parts: &Parts) -> Result<Value> {
        let Some(LockedInput::Git(block)) = parts.inputs.get(&self.source) else {
            return Err(Error::new(Kind::Invalid, format!("`{}` is not a git input", self.source)));
        };
        let pin = &block.locked;
        let source = Source { commit: &pin.commit, number: pin.number, time: pin.time };
        let hip = match &self.rocm {
            None => None,
            Some(name) => {
                let (prefix, target) = parts.rocm(name)?;
                Some(Hip { prefix: prefix.to_owned(), target: target.clone() })
            }
        };
        Ok(json!({
            "environment": llama::environment(&source, hip.as_ref()),
            "commands": llama::commands(&llama::variables(self, &source, hip.as_ref()), JOBS),
            "launcher": hip.map(|_| llama::HIP_LAUNCHER),
        }))
    }

    fn fault(&self) -> Option<String> {
        let wrong = self.cmake.keys().find(|name| !rules::is_cmake_name(name));
        wrong.map(|_| "it names something that cannot be a CMake variable".to_owned())
    }
}
