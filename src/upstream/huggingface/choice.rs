//! Which files of a repository a request means.

use super::{HubFile, ModelChoice};
use crate::error::{Error, Kind, Result};
use crate::gguf;
use crate::suggest::suggest;

/// How many names an error lists.
const LISTED: usize = 12;

/// The place of a file in a split model: `...-00002-of-00004.gguf`, as llama.cpp's `gguf-split` names parts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Split<'a> {
    stem: &'a str,
    number: u32,
    of: u32,
}

impl<'a> Split<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        let stem = path.strip_suffix(".gguf")?;
        let (rest, of) = stem.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let digits = |text: &str| (text.len() == 5).then(|| text.parse::<u32>().ok())?;
        let (number, of) = (digits(number)?, digits(of)?);
        (1..=of).contains(&number).then_some(Self { stem, number, of })
    }
}

/// Picks the model's file, or its parts in order.
pub(super) fn choose(files: &[HubFile], choice: &ModelChoice) -> Result<Vec<HubFile>> {
    let first = match choice {
        ModelChoice::File(path) => files.iter().find(|file| file.path == *path).ok_or_else(|| {
            let label =
                suggest(path, files.iter().map(|file| file.path.as_str()).filter(|path| is_model(path)).take(LISTED));
            Error::new(Kind::NotFound, format!("the repository has no file `{path}`")).hint(label)
        })?,
        ModelChoice::Quantisation(quantisation) => by_quantisation(files, quantisation)?,
    };
    let Some(split) = Split::parse(&first.path) else { return Ok(vec![first.clone()]) };
    let mut parts = Vec::new();
    for number in 1..=split.of {
        let wanted = Split { number, ..split };
        let part = files.iter().find(|file| Split::parse(&file.path) == Some(wanted));
        parts.push(part.cloned().ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!("the repository lacks part {number} of {} of `{}`", split.of, split.stem),
            )
        })?);
    }
    Ok(parts)
}

/// The file whose name ends in the quantisation, or that lies in a directory named so, as for large models.
fn by_quantisation<'a>(files: &'a [HubFile], quantisation: &str) -> Result<&'a HubFile> {
    let wanted = quantisation.to_ascii_lowercase();
    let models: Vec<&HubFile> = files.iter().filter(|file| is_model(&file.path)).collect();
    let fits = |file: &&&HubFile| carries(&file.path.to_ascii_lowercase(), &wanted);
    let fitting: Vec<&HubFile> = models.iter().filter(fits).copied().collect();
    match fitting.as_slice() {
        [one] => Ok(one),
        [] => {
            Err(Error::new(Kind::NotFound, format!("the repository has no GGUF file with quantisation {quantisation}"))
                .hint(listed("it has", &models)))
        }
        several => Err(Error::new(
            Kind::NotFound,
            format!("several GGUF files of the repository have quantisation {quantisation}"),
        )
        .hint(listed("name one with `file`:", several))),
    }
}

/// A GGUF file that is a model by itself or the first part of one: not what a model sees with.
fn is_model(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    gguf::is_name(&name) && !name.contains("mmproj") && Split::parse(path).is_none_or(|split| split.number == 1)
}

fn carries(path: &str, quantisation: &str) -> bool {
    let stem = Split::parse(path).map_or_else(|| path.strip_suffix(".gguf").unwrap_or(path), |split| split.stem);
    let (directory, name) = stem.rsplit_once('/').unwrap_or(("", stem));
    let at_end = |text: &str| {
        let before = text.strip_suffix(quantisation);
        // `UD-Q4_K_M` is another quantisation than `Q4_K_M`.
        before.is_some_and(|before| before.is_empty() || before.ends_with(['-', '.', '_']) && !before.ends_with("ud-"))
    };
    at_end(name) || at_end(directory.rsplit('/').next().unwrap_or_default()) && !name.is_empty()
}

fn listed(begin: &str, files: &[&HubFile]) -> String {
    if files.is_empty() {
        return "it has no GGUF file at all; repositories of them often end in -GGUF".to_owned();
    }
    let names: Vec<&str> = files.iter().take(LISTED).map(|file| file.path.as_str()).collect();
    let more = if files.len() > LISTED { format!(" and {} more", files.len() - LISTED) } else { String::new() };
    format!("{begin} {}{more}", names.join(", "))
}
