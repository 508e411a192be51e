//! `strixlock check`

use super::ui::GOOD;
use super::{Session, Ui};
use crate::compare::{Change, Difference, Part};
use crate::error::{Error, Kind, Result};
use crate::realize::Checked;
use crate::tree::show;

/// Make realized outputs once more, and compare byte by byte
///
/// Each is made in a fresh directory from the same lock; what is realized stays as it is. Where the two differ, every file
/// is named with the parts that differ (sections of ELF files, members of archives, lines of text) and the likely cause,
/// and the exit code is 6.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The outputs to check; all that are made by a recipe when none is named
    #[arg(value_name = "OUTPUT")]
    outputs: Vec<String>,
    /// Keep a second tree that differs, with its log and, where it is installed, what diffoscope says
    #[arg(long)]
    keep: bool,
    /// Compilers at a time [default: all cores, as far as memory lasts]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
}

pub fn run(args: &CheckArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    for name in &args.outputs {
        lock.output(name)?;
    }
    let realizer = session.realizer(lock, args.jobs)?;
    let names = if args.outputs.is_empty() { realizer.made_outputs() } else { args.outputs.clone() };
    let mut all = Vec::new();
    for name in &names {
        let checked = realizer.check(name, args.keep)?;
        if !ui.is_json() {
            tell(ui, &checked);
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
    Err(if args.keep { error } else { error.hint("`strixlock check --keep` keeps the second tree to look at") })
}

fn tell(ui: &Ui, checked: &Checked) {
    let name = &checked.name;
    if checked.differences.is_empty() {
        ui.line(format!("{GOOD}equal{GOOD:#} {name}: made once more, it is {} again", checked.realized));
        return;
    }
    ui.line(format!("{name}: made once more, it is another tree"));
    ui.line(format!("  realized  {}", checked.realized));
    ui.line(format!("  made      {}", checked.made));
    if let Some(kept) = &checked.kept {
        ui.line(format!("  kept      {}", kept.display()));
    }
    for tool in &checked.tools {
        let [name, realized, made] = [&tool.tool, &tool.realized, &tool.made].map(|text| show(text.as_bytes()));
        ui.line(format!("{name} was another one: \"{realized}\", and is \"{made}\""));
    }
    for difference in &checked.differences {
        tell_path(ui, difference);
    }
}

fn tell_path(ui: &Ui, Difference { path, change }: &Difference) {
    let executable = |flag: &bool| if *flag { "executable" } else { "not executable" };
    let text = match change {
        Change::Removed => "is not there again".to_owned(),
        Change::Added => "was not there".to_owned(),
        Change::Kind { first, second } => format!("was {first}, and is {second}"),
        Change::Target { first, second } => format!("led to {first}, and leads to {second}"),
        Change::Mode { first, second } => format!("was {}, and is {}", executable(first), executable(second)),
        Change::Contents { first, second, .. } if first == second => format!("{first} bytes that differ"),
        Change::Contents { first, second, .. } => format!("had {first} bytes, and has {second}"),
    };
    ui.line(format!("{path}: {text}"));
    if let Change::Contents { parts, .. } = change {
        for part in parts {
            tell_part(ui, part);
        }
    }
}

fn tell_part(ui: &Ui, part: &Part) {
    let Part { part, offset, bytes, first, second, causes } = part;
    let part = if part.is_empty() { "contents" } else { part };
    ui.line(format!("  {part} at {offset:#x}, {bytes} bytes"));
    ui.line(format!("    realized  {first}"));
    ui.line(format!("    made      {second}"));
    for cause in causes {
        ui.line(format!("    because   {}", cause.label()));
    }
}
