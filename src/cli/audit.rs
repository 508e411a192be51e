//! `strixlock audit`

use std::path::{Path, PathBuf};

use super::Session;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::lock::Lock;
use crate::report::{Known, fits, is_rebuild_script, rebuild_script, reproducible, states_all, with_stated};
use crate::store::replace_file;

/// Write REPRODUCIBLE.md: every pinned version, and how to check each without strixlock
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// File to write [default: REPRODUCIBLE.md beside lock/]
    #[arg(short, long, value_name = "FILE", value_parser = super::paths::path())]
    output: Option<PathBuf>,
    /// Write a shell script too, which makes the outputs again without strixlock [default: rebuild.sh beside the page]
    #[arg(long, value_name = "FILE", num_args = 0..=1, action = clap::ArgAction::Set, value_parser = super::paths::path())]
    rebuild_script: Option<Vec<PathBuf>>,
    /// Write nothing, and fail with exit code 4 if a file is out of date
    #[arg(long)]
    check: bool,
}

/// A file that is made from the lock.
struct Made {
    path: PathBuf,
    text: String,
    /// The text that is there.
    there: Option<String>,
}

pub fn run(args: &AuditArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let lock = session.lock_to_use()?;
    let page = page(args, session, lock)?;
    let mut all = vec![("REPRODUCIBLE.md", page)];
    if let Some(path) = &args.rebuild_script {
        let script = script(path.first().map(PathBuf::as_path), session, lock, &all[0].1)?;
        all.push(("rebuild.sh", script));
    }
    if args.check {
        all.iter().try_for_each(|(name, made)| made.demand(name))?;
    }
    for (_, made) in all.iter().filter(|(_, made)| !made.fits()) {
        replace_file(&made.path, made.text.as_bytes())?;
    }
    let told = |made: &Made| serde_json::json!({ "file": made.path.display().to_string(), "written": !made.fits() });
    let mut json = told(&all[0].1);
    if let Some((_, script)) = all.get(1) {
        json["rebuild_script"] = told(script);
    }
    ui.result(json, || {
        for (_, made) in &all {
            ui.line(format!("{} {}", if made.fits() { "up to date:" } else { "wrote" }, made.path.display()));
        }
    });
    Ok(0)
}

impl Made {
    fn new(path: PathBuf) -> Result<Self> {
        if fs_err::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Error::failure("the path to write to is not a regular file").fact("path", path.display()));
        }
        let there = match fs_err::read(&path) {
            Ok(there) => Some(String::from_utf8_lossy(&there).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path, text: String::new(), there })
    }

    fn fits(&self) -> bool {
        self.there.as_ref() == Some(&self.text)
    }

    /// Fails unless the file is there and up to date.
    fn demand(&self, name: &str) -> Result<()> {
        if self.fits() {
            return Ok(());
        }
        let error = Error::new(Kind::Stale, format!("{name} is not up to date with the lock"));
        let error = error.fact("file", self.path.display());
        let error = match &self.there {
            Some(there) => {
                let same = self.text.lines().zip(there.lines()).take_while(|(one, other)| one == other).count();
                error.fact("differs", format!("from line {} on", same + 1))
            }
            None => error.fact("found", "no such file"),
        };
        Err(error.hint(if name == "rebuild.sh" {
            "run `strixlock audit --rebuild-script` and commit the file"
        } else {
            "run `strixlock audit` and commit the file"
        }))
    }
}

/// Makes the page.
fn page(args: &AuditArgs, session: &Session, lock: &Lock) -> Result<Made> {
    let path = args.output.clone().unwrap_or_else(|| session.project.directory().join("REPRODUCIBLE.md"));
    let mut made = Made::new(path)?;
    // Without a store that can be read there is a page too.
    let mut known = session.store_to_read().map(|store| Known::read(lock, store)).unwrap_or_default();
    if let Some(there) = &made.there
        && fits(there, lock, &known)?
    {
        // A page that states more than is known here stays. One that states less is true, and is written anew all the
        // same.
        if args.check || states_all(there, lock, &known) {
            made.text.clone_from(there);
            return Ok(made);
        }
        known = with_stated(known, there, lock);
    }
    made.text = reproducible(lock, &known)?;
    Ok(made)
}

/// Makes the script from what the page states, so that it is the same wherever the page is.
fn script(path: Option<&Path>, session: &Session, lock: &Lock, page: &Made) -> Result<Made> {
    let beside = || page.path.parent().unwrap_or(Path::new("")).join("rebuild.sh");
    let mut made = Made::new(path.map_or_else(beside, Path::to_path_buf))?;
    if made.there.as_ref().is_some_and(|there| !is_rebuild_script(there)) {
        return Err(Error::failure("strixlock did not write this file, and does not replace it")
            .fact("path", made.path.display())
            .hint("name another file: `strixlock audit --rebuild-script FILE`"));
    }
    let directory = session.project.manifest_directory();
    let in_store = |digest| session.store_to_read().ok().and_then(|store| store.download(digest));
    let find = |path: &str, digest: Sha256Digest| {
        let places = [Some(directory.join(path)), in_store(digest)];
        let contents = places.into_iter().flatten().filter_map(|path| fs_err::read(path).ok());
        contents.into_iter().find(|bytes| Sha256Digest::of(bytes) == digest)
    };
    made.text = rebuild_script(lock, &with_stated(Known::default(), &page.text, lock), &find)?;
    Ok(made)
}
