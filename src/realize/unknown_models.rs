//! Warns of models that the pinned llama.cpp does not support and would refuse to load.

use crate::error::{Kind, Result};
use crate::gguf::{self, Header};
use crate::inputs::LockedInput;
use crate::llama_source::Knowledge;
use crate::lock::Lock;
use crate::recipe::Recipe;
use crate::store::Store;

/// Returns a sentence for each model of the lock that a llama.cpp of the lock does not support. Uses no network:
/// sources that the store lacks are skipped, and tensor types are checked only for models that the store has.
pub fn unknown_models(lock: &Lock, store: &Store) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for (name, knowledge) in builds(lock, store)? {
        for (model, input) in &lock.inputs {
            let Some(facts) = input.gguf() else { continue };
            let unknown = knowledge.lacks(facts, &headers(store, input)?);
            if !unknown.is_empty() {
                told.push(format!(
                    "{model}: the llama.cpp of `{name}` does not know {}, and will not load the model: `strixlock \
                     update {name}` takes a newer one, or name a commit, tag or fork that knows it",
                    unknown.join(", ")
                ));
            }
        }
    }
    Ok(told)
}

/// Returns the inputs that are sources of llama.cpp, with their supported architectures and types.
fn builds(lock: &Lock, store: &Store) -> Result<Vec<(String, Knowledge)>> {
    let mut found: Vec<(String, Knowledge)> = Vec::new();
    for output in lock.outputs.values() {
        let Recipe::Llama(recipe) = &output.recipe else { continue };
        let pin = lock.inputs.get(&recipe.source).and_then(|input| input.tree());
        let tree = pin.and_then(|pin| store.tree(pin.digest));
        if let Some(tree) = tree.filter(|_| found.iter().all(|(name, _)| *name != recipe.source)) {
            found.push((recipe.source.clone(), Knowledge::read(&tree)?));
        }
    }
    Ok(found)
}

/// Returns the headers of a model's files that are in the store. Skips malformed files: pinning them gave a warning.
fn headers(store: &Store, input: &LockedInput) -> Result<Vec<Header>> {
    let mut all = Vec::new();
    for file in input.model_files().iter().filter(|file| gguf::is_name(&file.path)) {
        let Some(path) = store.download(file.sha256) else { continue };
        match Header::open(&path) {
            Ok(header) => all.extend(header),
            Err(error) if error.kind() == Kind::Invalid => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}
