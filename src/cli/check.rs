//! `strixlock check`

use super::session::Builder;
use super::ui::GOOD;
use super::{Session, Ui};
use crate::compare::{Change, Difference, Part};
use crate::error::{Error, Kind, Result};
use crate::realize::Checked;
use crate::recipe::Origin;
use crate::tree::show;

/// Build realized outputs again and compare them byte by byte
///
/// Builds each output in a fresh directory from the same lock, and leaves the realized one alone. If the trees differ,
/// lists each file with the parts that differ (sections of ELF files, members of archives, lines of text) and the
/// likely cause, and exits with code 6. What others built (`prebuilt`, `rocm`) is unpacked again from its archive,
/// which says nothing about how it was built.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Outputs to check [default: all that a recipe makes]
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Keep a second tree that differs, with its log and the report of diffoscope, if that is installed
    #[arg(long)]
    keep: bool,
    /// Run at most N compilers at a time [default: one per core, fewer if memory is short]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// Build on other machines: a service of the Remote Execution API, whose cache is not used [default: this machine,
    /// whatever is configured]
    #[arg(long, value_name = "reapi://HOST[:PORT]|local")]
    builder: Option<Builder>,
}

pub fn run(args: &CheckArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    for name in &args.outputs {
        lock.output(name)?;
    }
    let mut realizer = session.realizer(lock, args.jobs)?;
    if let Some(named) = &args.builder {
        realizer.settings.builder = session.builder(Some(named))?;
    }
    let names = if args.outputs.is_empty() { realizer.made_outputs() } else { args.outputs.clone() };
    let mut all = Vec::new();
    for name in &names {
        let checked = realizer.check(name, args.keep)?;
        if !ui.is_json() {
            show_outcome(ui, &checked, lock.output(name)?.recipe.origin());
        }
        all.push(checked);
    }
    let differ = all.iter().filter(|checked| !checked.differences.is_empty()).count();
    if ui.is_json() {
        let outputs: Vec<_> = all
            .iter()
            .map(|checked| {
                serde_json::json!({
                    "name": checked.name,
                    "equal": checked.differences.is_empty(),
                    "realized": checked.realized,
                    "made": checked.made,
                    "differences": checked.differences,
                    "tools": checked.tools,
                    "compile_cache": checked.compile_cache,
                    "kept": checked.kept.as_ref().map(|path| path.display().to_string()),
                })
            })
            .collect();
        ui.json(serde_json::json!({ "outputs": outputs, "different": differ }));
        return Ok(if differ > 0 { Kind::NotReproducible as u8 } else { 0 });
    }
    if differ == 0 {
        return Ok(0);
    }
    let error = Error::new(Kind::NotReproducible, format!("{differ} of {} outputs came out differently", all.len()));
    let cached = |checked: &Checked| checked.compile_cache.is_some_and(|used| used.hits > 0);
    if all.iter().any(|checked| !checked.differences.is_empty() && cached(checked)) {
        return Err(error.hint(
            "an object in the compiler cache may be wrong: `strixlock gc --compile-cache` removes the cache, and \
             `strixlock realize --seal` builds again without one",
        ));
    }
    Err(if args.keep { error } else { error.hint("`strixlock check --keep` keeps the second tree to look at") })
}

fn show_outcome(ui: &Ui, checked: &Checked, origin: Origin) {
    let name = &checked.name;
    if checked.differences.is_empty() {
        let digest = &checked.realized.hex()[..12];
        // Nothing is known of how others built it.
        let how = match origin {
            Origin::Taken => "unpacked again from the pinned archive with the same result; others built it",
            Origin::Made | Origin::Chosen => "built again with the same result",
        };
        ui.line(format!("{GOOD}equal{GOOD:#} {name}: {how}, {digest}"));
        return;
    }
    ui.line(format!("{name}: built again with a different result"));
    ui.line(format!("  realized  {}", checked.realized));
    ui.line(format!("  made      {}", checked.made));
    if let Some(kept) = &checked.kept {
        ui.line(format!("  kept      {}", kept.display()));
    }
    if let Some(used) = checked.compile_cache.filter(|used| used.hits > 0) {
        ui.line(format!("  realized with {used}"));
    }
    for tool in &checked.tools {
        let [name, realized, made] = [&tool.tool, &tool.realized, &tool.made].map(|text| show(text.as_bytes()));
        ui.line(format!("{name} has changed: was \"{realized}\", now \"{made}\""));
    }
    for difference in &checked.differences {
        show_difference(ui, difference);
    }
}

fn show_difference(ui: &Ui, Difference { path, change }: &Difference) {
    let executable = |flag: &bool| if *flag { "executable" } else { "not executable" };
    let text = match change {
        Change::Removed => "missing from the new tree".to_owned(),
        Change::Added => "only in the new tree".to_owned(),
        Change::Kind { first, second } => format!("was {first}, now {second}"),
        Change::Target { first, second } => format!("led to {first}, now to {second}"),
        Change::Mode { first, second } => format!("was {}, now {}", executable(first), executable(second)),
        Change::Contents { first, second, .. } if first == second => format!("{first} bytes that differ"),
        Change::Contents { first, second, .. } => format!("had {first} bytes, now {second}"),
    };
    ui.line(format!("{path}: {text}"));
    if let Change::Contents { parts, .. } = change {
        for part in parts {
            show_part(ui, part);
        }
    }
}

fn show_part(ui: &Ui, part: &Part) {
    let Part { part, offset, bytes, first, second, causes } = part;
    let part = if part.is_empty() { "contents" } else { part };
    ui.line(format!("  {part} at {offset:#x}, {bytes} bytes"));
    ui.line(format!("    realized  {first}"));
    ui.line(format!("    made      {second}"));
    for cause in causes {
        ui.line(format!("    because   {}", cause.label()));
    }
}
