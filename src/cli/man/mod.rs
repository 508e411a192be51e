//! `strixlock man`: manual pages of the commands, and of the two files that projects keep.

use std::path::PathBuf;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::{Session, help, paths};
use crate::error::Result;

/// Write the manual pages
///
/// One page a command below DIR/man1, and strix.toml(5) and strix.lock(5) below DIR/man5. `man` looks into
/// ~/.local/share/man without being told.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Directory for man1 and man5
    #[arg(long, value_name = "DIR", value_parser = paths::path())]
    to: PathBuf,
}

/// Pages about files.
const FILES: [(&str, &str); 2] =
    [("strix.toml.5", include_str!("strix.toml.5")), ("strix.lock.5", include_str!("strix.lock.5"))];

/// The origin of the pages, in their last lines.
const SOURCE: &str = concat!("strixlock ", env!("CARGO_PKG_VERSION"));

/// The heading of the options that every command has. They are on the page of the program.
const GLOBAL: &str = "Global options";

/// The other pages that a reader may want.
const SEE_ALSO: [(&str, &str); 3] = [("strixlock", "1"), ("strix.toml", "5"), ("strix.lock", "5")];

pub fn run(args: &ManArgs, session: &Session) -> Result<u8> {
    let mut written = Vec::new();
    let mut write = |section: &str, name: &str, page: &[u8]| -> Result<()> {
        let directory = args.to.join(format!("man{section}"));
        fs_err::create_dir_all(&directory)?;
        fs_err::write(directory.join(name), page)?;
        written.push(directory.join(name).display().to_string());
        Ok(())
    };
    let mut program = help::command().disable_help_subcommand(true);
    program.build();
    for command in with_subcommands(&program) {
        let is_program = command.get_name() == program.get_name();
        let command = if is_program { command } else { without_global_options(command) };
        let man = Man::new(command.clone()).source(SOURCE).manual(program.get_name());
        write("1", &man.get_filename(), &page(&command, &man)?)?;
    }
    for (name, page) in FILES {
        write("5", name, page.as_bytes())?;
    }
    let place = args.to.display();
    session.ui.result(serde_json::json!({ "wrote": written }), || {
        session.ui.line(format!("wrote {} pages below {place}", written.len()));
    });
    Ok(0)
}

/// Returns a command and all commands below it that the help shows.
fn with_subcommands(command: &Command) -> Vec<Command> {
    let below = command.get_subcommands().filter(|one| !one.is_hide_set()).flat_map(with_subcommands);
    std::iter::once(command.clone()).chain(below).collect()
}

fn without_global_options(command: Command) -> Command {
    command.mut_args(|arg| if arg.get_help_heading() == Some(GLOBAL) { arg.hide(true) } else { arg })
}

fn page(command: &Command, man: &Man) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|one| !one.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::default();
    if let Some(text) = command.get_after_long_help().or(command.get_after_help()) {
        end_of_help(&mut rest, &text.to_string());
    }
    see_also(&mut rest);
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// Writes the text at the end of a command's help. A line that begins at the margin and ends with a colon, such as
/// `Examples:`, is a heading; all other lines stay as they are.
fn end_of_help(roff: &mut Roff, text: &str) {
    let is_heading = |line: &str| line.ends_with(':') && !line.starts_with(' ');
    if !text.lines().next().is_some_and(is_heading) {
        roff.control("SH", ["NOTES"]);
        roff.control("nf", []);
    }
    for line in text.lines() {
        if is_heading(line) {
            roff.control("fi", []);
            roff.control("SH", [line.trim_end_matches(':').to_uppercase().as_str()]);
            roff.control("nf", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    roff.control("fi", []);
}

fn see_also(roff: &mut Roff) {
    let entry = |(at, (name, section)): (usize, &(&str, &str))| -> Vec<Inline> {
        let comma = if at == 0 { "" } else { ", " };
        vec![roman(comma), bold(*name), roman(format!("({section})"))]
    };
    roff.control("SH", ["SEE ALSO"]);
    roff.text(SEE_ALSO.iter().enumerate().flat_map(entry).collect::<Vec<_>>());
    roff.control("PP", []);
    roff.text([roman(concat!("Documentation: ", env!("CARGO_PKG_REPOSITORY")))]);
}
