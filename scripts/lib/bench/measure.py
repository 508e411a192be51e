"""Runs commands against each other: interleaved, warmed up, and each ending with the same sync."""

import fcntl
import os
import statistics
import subprocess
import sys
import time


class Failed(Exception):
    """A measured command failed."""


class Subject:
    """One command of a comparison. `prepare` and `after` are called before and after each run and not measured."""

    def __init__(self, command, prepare=None, env=None, missing=None, after=None):
        self.command, self.prepare, self.env, self.after = command, prepare, env, after
        # The reason why it cannot be run here, or None.
        self.missing = missing
        self.seconds, self.memory = [], []

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def peak(self):
        """Returns the peak memory of the largest process, in MB. It is at least this program's own, since children are
        forked from it."""
        return max(self.memory) / 1024


def run_once(subject, lock):
    if subject.prepare:
        subject.prepare()
    held = open(lock, "a") if lock else None
    if held:
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        begun = time.monotonic()
        child = subprocess.Popen(["bash", "-o", "pipefail", "-c", subject.command], env={**os.environ, **(subject.env or {})},
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if held:
            held.close()
    if subject.after:
        subject.after()
    if child.returncode:
        raise Failed(f"`{subject.command}` ended with {child.returncode}: {said.decode(errors='replace')[-400:].strip()}")
    return seconds, usage.ru_maxrss


def compare(subjects, runs, lock=None):
    """Runs all available subjects once to warm up, and then `runs` times in turn."""
    for number in range(runs + 1):
        for name, subject in subjects.items():
            if subject.missing:
                continue
            try:
                seconds, memory = run_once(subject, lock)
            except Failed as failure:
                print(f"bench: {failure}", file=sys.stderr)
                subject.missing = "it failed"
                continue
            if number:
                subject.seconds.append(seconds)
            subject.memory.append(memory)
            print(f"  {name}: {seconds:.2f} s{'' if number else ' (warm-up)'}", file=sys.stderr, flush=True)


def row(name, ours, theirs, bar=None):
    """Returns one row of the table: our median divided by theirs."""
    missing = ours.missing or theirs.missing
    if missing:
        return {"name": name, "missing": missing, "bar": bar}
    return {
        "name": name, "ratio": round(ours.median / theirs.median, 4), "bar": bar,
        "seconds": round(ours.median, 4), "baseline_seconds": round(theirs.median, 4),
        "runs": [round(value, 4) for value in ours.seconds], "baseline_runs": [round(value, 4) for value in theirs.seconds],
        "peak_mb": round(ours.peak, 1), "baseline_peak_mb": round(theirs.peak, 1),
    }
