//! A model of durability: checks from a trace that a power cut could never leave a name without its bytes.
//!
//! The model is small: a file is dirty from its last write until a sync that began after it. Unfinished files are below
//! `tmp/` of a store, in a staging directory or among partial downloads, or have a part in their path that begins with
//! `.strixlock-`. No unfinished file or directory may get a finished name while it, or anything in it, is dirty.
//! Nothing is written under a finished name. When a command ends, every name that it gave is on disk: its directory was
//! synced afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Traced calls: everything that writes, syncs or names.
pub const CALLS: &str = "write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,splice,ftruncate,ioctl,\
                         fsync,fdatasync,syncfs,sync,link,linkat,rename,renameat,renameat2";

/// Events of a run, and its faults.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Files that were written.
    pub written: usize,
    /// Finished names that the run gave.
    pub named: usize,
    /// Descriptions of everything that a power cut could have damaged.
    pub wrong: Vec<String>,
}

enum Event {
    Write(PathBuf),
    /// A sync of one file or directory, or of everything, with its start time.
    Sync(Option<PathBuf>, usize),
    /// The start of a call that gives the file at the first path the name of the second.
    Name(PathBuf, PathBuf),
    /// A new name replaced the old one; with `true`, both were exchanged.
    Moved(PathBuf, PathBuf, bool),
}

/// Checks the output of strace (`-f -y -s 0`) for paths below `place`, of a process with the working directory `here`.
/// Writes to finished names are allowed if `tolerated` returns true.
pub fn judge(trace: &str, place: &Path, here: &Path, tolerated: &dyn Fn(&Path) -> bool) -> Judged {
    let mut events = Vec::new();
    let mut begun: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((pid, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(text) = text.strip_suffix("<unfinished ...>") {
            begun.insert(pid, (at, text.to_owned()));
        } else if let Some(rest) = text.strip_prefix("<... ") {
            let rest = rest.split_once("resumed>").map_or("", |(_, rest)| rest);
            if let Some((from, text)) = begun.remove(pid) {
                events.extend(events_of(&(text + rest), here, from, at));
            }
        } else {
            events.extend(events_of(text, here, at, at));
        }
    }
    // The sort is stable, so events of one line stay in order.
    events.sort_by_key(|(at, _)| *at);
    let mut model =
        Model { place, tolerated, dirty: BTreeMap::new(), pending: BTreeMap::new(), judged: Judged::default() };
    for (at, event) in events {
        model.take(at, event);
    }
    for (name, _) in std::mem::take(&mut model.pending) {
        model.judged.wrong.push(format!("{} may be gone: its directory was not synced", name.display()));
    }
    model.judged
}

struct Model<'a> {
    place: &'a Path,
    tolerated: &'a dyn Fn(&Path) -> bool,
    /// Files by the time of their last write.
    dirty: BTreeMap<PathBuf, usize>,
    /// Names that were given, by time, and may not be on disk yet.
    pending: BTreeMap<PathBuf, usize>,
    judged: Judged,
}

impl Model<'_> {
    fn take(&mut self, at: usize, event: Event) {
        match event {
            Event::Write(path) if path.starts_with(self.place) => {
                if !is_unfinished(&path) && !(self.tolerated)(&path) {
                    self.judged.wrong.push(format!("{} was written under its final name", path.display()));
                }
                self.judged.written += usize::from(self.dirty.insert(path, at).is_none());
            }
            Event::Sync(None, begun) => {
                self.dirty.retain(|_, written| *written >= begun);
                self.pending.retain(|_, named| *named >= begun);
            }
            Event::Sync(Some(path), begun) => {
                self.dirty.retain(|file, written| *file != path || *written >= begun);
                self.pending.retain(|name, named| name.parent() != Some(&path) || *named >= begun);
            }
            Event::Name(old, new) if is_unfinished(&old) && new.starts_with(self.place) && !is_unfinished(&new) => {
                self.judged.named += 1;
                for file in self.dirty.keys().filter(|file| file.starts_with(&old)) {
                    self.judged.wrong.push(format!(
                        "{} got a name before the bytes of {} were on disk",
                        new.display(),
                        file.display()
                    ));
                }
                self.pending.insert(new, at);
            }
            // A renamed directory takes its contents along.
            Event::Moved(old, new, exchanged) => {
                let moved: Vec<_> = self.dirty.keys().filter(|file| file.starts_with(&old)).cloned().collect();
                for file in moved {
                    let under = file.strip_prefix(&old).map_or_else(|_| file.clone(), |rest| new.join(rest));
                    if let Some(written) = self.dirty.remove(&file).filter(|_| !exchanged) {
                        self.dirty.insert(under, written);
                    }
                }
            }
            Event::Write(_) | Event::Name(..) => {}
        }
    }
}

/// Returns whether a path is in a staging directory, among partial downloads, or in a temporary file or directory of
/// our own.
fn is_unfinished(path: &Path) -> bool {
    let parts: Vec<&[u8]> = path.components().map(|part| part.as_os_str().as_encoded_bytes()).collect();
    let below = |pair: &[&[u8]]| pair[0] == b"tmp" && (pair[1].starts_with(b"stage-") || pair[1] == b"partial");
    parts.windows(2).any(below) || parts.iter().any(|part| part.starts_with(b".strixlock-"))
}

/// Returns the event of a successful call, with its start and end time.
fn events_of(text: &str, here: &Path, begun: usize, ended: usize) -> Vec<(usize, Event)> {
    let Some((name, rest)) = text.split_once('(') else { return Vec::new() };
    let Some((arguments, result)) = rest.rsplit_once(" = ") else { return Vec::new() };
    if result.starts_with('-') || result.starts_with('?') {
        return Vec::new();
    }
    let words = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
    let descriptors = descriptors(words);
    let quoted = quoted(words);
    let write = |index: usize| {
        let path = descriptors.get(index).cloned();
        path.into_iter().flat_map(|path| [(begun, Event::Write(path.clone())), (ended, Event::Write(path))]).collect()
    };
    let named = |old: PathBuf, new: PathBuf, moved: bool| {
        let exchanged = words.contains("RENAME_EXCHANGE");
        let mut events = vec![(begun, Event::Name(old.clone(), new.clone()))];
        if moved {
            events.push((ended, Event::Moved(old, new, exchanged)));
        }
        events
    };
    match name {
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "ftruncate" | "sendfile" => write(0),
        "copy_file_range" | "splice" => write(1),
        "ioctl" if words.contains("FICLONE") => write(0),
        "fsync" | "fdatasync" => {
            descriptors.first().map(|path| (ended, Event::Sync(Some(path.clone()), begun))).into_iter().collect()
        }
        "syncfs" | "sync" => vec![(ended, Event::Sync(None, begun))],
        "link" | "rename" if quoted.len() == 2 => named(here.join(&quoted[0]), here.join(&quoted[1]), name == "rename"),
        "linkat" | "renameat" | "renameat2" if quoted.len() == 2 && descriptors.len() == 2 => {
            named(descriptors[0].join(&quoted[0]), descriptors[1].join(&quoted[1]), name != "linkat")
        }
        _ => Vec::new(),
    }
}

/// Returns the paths of the descriptors: `7</a/b>`, `AT_FDCWD</a>`.
fn descriptors(words: &str) -> Vec<PathBuf> {
    let parts = words.split('<').skip(1);
    let paths = parts.filter_map(|part| part.split_once('>')).map(|(path, _)| path);
    paths.map(|path| PathBuf::from(path.trim_end_matches(" (deleted)"))).collect()
}

/// Returns the strings in quotation marks. Names with escapes do not occur in these tests.
fn quoted(words: &str) -> Vec<PathBuf> {
    words.split('"').skip(1).step_by(2).map(PathBuf::from).collect()
}

/// Tests the model itself: it must find such faults.
#[test]
fn the_model_sees_a_name_before_its_bytes() {
    let place = Path::new("/p");
    let never = |_: &Path| false;
    let of = |lines: &[&str]| judge(&lines.join("\n"), place, place, &never).wrong;
    let write = "1 write(5</p/s/tmp/stage-a/tree/f>, \"\"..., 3) = 3";
    let sync = "1 syncfs(3</p/s/lock>) = 0";
    let link = "1 linkat(7</p/s/tmp/stage-a/tree>, \"f\", 9</p/s/blobs/ab>, \"cd\", 0) = 0";
    let aside = "1 rename(\"/p/s/tmp/stage-a/tree\", \"/p/s/tmp/stage-a/publish/tree\") = 0";
    let publish =
        "1 renameat2(AT_FDCWD</p>, \"/p/s/tmp/stage-a/publish\", AT_FDCWD</p>, \"/p/s/trees/x\", RENAME_EXCHANGE) = 0";
    let directory = "1 fsync(8</p/s/trees>) = 0";
    assert_eq!(of(&[write, sync, link, aside, sync, publish, directory]), [""; 0]);
    // The sync before contents get names is missing, or too early.
    for wrong in [[write, link, sync], [sync, write, link]] {
        assert!(
            of(&wrong)[0].contains("/p/s/blobs/ab/cd got a name before the bytes of /p/s/tmp/stage-a/tree/f"),
            "{wrong:?}"
        );
    }
    // This sync began before the write ended.
    let begun = "1 syncfs(3</p/s/lock> <unfinished ...>";
    let ended = "1 <... syncfs resumed>) = 0";
    assert_eq!(of(&[begun, "2 write(5</p/s/tmp/stage-a/tree/f>, \"\"..., 3) = 3", ended, link, sync]).len(), 1);
    // A moved directory takes dirty files along.
    assert!(of(&[write, aside, publish, sync])[0].contains("/p/s/tmp/stage-a/publish/tree/f"));
    // The name itself may be lost.
    assert!(of(&[write, sync, aside, publish])[0].contains("/p/s/trees/x may be gone"));
    // A write in place. A failed call does nothing.
    assert!(of(&["1 write(5</p/lock/strix.lock>, \"\"..., 3) = 3"])[0].contains("under its final name"));
    assert_eq!(
        of(&["1 linkat(7</p/s/tmp/stage-a>, \"f\", 9</p/s/blobs>, \"x\", 0) = -1 EEXIST (File exists)"]),
        [""; 0]
    );
    // A sync of one file.
    let own = ["1 write(5</p/.strixlock-a>, \"\", 3) = 3", "1 fsync(5</p/.strixlock-a>) = 0"];
    let rename = "1 rename(\"/p/.strixlock-a\", \"/p/file\") = 0";
    assert_eq!(of(&[own[0], own[1], rename, "1 fsync(6</p>) = 0"]), [""; 0]);
    assert_eq!(of(&[own[0], rename, "1 fsync(6</p>) = 0"]).len(), 1);
}
