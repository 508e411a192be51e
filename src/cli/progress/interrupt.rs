//! Ctrl-C while tasks run: clears their lines, says what the next run does, and ends by the signal, like any program.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::running::Running;
use crate::sandbox::has_interrupts;

/// True once a signal ends this process.
static ENDING: AtomicBool = AtomicBool::new(false);
/// True while the command handles SIGINT and SIGTERM itself.
static HANDLED: AtomicBool = AtomicBool::new(false);

/// Watches for signals from now on. `alone` runs its argument while no lines of tasks are on the screen.
pub(super) fn watch(running: &Arc<Running>, alone: impl Fn(&dyn Fn()) + Send + 'static) {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let running = Arc::clone(running);
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP].into_iter().filter(|one| !is_ignored(*one)))
        else {
            return;
        };
        let wait = move || {
            for signal in signals.forever().filter(|signal| !is_handled(*signal)) {
                ENDING.store(true, Ordering::SeqCst);
                alone(&|| {
                    let _ = writeln!(anstream::stderr(), "{}", running.interrupted());
                    strixlock_reapi::cancel_all();
                    let _ = emulate_default_handler(signal);
                });
            }
        };
        let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
    });
}

/// Leaves SIGINT and SIGTERM to the command from now on.
pub(in crate::cli) fn leave_to_command() {
    HANDLED.store(true, Ordering::SeqCst);
}

/// Returns whether something else handles a signal: the command, or an interactive sandbox, which has Ctrl-C for
/// itself.
fn is_handled(signal: i32) -> bool {
    match signal {
        SIGINT => HANDLED.load(Ordering::SeqCst) || has_interrupts(),
        SIGTERM => HANDLED.load(Ordering::SeqCst),
        _ => false,
    }
}

/// Waits for the end if a signal has been received: what fails then fails because its child got the signal too, and is
/// no error to report.
pub(in crate::cli) fn give_way() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Returns whether the caller made this process ignore a signal, as `nohup` and `&` in scripts do.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_s_own_ignored_signal_is_seen() {
        assert!(is_ignored(signal_hook::consts::SIGPIPE) && !is_ignored(signal_hook::consts::SIGWINCH));
    }
}
