//! Fields of an output of type `image`.
//!
//! ```toml
//! [outputs.server]
//! type = "image"
//! name = "strixlock/server"         # the image's own name; the output's name by default
//! base = "base"                     # root file system: an output of type sysroot, or
//! from = "ubuntu"                   # layers of an input of type oci, or neither: files to be mounted
//! runtime = "runtime"               # or rocm = "rocm", the whole tree
//! engine = "llama"                  # an output of type llama or cmake
//! program = "llama-server"          # program to run; a shell by default
//! user = "1000:1000"                # root by default
//! compression = "zstd"              # or "gzip"
//! certificates = ["company-ca"]     # inputs of type file: authorities that are trusted besides the base's
//! environment = { LLAMA_ARG_FLASH_ATTN = "on" }
//! labels = { "org.opencontainers.image.vendor" = "me" }
//! ```

use super::super::fields::{engine, pairs};
use crate::error::Result;
use crate::inputs::InputKind;
use crate::manifest::{Form, rules};
use crate::oci::{Compression, is_repository};
use crate::recipe::{ImageRecipe, OutputRole};
use crate::suggest::one_of;

/// Parses the fields of an image.
pub(super) fn recipe(form: &mut Form) -> Result<ImageRecipe> {
    let (base, from) = (form.output("base", OutputRole::Sysroot)?, form.input("from", InputKind::Oci)?);
    let (rocm, runtime) = (form.output("rocm", OutputRole::Rocm)?, form.output("runtime", OutputRole::Runtime)?);
    let llama = engine(form)?;
    let certificates = form.inputs("certificates", InputKind::File)?;
    let Form { source, fields, name: output, .. } = *form;
    if base.is_some()
        && let Some(both) = fields.field("from")
    {
        return Err(source.error(both.span(), "an image cannot have two bases", "leave out `base` or `from`"));
    }
    if !certificates.is_empty()
        && base.is_none()
        && let Some(field) = fields.field("certificates")
    {
        return Err(source.error(field.span(), "`certificates` are added to those of the root", "needs `base`"));
    }
    if rocm.is_some()
        && runtime.is_some()
        && let Some(both) = fields.field("runtime")
    {
        return Err(source.error(
            both.span(),
            "an image cannot have both a ROCm tree and a part of it",
            "leave out `rocm` or `runtime`",
        ));
    }
    let word = |field: &'static str, fits: fn(&str) -> bool, message: &str, label: &str| -> Result<Option<String>> {
        match fields.text(field)? {
            Some(text) if !fits(text.get_ref()) => Err(source.error(text.span(), message, label)),
            other => Ok(other.map(toml::Spanned::into_inner)),
        }
    };
    let program = word("program", rules::is_program, "invalid program name", "such as \"llama-server\"")?;
    if program.is_some()
        && llama.is_none()
        && let Some(program) = fields.field("program")
    {
        return Err(source.error(program.span(), "`program` must be one of the engine's", "needs `engine`"));
    }
    let name = word(
        "name",
        is_repository,
        "invalid image name",
        "lower-case letters, digits, `-`, `_`, `.`, with `/` between parts",
    )?;
    Ok(ImageRecipe {
        name: name.unwrap_or_else(|| output.to_owned()),
        base,
        from,
        rocm,
        runtime,
        llama,
        program,
        user: word("user", rules::is_user, "invalid user", "such as \"1000:1000\"")?,
        certificates,
        environment: pairs(source, fields, "environment", rules::is_variable)?,
        labels: pairs(source, fields, "labels", rules::is_label)?,
        compression: fields.parsed("compression", Compression::default(), |text| {
            one_of("compression", text, &[Compression::Zstd, Compression::Gzip].map(|one| (one.name(), one)))
        })?,
    })
}
