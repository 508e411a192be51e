//! Input kind `huggingface`: a model of the Hugging Face hub. [`crate::upstream::huggingface`] reads the hub's answers.
//!
//! ```toml
//! [inputs.model]
//! type = "huggingface"
//! model = "unsloth/gemma-3-1b-it-GGUF:Q4_K_M"   # or repo = "unsloth/gemma-3-1b-it-GGUF" with
//! file = "gemma-3-1b-it-Q4_K_M.gguf"            # a file, of a split model its first part, or
//! quantisation = "Q4_K_M"
//! revision = "main"                             # a branch, tag or commit
//! endpoints = ["https://hub.example"]           # hubs to ask in place of https://huggingface.co
//! ```

mod pin;
mod report;
mod resolve;
mod supply;

use super::Request;
use crate::error::Result;
use crate::fields::{SourceText, Table, urls};
use crate::upstream::huggingface::{
    HuggingfaceRequest, ModelChoice, is_file, is_quantisation, is_repository, is_revision, parse_model,
};

pub use pin::HuggingfacePin;

impl Request for HuggingfaceRequest {
    type Pin = HuggingfacePin;

    fn parse(source: &SourceText, fields: &Table) -> Result<Self> {
        let revision = match fields.text("revision")? {
            None => "main".to_owned(),
            Some(text) if is_revision(text.get_ref()) => text.into_inner(),
            Some(text) => {
                return Err(source.error(text.span(), "this cannot be a revision", "a branch, tag or commit"));
            }
        };
        let endpoints = urls(source, fields.texts("endpoints")?.unwrap_or_default())?;
        let (repo, model) = model(source, fields)?;
        Ok(Self { repo, revision, model, endpoints })
    }

    fn asks(&self) -> Result<Vec<String>> {
        Ok(self.hubs()?.iter().map(ToString::to_string).collect())
    }
}

fn model(source: &SourceText, fields: &Table) -> Result<(String, ModelChoice)> {
    let (repo, file, quantisation) = (fields.text("repo")?, fields.text("file")?, fields.text("quantisation")?);
    if let Some(text) = fields.text("model")? {
        if repo.is_some() || file.is_some() || quantisation.is_some() {
            return Err(source.error(
                text.span(),
                "`model` says repository and quantisation already",
                "or leave it out",
            ));
        }
        let parsed = parse_model(text.get_ref());
        return parsed.ok_or_else(|| {
            source.error(
                text.span(),
                "this is not the name of a model",
                "such as \"unsloth/gemma-3-1b-it-GGUF:Q4_K_M\"",
            )
        });
    }
    let repo = repo.ok_or_else(|| fields.missing("model", &["repo"]))?;
    if !is_repository(repo.get_ref()) {
        return Err(source.error(
            repo.span(),
            "this is not the name of a repository",
            "such as \"unsloth/gemma-3-1b-it-GGUF\"",
        ));
    }
    let model = match (file, quantisation) {
        (Some(_), Some(text)) => {
            return Err(source.error(
                text.span(),
                "only one of `file` and `quantisation` can be given",
                "this is the second",
            ));
        }
        (Some(text), None) if is_file(text.get_ref()) => ModelChoice::File(text.into_inner()),
        (Some(text), None) => {
            return Err(source.error(
                text.span(),
                "this is not the path of a file in a repository",
                "such as \"model.gguf\"",
            ));
        }
        (None, Some(text)) if is_quantisation(text.get_ref()) => ModelChoice::Quantisation(text.into_inner()),
        (None, Some(text)) => {
            return Err(source.error(text.span(), "this is not a quantisation", "such as \"Q4_K_M\""));
        }
        (None, None) => return Err(fields.missing("file", &["quantisation"])),
    };
    Ok((repo.into_inner(), model))
}
