"""The sweep of scripts/fault-sweep: for each call, fault and repetition, runs a command, checks the store, runs it
again and checks again."""

import argparse
import collections
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nightly_project
import store_check

CALLS = ["rename", "renameat", "renameat2", "openat", "openat2", "fsync", "syncfs", "link", "linkat", "write", "mkdir", "mkdirat",
         "symlink", "symlinkat", "unlink", "unlinkat", "fchmod", "utimensat", "flock"]
QUICK = ["rename", "renameat", "openat", "openat2", "fsync", "syncfs", "linkat", "write", "mkdir", "mkdirat", "symlinkat"]
# A full disk stays full; a bad block fails once.
FAULTS = {"KILL": "signal=SIGKILL:when={n}", "ENOSPC": "error=ENOSPC:when={n}+", "EIO": "error=EIO:when={n}"}
# Calls whose failure must make the command fail.
MUST_TELL = {"fsync", "syncfs", "linkat", "rename", "renameat", "renameat2"}


class Violation(Exception):
    """A state that must never occur."""


class Case:
    """One command under fault. `base` is the state before it: a directory with store/ and project/."""

    def __init__(self, name, base, command, again=None):
        self.name, self.base, self.command = name, base, command
        # The command that reaches the new state after a faulted run. Differs from `command` if that is not idempotent.
        self.again = again or command


class Sweep:
    def __init__(self, program, directory, keep_going):
        self.program, self.directory, self.keep_going = program, directory, keep_going
        self.place = directory / "place"
        self.runs, self.hits = collections.Counter(), collections.Counter()
        self.bad = []

    def strixlock(self, *arguments):
        return nightly_project.command(self.program, self.place / "store", self.place / "project", *arguments)

    def plain(self, *arguments):
        done = subprocess.run(self.strixlock(*arguments), capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise Violation(f"the plain run `{' '.join(arguments)}` failed with {done.returncode}: {done.stderr.strip()}")

    def reset(self, base):
        shutil.rmtree(self.place, ignore_errors=True)
        subprocess.run(["cp", "-a", base, self.place], check=True)

    def state(self):
        """Returns the user-visible state: the lock, current generations and trees."""
        store, lock = self.place / "store", self.place / "project" / "strix.lock"
        # One project, and so one profile.
        current = [os.readlink(link) for link in store.glob("profiles/*/current")]
        return {
            "lock": lock.read_bytes() if lock.exists() else None,
            "current": current[0] if current else None,
            "first": os.path.realpath(store / "current") if (store / "current").is_symlink() else None,
            "trees": {path.name: (path / "tree").is_dir() for path in (store / "trees").glob("*")},
            "of before": (store / "generations").exists(),
            "generations": sorted(path.name for path in store.glob("profiles/*/generations/[0-9]*")),
        }

    def check(self, when):
        wrong = store_check.violations(self.place / "store")
        project = self.place / "project"
        wrong += [f"{path}: is left over" for path in project.iterdir() if path.name not in ("strix.toml", "strix.lock")]
        if wrong:
            raise Violation(f"{when}: " + "; ".join(wrong[:3]))

    def sweep(self, case, calls, faults, most):
        self.reset(case.base)
        old = self.state()
        self.plain(*case.again)
        new = self.state()
        self.check("without a fault")
        for call in calls:
            for fault in faults:
                # strace cannot tell writes to files from those that wake threads of the same process, which never fail
                # on a real machine. tests/fetch covers a full disk with a real one.
                if call == "write" and fault != "KILL":
                    continue
                n = 1
                while n <= most and self.faulted(case, call, fault, n, old, new):
                    n *= 2

    def faulted(self, case, call, fault, n, old, new):
        """Runs the command once under the fault. Returns true if the fault occurred."""
        self.reset(case.base)
        log = self.directory / "strace.log"
        inject = f"inject={call}:{FAULTS[fault].format(n=n)}"
        command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call}", "-e", inject, *self.strixlock(*case.command)]
        key = (case.name, call, fault)
        try:
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            except subprocess.TimeoutExpired:
                raise Violation("the faulted run hangs") from None
            hit = done.returncode < 0 if fault == "KILL" else "(INJECTED)" in log.read_text(errors="replace")
            self.runs[key] += 1
            self.hits[key] += hit
            if "panicked" in done.stderr:
                raise Violation(f"the faulted run panicked: {done.stderr.strip()}")
            if hit and fault != "KILL" and call in MUST_TELL and done.returncode == 0 and self.state() != new:
                raise Violation(f"{call} failed, the command says that all is well, and it is not")
            if hit and fault != "KILL" and call in ("fsync", "syncfs") and done.returncode == 0:
                raise Violation(f"the command does not report that {call} failed")
            self.check("after the faulted run")
            between = self.state()
            if between["lock"] not in (old["lock"], new["lock"]):
                raise Violation("the lock is neither the old nor the new one")
            if between["current"] not in (old["current"], new["current"]):
                raise Violation("the current generation is neither the old nor the new one")
            self.plain(*case.again)
            self.check("after the next run")
            if self.state() != new:
                raise Violation("the next run does not reach the new state")
            rest = store_check.leftovers(self.place / "store")
            if rest:
                raise Violation("after the next run: " + "; ".join(rest[:3]))
        except Violation as violation:
            self.bad.append((key, n, str(violation)))
            print(f"VIOLATION {case.name}, {call}, {fault}, N = {n}: {violation}\n  repeat: cp -a {case.base} {self.place} && "
                  f"{shlex.join(['strace', '-f', '-qq', '-o', '/dev/null', '-e', inject, *self.strixlock(*case.command)])}", flush=True)
            if not self.keep_going:
                raise SystemExit(1) from None
            hit = True
        return hit

    def counts(self):
        calls = sorted({(name, call) for name, call, _ in self.runs})
        print(f"{'case':10} {'call':10} " + " ".join(f"{fault:>12}" for fault in FAULTS) + "   (faults met / runs)")
        for name, call in calls:
            cells = (f"{self.hits[name, call, fault]}/{self.runs[name, call, fault]}" for fault in FAULTS)
            print(f"{name:10} {call:10} " + " ".join(f"{cell:>12}" for cell in cells))
        print(f"{sum(self.runs.values())} runs, {sum(self.hits.values())} faults met, {len(self.bad)} violations")


def of_before(store):
    """Turns a store into format 1, from before profiles: one list of generations at the top."""
    (profile,) = store.glob("profiles/[!.]*")
    (store / "current").unlink()
    (store / "current").symlink_to(os.readlink(profile / "current"))
    (profile / "generations").rename(store / "generations")
    shutil.rmtree(store / "profiles")
    for link in store.glob("generations/[0-9]*/*"):
        if link.is_symlink():
            target = os.readlink(link).replace("../../", "", 1)
            link.unlink()
            link.symlink_to(target)
    (store / "version").write_text("strixlock-store 1\n")


def bases(sweep, url):
    """Creates the initial states and returns the cases."""
    cases = []

    def manifest(version):
        nightly_project.write(sweep.place / "project", version, url)

    def keep(name):
        base = sweep.directory / "base" / name
        base.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", sweep.place, base], check=True)
        return base

    (sweep.place / "project").mkdir(parents=True)
    manifest("10.1.0a20260901")
    cases.append(Case("update", keep("empty"), ["update"]))
    sweep.plain("update")
    lock = keep("taken-in")
    subprocess.run(["rm", "-rf", sweep.place / "store"], check=True)
    cases.append(Case("realize", keep("locked"), ["realize"]))
    sweep.reset(lock)
    sweep.plain("realize")
    manifest("10.1.0a20260902")
    cases.append(Case("bump", keep("bump"), ["update"]))
    sweep.plain("update")
    cases.append(Case("switch", keep("newer"), ["realize"]))
    sweep.plain("realize")
    two = keep("two")
    cases.append(Case("rollback", two, ["switch", "1"]))
    of_before(sweep.place / "store")
    cases.append(Case("migrate", keep("of-before"), ["generations"]))
    sweep.reset(two)
    cases.append(Case("pack", two, ["store", "pack", "--keep-hot", "1"]))
    sweep.plain("store", "pack", "--keep-hot", "1")
    cases.append(Case("thaw", keep("packed"), ["switch", "1"]))
    # The lock names the cold tree again; only `save` and `restore` thaw it.
    manifest("10.1.0a20260901")
    sweep.plain("update")
    cold, saved = keep("cold"), str(sweep.place / "saved.tar.zst")
    cases.append(Case("save", cold, ["snapshot", "save", "rocm", saved]))
    sweep.plain("snapshot", "save", "rocm", saved)
    shutil.copy(saved, cold)
    cases.append(Case("restore", cold, ["snapshot", "restore", saved]))
    return cases


def main():
    parser = argparse.ArgumentParser(prog="scripts/fault-sweep", description="Fault injection over intake and generation switch.")
    parser.add_argument("--quick", action="store_true", help="fewer calls and times: about a minute")
    parser.add_argument("--keep-going", action="store_true", help="continue after a violation")
    parser.add_argument("--call", action="append", help="only this system call (repeatable)")
    cases = "update, realize, bump, switch, rollback, migrate, pack, thaw, save, restore"
    parser.add_argument("--case", action="append", help=f"only this case: {cases} (repeatable)")
    parser.add_argument("--dir", type=Path, help="work directory, which keeps the states for repeating (default: a temporary directory)")
    parser.add_argument("--program", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
    for name in ("STRIXLOCK_STORE", "STRIXLOCK_MANIFEST", "STRIXLOCK_LOCK", "STRIXLOCK_CONFIG"):
        os.environ.pop(name, None)
    directory = Path(args.dir or tempfile.mkdtemp(prefix="strixlock-faults-")).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    program = args.program.resolve()
    upstream = subprocess.Popen([program, "demo", "--serve", "--dir", directory / "upstream"], stdout=subprocess.PIPE, text=True)
    sweep, begun = Sweep(program, directory, args.keep_going), time.monotonic()
    try:
        # The demo prints three indexes; the last is the current one.
        url = [upstream.stdout.readline().split()[-1] for _ in range(3)][-1]
        for case in bases(sweep, url):
            if args.case and case.name not in args.case:
                continue
            calls, faults, most = args.call or CALLS, list(FAULTS), 1 << 20
            if args.quick:
                calls, most = args.call or QUICK, 16
                if case.name in ("realize", "bump"):
                    continue
            print(f"{case.name}: strixlock {' '.join(case.command)}", file=sys.stderr, flush=True)
            sweep.sweep(case, calls, faults, most)
    finally:
        upstream.kill()
        upstream.wait()
        sweep.counts()
        print(f"{time.monotonic() - begun:.0f} seconds" + (f"; states in {directory}" if sweep.bad or args.dir else ""))
        if not sweep.bad and not args.dir:
            subprocess.run(["rm", "-rf", directory], check=False)
    return 1 if sweep.bad else 0


sys.exit(main())
