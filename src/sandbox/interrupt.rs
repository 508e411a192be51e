//! Ctrl-C in an interactive sandbox: it goes to the program there, as in any shell, and does not end strixlock.
//!
//! If the shell controls the terminal, the kernel sends the signal to its foreground program. A sandbox in a session of
//! its own (see [`super::engine::own_session`]) cannot control the terminal. Then strixlock gets the signal and passes
//! it on to the process group inside, which a shell without job control shares with its programs.

use std::future::poll_fn;
use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

/// True once [`Interrupts`] were taken.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Returns whether Ctrl-C belongs to an interactive sandbox, and is not meant for this process.
#[must_use]
pub fn has_interrupts() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Handler of SIGINT and SIGQUIT. It takes them for the rest of this process's life.
pub(super) struct Interrupts {
    runtime: tokio::runtime::Runtime,
    interrupts: Signals,
    quits: Signals,
}

impl Interrupts {
    pub fn take() -> io::Result<Self> {
        TAKEN.store(true, Ordering::SeqCst);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (interrupts, quits) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::quit())?)
        };
        Ok(Self { runtime, interrupts, quits })
    }

    /// Passes each signal on to the first process that the sandbox's program `child` started. The thread ends with this
    /// process.
    pub fn pass_on(self, child: &Child) -> io::Result<()> {
        let sandbox = child.id();
        let Self { runtime, mut interrupts, mut quits } = self;
        let forward = move || {
            loop {
                let next = poll_fn(|context| {
                    if interrupts.poll_recv(context).is_ready() {
                        Poll::Ready(Signal::INT)
                    } else {
                        quits.poll_recv(context).map(|_| Signal::QUIT)
                    }
                });
                let signal = runtime.block_on(next);
                // Fails if the sandbox has ended meanwhile, which is fine.
                let _ = group_below(sandbox).map(|group| kill_process_group(group, signal));
            }
        };
        std::thread::Builder::new().name("interrupts".to_owned()).spawn(forward).map(drop)
    }
}

/// Returns the process group of the first child of a process.
fn group_below(parent: u32) -> Option<Pid> {
    let all = std::fs::read_dir("/proc").ok()?;
    all.flatten().find_map(|entry| group_of_child(&std::fs::read_to_string(entry.path().join("stat")).ok()?, parent))
}

/// Returns the process group from the text of `/proc/PID/stat`, if the parent is `parent`. State, parent and group
/// follow the name, which may have any characters.
fn group_of_child(stat: &str, parent: u32) -> Option<Pid> {
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
    (words.next()?.parse() == Ok(parent)).then_some(())?;
    Pid::from_raw(words.next()?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_child_is_read_from_the_kernel_s_text() {
        let stat = "12 (a) 1 2 (b)) S 7 12 12 0 -1 4194560 0 0 0 0";
        assert_eq!(group_of_child(stat, 7), Pid::from_raw(12));
        for (stat, parent) in [(stat, 8), ("", 7), ("12 (a) S", 7), ("12 (a) S 7", 7), ("12 (a) S 7 0 0", 7)] {
            assert_eq!(group_of_child(stat, parent), None, "{stat}");
        }
    }
}
