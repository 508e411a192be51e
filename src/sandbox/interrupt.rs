//! Ctrl-C while a person has the sandbox: it is for what they run there, as in any shell, and does not end us.
//!
//! A shell with a terminal of its own takes it, and the kernel sends the signal to what runs in front. A sandbox in a session
//! of its own (see [`super::engine::own_session`]) cannot take the terminal: then the signal comes to us, and is passed on to the
//! process group inside, which is what a shell without job control and its programs are.

use std::future::poll_fn;
use std::io;
use std::process::Child;
use std::task::Poll;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

/// Takes SIGINT and SIGQUIT from now on, for as long as this process lives.
pub(super) struct Interrupts {
    runtime: tokio::runtime::Runtime,
    interrupts: Signals,
    quits: Signals,
}

impl Interrupts {
    pub fn take() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (interrupts, quits) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::quit())?)
        };
        Ok(Self { runtime, interrupts, quits })
    }

    /// Passes each signal on to what the sandbox's program `child` started. The thread ends with this process.
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
                // Where it has ended meanwhile, nobody is to be told.
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

/// Reads `/proc/PID/stat`: after the name, which may hold anything, stand state, parent and group.
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
