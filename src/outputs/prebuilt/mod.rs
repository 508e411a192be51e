//! Output `prebuilt`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::error::Result;
use crate::inputs::{InputKind, LockedInput};
use crate::lock::{Derive, Lock, LockedOutput, Parts};
use crate::manifest::{Form, FromFields, known_edges};
use crate::page::fact;
use crate::page::script::Script;
use crate::realize::{Made, Make, Making, Realizer};
use crate::recipe::prebuilt::{Moved, moved};
use crate::recipe::{Edge, OutputRole, PrebuiltRecipe};
use crate::report::{Describe, Fact, Found, Rebuilding};

impl FromFields for PrebuiltRecipe {
    fn from_fields(form: &mut Form) -> Result<Self> {
        Ok(Self {
            input: form.input_or("input", InputKind::Release, "llama-release")?,
            rocm: form.output("rocm", OutputRole::Rocm)?,
            sysroot: form.output("sysroot", OutputRole::Sysroot)?,
            prefix: form.prefix("/opt/llama")?,
        })
    }
}

impl Derive for PrebuiltRecipe {
    /// Adds nothing: the files are those of the input, and a revision stands for the rules of their places.
    fn adds(&self, _: &Parts) -> Result<Value> {
        Ok(json!({}))
    }
}

impl Make for PrebuiltRecipe {
    fn make(&self, realizer: &Realizer, locked: &LockedOutput, _: Making) -> Result<Made> {
        realizer.prebuilt(locked.derivation, self)
    }

    /// Returns the known edges, unless a runtime is trimmed from that tree, which has edges of its own.
    fn edges(&self, realizer: &Realizer, rocm: &str) -> Result<Option<Vec<Edge>>> {
        let runs = self.rocm.as_deref() == Some(rocm) && !realizer.is_trimmed(rocm);
        Ok(if runs { Some(known_edges()?.to_vec()) } else { None })
    }
}

/// Labels of the facts about a realized output: where its files were in the archive.
const AROUND: &str = "removed around everything";
const FROM: &str = "moved from";
const TO: &str = "moved to";
const LINKS: &str = "links that follow";
/// The arrow between the place of a link and its target.
const ARROW: &str = " -> ";

/// Returns the facts about the places of the files. None if a name in them is not text, or has an arrow in it.
fn places(moved: &Moved) -> Option<Vec<Fact>> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.contains(ARROW));
    let directory = |bytes: &[u8]| text(if bytes.is_empty() { b".".as_slice() } else { bytes });
    let links = moved.links.iter().map(|(place, target)| Some(format!("{}{ARROW}{}", text(place)?, text(target)?)));
    let around = if moved.wrapping.is_empty() { Vec::new() } else { vec![text(&moved.wrapping)?] };
    Some(vec![
        Fact { label: AROUND, values: around },
        Fact { label: FROM, values: vec![directory(&moved.from)?] },
        Fact { label: TO, values: vec![directory(&moved.to)?] },
        Fact { label: LINKS, values: links.collect::<Option<_>>()? },
    ])
}

impl Describe for PrebuiltRecipe {
    const LABELS: &'static [&'static str] = &[AROUND, FROM, TO, LINKS];

    fn describe(&self, page: &mut String, lock: &Lock) {
        let _ = writeln!(
            page,
            "The files of input `{}`, to stand at `{}`, built by its publisher and not here: nobody has compared them \
             with the sources. A directory around everything is removed, and the programs are put into `bin`.\n",
            self.input, self.prefix
        );
        if let Some(LockedInput::Release(block)) = lock.inputs.get(&self.input) {
            fact(page, "release", &format!("{} of {}", block.locked.names(), block.requested.url));
            fact(page, "commit, as its publisher says", &block.locked.commit);
            if let Some(series) = &block.locked.rocm {
                fact(page, "made for ROCm", &series.to_string());
            }
        }
        match &self.rocm {
            Some(rocm) => {
                fact(
                    page,
                    "ROCm",
                    &format!("output {rocm}, found by LD_LIBRARY_PATH; every needed library was looked up in it"),
                );
            }
            None => fact(page, "ROCm", "not used"),
        }
        match &self.sysroot {
            Some(sysroot) => fact(page, "proven in", &format!("the root of output {sysroot}")),
            None => fact(page, "proven in", "the host's own /usr, which is not pinned"),
        }
    }

    fn facts(&self, found: &Found) -> Vec<Fact> {
        let moved = found.listing_of(&self.input).and_then(|archive| moved(&archive).ok());
        moved.and_then(|moved| places(&moved)).unwrap_or_default()
    }

    fn unverified(&self, _: &Lock) -> Vec<String> {
        vec!["Built by others: nobody has compared the programs with the sources.".to_owned()]
    }

    fn rebuild(&self, script: &mut Script, rebuilding: &Rebuilding) -> Result<(), String> {
        let unknown = || "the archive decides the places: run `strixlock realize` first".to_owned();
        let fact = |label: &str| rebuilding.fact(label).ok_or_else(unknown);
        let one = |label: &str| fact(label).map(|values| values.first().map_or("", String::as_str));
        let (around, from, to, links) = (one(AROUND)?, one(FROM)?, one(TO)?, fact(LINKS)?);
        script.functions(include_str!("rebuild.sh"));
        let (input, place) = (format!("inputs/{}", self.input), rebuilding.place());
        script.run(&["arrange", &input, &place, around, from, to]);
        for (path, target) in links.iter().filter_map(|link| link.split_once(ARROW)) {
            script.run(&["ln", "-sfn", "--", target, &format!("{place}/{path}")]);
        }
        Ok(())
    }
}
