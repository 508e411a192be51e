//! Selects the files of a repository that a request means.

use super::{HubFile, ModelChoice};
use crate::error::{Error, Kind, Result};
use crate::gguf::{self, PartName, Piece};
use crate::suggest::suggest;

/// Greatest number of names that a message lists.
const LISTED: usize = 12;

/// Parts of names of files that llama.cpp's `-hf` does not treat as models: multimodal projectors and importance
/// matrices.
const BESIDE_ANY_CASE: [&str; 2] = ["mmproj", "imatrix"];
/// Parts of names of draft heads. Case matters: `MTP` in a name means that the model contains its head.
const HEADS: [&str; 4] = ["mtp-", "eagle3-", "dflash-", "dspark-"];

/// The selected files.
pub(super) struct Chosen {
    /// The model's file, or its parts in order.
    pub files: Vec<HubFile>,
    /// Paths of companions of the model, and of files that could have been meant instead.
    pub beside: Vec<String>,
}

/// Selects the model's file, or its parts in order.
pub(super) fn choose(files: &[HubFile], choice: &ModelChoice) -> Result<Chosen> {
    let (first, beside) = match choice {
        ModelChoice::File(path) => {
            let file = files.iter().find(|file| file.path == *path).ok_or_else(|| {
                let models = files.iter().map(|file| file.path.as_str()).filter(|path| is_model(path)).take(LISTED);
                Error::new(Kind::NotFound, format!("the repository has no file `{path}`")).hint(suggest(path, models))
            })?;
            (file, Vec::new())
        }
        ModelChoice::Quantisation(quantisation) => by_quantisation(files, quantisation)?,
    };
    let files = match PartName::parse(&first.path) {
        None => vec![first.clone()],
        Some(name) => parts(files, name)?,
    };
    match files.iter().find_map(|file| file.fault.map(|fault| (file, fault))) {
        None => Ok(Chosen { files, beside }),
        Some((file, fault)) => Err(Error::new(Kind::Mismatch, "the hub's entry for a file is invalid")
            .fact("file", &file.path)
            .fact("what", fault)),
    }
}

fn parts(files: &[HubFile], name: PartName) -> Result<Vec<HubFile>> {
    let mut parts = Vec::new();
    for number in 1..=name.of {
        let wanted = PartName { number, ..name };
        let part = files.iter().find(|file| PartName::parse(&file.path) == Some(wanted));
        parts.push(part.cloned().ok_or_else(|| {
            Error::new(Kind::NotFound, format!("the repository lacks part {number} of {} of `{}`", name.of, name.stem))
        })?);
    }
    Ok(parts)
}

/// Returns the file whose name, or whose directory's name, ends in the quantisation; large models have such
/// directories.
fn by_quantisation<'a>(files: &'a [HubFile], quantisation: &str) -> Result<(&'a HubFile, Vec<String>)> {
    let wanted = quantisation.to_ascii_lowercase();
    let models: Vec<&HubFile> = files.iter().filter(|file| is_model(&file.path)).collect();
    let fitting: Vec<&HubFile> = models.iter().filter(|file| carries(&file.path, &wanted)).copied().collect();
    let Some(main) = main(&fitting, &wanted) else {
        if !fitting.is_empty() {
            let message = format!("several GGUF files of the repository have quantisation {quantisation}");
            return Err(Error::new(Kind::NotFound, message).hint(listed("name one with `file`:", &fitting)));
        }
        let pieces = |file: &&HubFile| Piece::parse(&file.path).is_some_and(|piece| carries(piece.whole, &wanted));
        let pieces: Vec<&HubFile> = files.iter().filter(pieces).collect();
        if !pieces.is_empty() {
            let message = format!("the repository has quantisation {quantisation} only in pieces that must be joined");
            return Err(Error::new(Kind::NotFound, message).fact("pieces", names(&pieces)).hint(
                "join them (`cat PIECES > NAME.gguf`) and make the result an input of type `file`, or take \
                    another quantisation",
            ));
        }
        let message = format!("the repository has no GGUF file with quantisation {quantisation}");
        return Err(Error::new(Kind::NotFound, message).hint(listed("it has", &models)));
    };
    let others = fitting.iter().filter(|file| file.path != main.path);
    let companions = files.iter().filter(|file| is_companion(&file.path) && is_first(&file.path));
    Ok((main, others.copied().chain(companions).map(|file| file.path.clone()).take(LISTED).collect()))
}

/// Returns the only file, or the one whose name is a prefix of all others: `m-Q8_0` beside `m-shared-Q8_0`.
fn main<'a>(fitting: &[&'a HubFile], quantisation: &str) -> Option<&'a HubFile> {
    let stem = |file: &HubFile| {
        let name = whole_stem(&file.path).rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        name.strip_suffix(quantisation).unwrap_or(&name).trim_end_matches(['-', '.', '_']).to_owned()
    };
    let shortest = fitting.iter().min_by_key(|file| stem(file).len())?;
    let begin = stem(shortest);
    let longer = |file: &HubFile| {
        let stem = stem(file);
        stem.strip_prefix(&begin).is_some_and(|rest| rest.starts_with(['-', '.', '_']))
    };
    fitting.iter().all(|file| file.path == shortest.path || longer(file)).then_some(shortest)
}

/// Returns whether a file is a GGUF model or the first part of one.
fn is_model(path: &str) -> bool {
    gguf::is_name(path) && !is_companion(path) && is_first(path)
}

fn is_first(path: &str) -> bool {
    PartName::parse(path).is_none_or(|part| part.number == 1)
}

/// Returns whether a file is a companion of a model.
fn is_companion(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    gguf::is_name(name)
        && (BESIDE_ANY_CASE.iter().any(|word| lower.contains(word)) || HEADS.iter().any(|word| name.contains(word)))
}

fn whole_stem(path: &str) -> &str {
    let ending = path.len().saturating_sub(".gguf".len());
    PartName::parse(path)
        .map_or_else(|| path.get(..ending).filter(|_| gguf::is_name(path)).unwrap_or(path), |part| part.stem)
}

fn carries(path: &str, quantisation: &str) -> bool {
    let stem = whole_stem(path).to_ascii_lowercase();
    let (directory, name) = stem.rsplit_once('/').unwrap_or(("", &stem));
    let at_end = |text: &str| {
        let before = text.strip_suffix(quantisation);
        // `UD-Q4_K_M` is another quantisation than `Q4_K_M`.
        before.is_some_and(|before| before.is_empty() || before.ends_with(['-', '.', '_']) && !before.ends_with("ud-"))
    };
    at_end(name) || at_end(directory.rsplit('/').next().unwrap_or_default()) && !name.is_empty()
}

fn listed(begin: &str, files: &[&HubFile]) -> String {
    if files.is_empty() {
        return "it has no GGUF file; the names of repositories with GGUF files often end in -GGUF".to_owned();
    }
    format!("{begin} {}", names(files))
}

fn names(files: &[&HubFile]) -> String {
    let names: Vec<&str> = files.iter().take(LISTED).map(|file| file.path.as_str()).collect();
    let more = if files.len() > LISTED { format!(" and {} more", files.len() - LISTED) } else { String::new() };
    format!("{}{more}", names.join(", "))
}
