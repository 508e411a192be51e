//! Facts about a pinned llama.cpp that its sources or programs state: models, options, programs, CMake variables.
//!
//! llama.cpp renames and removes all of these, so none is a constant here. `names.toml` lists, for each thing that
//! strixlock wants of llama.cpp, the spellings of all ages in order of preference; this module finds out which of them
//! a version has. It never runs anything.

mod cmake;
mod models;
mod names;
mod options;
mod programs;
mod ui;

use std::io::Read as _;

use crate::error::Result;
use crate::store::StoredTree;
use crate::tree::confined::Root;

#[cfg(test)]
pub mod testing;

pub use cmake::CMakeFiles;
pub use models::Knowledge;
pub use names::{Role, Wish, default_roots, first_commands, is_asked, socket_ending};
pub use options::Options;
pub use programs::Programs;
pub use ui::UiPlace;

/// Maximum number of bytes read from a file; the largest has half a megabyte.
const MOST: u64 = 64 << 20;

/// Reads a text as each kind of file that this module knows, for tests with texts of any kind. Returns the number of
/// options, CMake variables and programs.
#[must_use]
pub fn read_as_any(text: &str) -> [usize; 3] {
    let files = CMakeFiles::new([("CMakeLists.txt".to_owned(), text.to_owned())]);
    let options = Role::ALL.iter().map(|role| Options::in_text(text, *role).count()).sum::<usize>();
    let programs = Programs::of(&files).count();
    [options + Options::in_help(text).count(), files.declared().len().min(files.words().len()), programs]
}

/// Returns the text of a file in the sources, if it exists.
pub fn read(source: &StoredTree, path: &str) -> Result<Option<String>> {
    let mut text = Vec::new();
    match Root::open(&source.path)?.open_file(path.as_bytes()) {
        Ok(file) => file.take(MOST).read_to_end(&mut text)?,
        Err(_) => return Ok(None),
    };
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}
