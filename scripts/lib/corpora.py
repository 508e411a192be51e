"""Unpacks archives, public and generated, in three ways, and compares with three other programs: see
scripts/corpora."""

import argparse
import binascii
import collections
import fnmatch
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import odd_archives
from private_apt import PrivateApt

WAYS = ("tarball", "package", "layer")
JUDGES = ("GNU tar", "bsdtar", "Python")
# Peak memory, in KiB.
MOST = {"suite": 64 << 10, "bomb": 200 << 10}
# Default limit for one archive, in seconds.
PATIENCE = 300
MERGED = {"bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "var"}


# --- the suites

def looks_like_tar(name):
    name = name.removesuffix(".uu").lower()
    if name.endswith((".c", ".h", ".at", ".py", ".pyc", ".go", ".rs", ".sh")):
        return False
    ends = (".tar", ".tgz", ".tbz", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.z", ".tar.lzma", ".tar.lz4", ".pax")
    return name.endswith(ends) or "_tar_" in name or "_pax_" in name or "gtar" in name


def uudecoded(text):
    out, inside = bytearray(), False
    for line in text.splitlines():
        if line.startswith(b"begin "):
            inside = True
        elif line.strip() in (b"end", b"`", b""):
            inside = inside and line.strip() != b"end"
        elif inside:
            try:
                out += binascii.a2b_uu(line)
            except binascii.Error:
                # Some encoders append characters that do not belong to the line.
                out += binascii.a2b_uu(line[:1 + (((line[0] - 32) & 63) * 4 + 5) // 3])
    return bytes(out)


def keep(suite, name, bytes_, place):
    """Writes an archive under a name without directories, unless it exists."""
    path = place / suite / name.replace("/", "+")
    path.parent.mkdir(parents=True, exist_ok=True)
    if bytes_ and not path.exists():
        path.write_bytes(bytes_)


def from_source(suite, archive, place):
    """Keeps the archives found in the source tarball of a program."""
    with tarfile.open(archive) as source:
        for member in source:
            name = Path(member.name).name
            if member.isfile() and "test" in member.name and looks_like_tar(name) and member.size < 16 << 20:
                bytes_ = source.extractfile(member).read()
                keep(suite, name.removesuffix(".uu"), uudecoded(bytes_) if name.endswith(".uu") else bytes_, place)


def from_directory(suite, root, place):
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink() and looks_like_tar(path.name) and path.stat().st_size < 16 << 20:
            bytes_ = path.read_bytes()
            keep(suite, path.name.removesuffix(".uu"), uudecoded(bytes_) if path.suffix == ".uu" else bytes_, place)


def suites(place, work):
    """Downloads the suites with apt and cargo into `place`."""
    apt = PrivateApt(work / "apt", suite="stable", sources=True)
    for suite, name, inside in [
        ("Go", apt.newest("golang-1.", "-src"), "archive/tar/testdata"),
        ("CPython", apt.newest("libpython3.", "-testsuite"), "test"),
    ]:
        root = work / suite
        apt.unpack([name], root)
        for directory in root.rglob(inside):
            if directory.is_dir():
                from_directory(suite, directory, place)
    sources = work / "libarchive"
    sources.mkdir()
    apt.run("source", "--download-only", "--only-source", "libarchive", cwd=sources)
    for archive in sources.glob("*.orig.tar.*"):
        if not archive.name.endswith(".asc"):
            from_source("libarchive", archive, place)
    crates = work / "crates"
    (crates / "src").mkdir(parents=True)
    (crates / "src/lib.rs").touch()
    (crates / "Cargo.toml").write_text('[package]\nname = "corpora"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n'
                                       '[dependencies]\nastral-tokio-tar = "*"\n')
    subprocess.run(["cargo", "vendor", "--quiet", "vendor"], cwd=crates, check=True, stdout=subprocess.DEVNULL)
    from_directory("astral-tokio-tar", crates / "vendor/astral-tokio-tar/tests", place)


def written(place, work):
    """Writes an ordinary tree with GNU tar, bsdtar and Python in each of their formats. GNU tar's own test suite ships
    no archives: it makes them like this."""
    tree = work / "ordinary"
    (tree / "d" / ("n" * 90)).mkdir(parents=True)
    (tree / "d" / ("n" * 90) / ("f" * 90)).write_bytes(b"deep")
    (tree / "run").write_bytes(b"#!/bin/sh\n")
    (tree / "run").chmod(0o755)
    (tree / "link").symlink_to("d/" + "n" * 90 + "/" + "f" * 90)
    os.link(tree / "run", tree / "hard")
    with open(tree / "sparse", "wb") as sparse:
        sparse.seek(300_000)
        sparse.write(b"middle")
        sparse.truncate(700_000)
    os.utime(tree / "run", (1.5, -1.5))
    out = place / "written"
    out.mkdir(parents=True)
    for form in ("v7", "oldgnu", "gnu", "ustar", "posix"):
        for name, more in [("", []), ("-sparse", ["--sparse"]), ("-incremental", ["--listed-incremental=/dev/null"]), ("-label", ["--label=x"])]:
            command = ["tar", f"--format={form}", *more, "-cf", out / f"gnutar-{form}{name}.tar", "-C", tree, "."]
            subprocess.run(command, capture_output=True, check=False)
    for form in ("gnutar", "pax", "ustar", "v7tar"):
        subprocess.run(["bsdtar", "--format", form, "-cf", out / f"bsdtar-{form}.tar", "-C", tree, "."], capture_output=True, check=False)
    for name, form in [("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)]:
        try:
            with tarfile.open(out / f"python-{name}.tar", "w", format=form) as archive:
                archive.add(tree, ".")
        except ValueError:
            (out / f"python-{name}.tar").unlink()


# --- what came out

def tree_of(root, without=()):
    """Returns names, kinds, contents, execute bits and link targets. Omits entries that no tree can hold."""
    found = {}
    for above, directories, files in os.walk(os.fsencode(root)):
        for name in directories + files:
            path = os.path.join(above, name)
            relative = os.path.relpath(path, os.fsencode(root))
            if relative.split(b"/")[0] in without:
                continue
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                found[relative] = ("link", os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found[relative] = ("directory",)
            elif stat.S_ISREG(status.st_mode):
                digest = hashlib.sha256(b"%d" % status.st_size)
                with open(path, "rb") as contents:
                    # Files that are mostly holes are compared by their beginning.
                    while (piece := contents.read(1 << 20)) and contents.tell() < 1 << 28:
                        digest.update(piece)
                found[relative] = ("file", bool(status.st_mode & 0o100), digest.digest())
    return found


class Beside:
    """A directory to unpack into, next to a canary that must not change."""

    def __init__(self, work):
        self.root = Path(tempfile.mkdtemp(dir=work))
        self.place = self.root / "place"
        self.place.mkdir()
        (self.root / "canary").mkdir()
        (self.root / "canary/file").write_text("untouched")

    def __enter__(self):
        return self

    def is_whole(self):
        canary = self.root / "canary"
        names = {entry.name for entry in self.root.iterdir()}
        return (names == {"place", "canary"} and os.listdir(canary) == ["file"] and (canary / "file").read_text() == "untouched"
                and not Path("/strixlock-canary").exists())

    def __exit__(self, *_):
        for above, directories, _ in os.walk(self.root):
            for name in directories:
                path = os.path.join(above, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o755)
        shutil.rmtree(self.root)


JUDGE_IN_PYTHON = """
import sys, tarfile
with tarfile.open(sys.argv[1]) as archive:
    archive.extractall(sys.argv[2], filter="tar")
"""


def judge(which, archive, work):
    """Returns the tree that another program unpacks, even if it reports errors."""
    with Beside(work) as beside:
        to = ["-xf", archive, "-C", beside.place, "--no-same-owner", "--no-same-permissions"]
        command = {"GNU tar": ["tar", *to], "bsdtar": ["bsdtar", *to],
                   "Python": [sys.executable, "-c", JUDGE_IN_PYTHON, archive, beside.place]}[which]
        try:
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            return {}
        return tree_of(beside.place)


def as_package(archive, path):
    """Wraps an archive in a Debian package. The member has no suffix if dpkg has none for the compression."""
    start = archive.open("rb").read(6)
    ends = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"\xfd7zXZ\0": ".xz", b"BZh": ".bz2"}
    end = next((end for magic, end in ends.items() if start.startswith(magic)), "")
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w", format=tarfile.GNU_FORMAT) as inner:
        text = b"Package: corpus\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: x\n"
        member = tarfile.TarInfo("./control")
        member.size = len(text)
        inner.addfile(member, io.BytesIO(text))
    head = lambda name, size: f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{size:<10}`\n".encode()
    with open(path, "wb") as out:
        out.write(b"!<arch>\n" + head("debian-binary", 4) + b"2.0\n")
        body = control.getvalue()
        out.write(head("control.tar", len(body)) + body + b"\n" * (len(body) % 2))
        size = archive.stat().st_size
        out.write(head("data.tar" + end, size))
        with archive.open("rb") as contents:
            shutil.copyfileobj(contents, out)
        out.write(b"\n" * (size % 2))


def peak_of(process):
    """Returns the peak memory of a running process, in KiB."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def told_by(command, patience):
    """Runs our unpacker and returns what it prints. If it is stopped, returns its peak memory until then."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, wrong = process.communicate(timeout=patience)
            return json.loads(out)
        except subprocess.TimeoutExpired:
            peak = peak_of(process)
            process.kill()
            return {"error": {"message": f"not done after {patience} s"}, "late": True, "peak_kib": peak}
        except json.JSONDecodeError:
            return {"error": {"message": "it crashed: " + wrong.decode(errors="replace")[-300:]}, "crashed": True}


def ours(program, way, archive, work, patience, compared):
    """Unpacks with strixlock. Returns its answer, with the state of the canary, and the tree if it is to be
    compared."""
    with Beside(work) as beside:
        source = archive
        if way == "package":
            source = Path(work) / "corpus.deb"
            as_package(archive, source)
        began = time.monotonic()
        told = told_by([program, way, source, beside.place], patience)
        told["seconds"] = time.monotonic() - began
        tree = None
        if compared and "tree" in told:
            root = beside.place if way == "tarball" else beside.place / "tree"
            tree = tree_of(root, MERGED if way == "package" else ())
        told["whole"] = beside.is_whole()
        return told, tree


# --- the run

def without(tree, tops):
    return {path: node for path, node in tree.items() if path.split(b"/")[0] not in tops}


class Run:
    def __init__(self, program, work, verbose, patience):
        self.program, self.work, self.verbose, self.patience = program, work, verbose, patience
        self.counts = collections.defaultdict(collections.Counter)
        self.peaks = collections.defaultdict(int)
        self.slowest = collections.defaultdict(float)
        self.faults = []

    def archive(self, suite, path, kind):
        judged = {}
        for way in WAYS:
            told, tree = ours(self.program, way, path, self.work, self.patience, kind != "bomb")
            counts, key = self.counts[suite, way], (suite, way)
            counts["archives"] += 1
            self.peaks[key] = max(self.peaks[key], told.get("peak_kib") or 0)
            self.slowest[key] = max(self.slowest[key], told["seconds"])
            where = f"{suite}/{path.name} as {way}"
            needed = f"{(told.get('peak_kib') or 0) / 1024:.0f} MB, {told['seconds']:.1f} s"
            for wrong in ("late", "crashed"):
                if told.get(wrong):
                    self.faults.append(f"{where}: {told['error']['message']}")
            if not told["whole"]:
                self.faults.append(f"{where}: something was changed beside its place")
            if (told.get("peak_kib") or 0) > MOST[kind]:
                self.faults.append(f"{where}: needed {told['peak_kib'] >> 10} MB")
            if "tree" not in told:
                counts["refused"] += 1
                self.tell(where, f"{needed}, refused: {told['error']['message']}")
                continue
            counts["taken"] += 1
            if kind == "bomb":
                self.tell(where, f"{needed}, taken")
                continue
            # Other programs are asked only about archives that strixlock takes.
            judged = judged or {which: judge(which, path, self.work) for which in JUDGES}
            tops = {os.fsencode(top) for top in MERGED} if way == "package" else set()
            agree = [which for which in JUDGES if without(judged[which], tops) == without(tree, tops)]
            for which in JUDGES:
                counts[which] += which in agree
            counts["all"] += len(agree) == len(JUDGES)
            self.tell(where, f"{needed}, taken, as {', '.join(agree) or 'nobody'}")
            if not agree:
                counts["none"] += 1
                self.faults.append(f"{where}: all three others read another tree")

    def tell(self, where, what):
        if self.verbose:
            print(f"{where}: {what}", flush=True)

    def table(self):
        head = ["suite", "as", "archives", "refused", "taken", "all three", *JUDGES, "nobody", "peak MB", "slowest s"]
        print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
        total = collections.Counter()
        for (suite, way), counts in self.counts.items():
            total.update(counts)
            names = ["archives", "refused", "taken", "all", *JUDGES, "none"]
            cells = [counts[name] for name in names]
            if suite == "bombs":
                cells[3:] = ["-"] * 5
            peak, slowest = self.peaks[suite, way] / 1024, self.slowest[suite, way]
            print("| " + " | ".join(map(str, [suite, way, *cells, f"{peak:.0f}", f"{slowest:.1f}"])) + " |")
        print(f"\n{total['archives']} runs, {total['taken']} taken, {total['none']} of them read by nobody else so; "
              f"{len(self.faults)} faults")
        for fault in self.faults:
            print("FAULT", fault)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--suites", type=Path, help="directory for the suites; they are not downloaded again if it exists")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--no-bombs", action="store_true", help="skip the bombs, which take minutes")
    parser.add_argument("--patience", type=int, default=PATIENCE, metavar="SECONDS", help="limit for one archive")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="only archives whose `SUITE/FILE` matches, such as bombs/bomb-names*")
    arguments = parser.parse_args()
    patterns = arguments.only or ["*"]
    wanted = lambda suite, name: any(fnmatch.fnmatchcase(f"{suite}/{name}", pattern) for pattern in patterns)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        place = arguments.suites or work / "suites"
        if not place.is_dir():
            suites(place, work)
        run = Run(arguments.program.resolve(), work, arguments.verbose, arguments.patience)
        made = work / "made"
        written(made, work)
        (made / "lies").mkdir()
        for name, bytes_ in odd_archives.lies().items():
            (made / "lies" / f"{name}.tar").write_bytes(bytes_)
        for directory in sorted(place.iterdir()) + sorted(made.iterdir()):
            for path in filter(lambda path: wanted(directory.name, path.name), sorted(directory.iterdir())):
                run.archive(directory.name, path, "suite")
        if not arguments.no_bombs:
            (work / "bombs").mkdir()
            for path in odd_archives.bombs(work / "bombs", lambda name: wanted("bombs", name)):
                run.archive("bombs", path, "bomb")
                path.unlink()
        run.table()
        sys.exit(bool(run.faults))


main()
