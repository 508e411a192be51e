"""Runs commands against each other: interleaved, warmed, and with the same sync at the end of each."""

import fcntl
import os
import statistics
import subprocess
import sys
import time


class Failed(Exception):
    """A command that was to be measured failed."""


class Subject:
    """One command of a comparison. `prepare` runs before each run, `after` after it; neither is measured."""

    def __init__(self, command, prepare=None, env=None, missing=None, after=None):
        self.command, self.prepare, self.env, self.after = command, prepare, env, after
        # Why it cannot be run here, if it cannot.
        self.missing = missing
        self.seconds, self.memory = [], []

    @property
    def median(self):
        return statistics.median(self.seconds)

    @property
    def peak(self):
        """Peak memory in MB of the largest process. Never less than this program's own, which every child starts from."""
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
    """Runs all subjects that can be run, once to warm up and then `runs` times in turn."""
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
    """One row of the table: our median by theirs."""
    missing = ours.missing or theirs.missing
    if missing:
        return {"name": name, "missing": missing, "bar": bar}
    return {
        "name": name, "ratio": round(ours.median / theirs.median, 4), "bar": bar,
        "seconds": round(ours.median, 4), "baseline_seconds": round(theirs.median, 4),
        "runs": [round(value, 4) for value in ours.seconds], "baseline_runs": [round(value, 4) for value in theirs.seconds],
        "peak_mb": round(ours.peak, 1), "baseline_peak_mb": round(theirs.peak, 1),
    }
