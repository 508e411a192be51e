"""The comparisons of strixlock with the tools that people use for the same jobs today."""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from shlex import quote

import nightly_project

from . import tools
from .measure import Failed, Subject, compare, row, run_once
from .remotes import REPOSITORY, registry, remotes
from .workload import concatenate, manifold, measure, series

# The level of the images' layers: `ZSTD_LEVEL` in crates/formats/src/oci/layer.rs.
LAYER_LEVEL = 6


def remove(path):
    """Moves a tree to the trash and frees its space, but keeps its inodes until `sweep`. Syncs the disk.

    For a minute, ext4 without a journal looks at every recently deleted inode before it makes a new one. Runs right after a removal
    would measure that."""
    path = Path(path)
    if os.path.lexists(path):
        trash = path.parent / "trash"
        trash.mkdir(exist_ok=True)
        aside = trash / str(len(os.listdir(trash)))
        path.rename(aside)
        names = {}
        for directory, _, files in os.walk(aside):
            os.chmod(directory, 0o755)
            for name in files:
                file = os.path.join(directory, name)
                about = os.lstat(file)
                if stat.S_ISREG(about.st_mode):
                    names.setdefault((about.st_ino, about.st_nlink), []).append(file)
        for (_, links), files in names.items():
            if links == len(files):
                os.chmod(files[0], 0o644)
                os.truncate(files[0], 0)
            else:
                # Other names of the inode exist elsewhere, so it stays anyway.
                for file in files:
                    os.unlink(file)
    subprocess.run(["sync", "-f", path.parent], check=True)


def sweep(directory):
    """Removes a directory and its contents."""
    if os.geteuid():
        subprocess.run(["chmod", "-R", "u+w", directory], check=False)
    subprocess.run(["rm", "-rf", directory], check=True)


class Bench:
    def __init__(self, program, work, url, nightlies, changed, runs, lock, only, small):
        self.program, self.work, self.url, self.runs, self.lock, self.only = program, work, url, runs, lock, only
        self.small = small
        self.first, self.second = nightlies
        self.changed = changed
        self.warm = work / "warm"
        self.rows = []

    # Commands.

    def strixlock(self, store, nightly, *arguments):
        project = self.work / "project" / nightly.version
        return " ".join(map(quote, nightly_project.command(self.program, store, project, *arguments)))

    def has(self, *command):
        """Returns None if this strixlock has the command, else the reason why a row cannot be measured."""
        answer = subprocess.run([self.program, *command, "--help"], capture_output=True)
        return None if answer.returncode == 0 else f"this strixlock has no `{' '.join(command)}`"

    def now(self, command):
        subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, stdout=subprocess.DEVNULL)

    def rest(self, seconds=61):
        """Waits until ext4 no longer looks at deleted inodes (see `remove`). Skipped for the small workload."""
        subprocess.run(["sync"], check=True)
        kind = subprocess.run(["stat", "-f", "-c", "%T", self.work], capture_output=True, text=True, check=True)
        if not self.small and kind.stdout.startswith("ext"):
            print(f"  the disk rests for {seconds} s", file=sys.stderr, flush=True)
            time.sleep(seconds)

    def set_up(self):
        """Makes a lock for each nightly, and a store that holds the first."""
        remove(self.warm)
        for nightly in (self.first, self.second):
            self.project(nightly)
        self.take_in(self.warm, self.first)
        self.now(self.strixlock(self.warm, self.first, "realize"))
        [self.tree] = (self.warm / "trees").glob("*/tree")
        # Files that builds, tests or an earlier run deleted without a sync slow ext4 down for six minutes.
        self.rest(360)

    def project(self, nightly):
        """Writes the manifest for a nightly."""
        project = self.work / "project" / nightly.version
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        image = '[outputs.image]\ntype = "image"\nrocm = "rocm"\n'
        nightly_project.write(project, nightly.version, self.url, "colliding-names = true\n", image)

    def take_in(self, store, nightly):
        """Takes a nightly into a store, without a generation that would keep it hot."""
        # `update` does not download what the lock already names.
        (self.work / "project" / nightly.version / "strix.lock").unlink(missing_ok=True)
        self.now(self.strixlock(store, nightly, "update"))

    # The rows.

    def wanted(self, *names):
        return not self.only or any(name.startswith(self.only) for name in names)

    def against(self, ours, baselines, bars=None):
        """Measures one subject against baselines, which are given by row name."""
        baselines = {name: subject for name, subject in baselines.items() if self.wanted(name)}
        if not baselines:
            return
        label = next(iter(baselines)).split("/")[0]
        if ours.missing:
            subjects = {}
        else:
            subjects = {f"{label}: strixlock": ours, **baselines}
        compare(subjects, self.runs, self.lock)
        self.rows += [row(name, ours, subject, (bars or {}).get(name)) for name, subject in baselines.items()]

    def intake(self):
        place, store = self.work / "place", self.work / "fresh"
        url = quote(self.url + self.first.tarball.name)

        def fresh():
            remove(place)
            place.mkdir()
            remove(store)

        sync = f"sync -f {quote(str(self.work))}"
        nix = self.nix(place)
        # The bytes that strixlock keeps: those of the tarball, and those of the tree.
        tree = self.work / "one-file"
        if self.wanted("intake/dd-fsync"):
            concatenate(self.first.tree, tree)
        dd = " && ".join(f"dd if={quote(str(source))} of={place}/{number} bs=1M conv=fsync status=none"
                         for number, source in enumerate((self.first.tarball, tree)))
        ours = Subject(f"{self.strixlock(store, self.first, 'realize', 'rocm')} && {sync}", fresh)
        self.against(ours, {
            "intake/curl-tar": Subject(f"curl -sSf {url} | tar xz -C {place} && {sync}", fresh, missing=tools.missing("curl")),
            "intake/curl-bsdtar": Subject(f"curl -sSf {url} | bsdtar -xz -C {place} -f - && {sync}", fresh,
                                          missing=tools.missing("bsdtar") or tools.missing("curl")),
            "intake/dd-fsync": Subject(f"{dd} && {sync}", fresh),
            # It removes the directory that it unpacked into, which must not slow down the next command.
            "intake/nix-prefetch-url": Subject(f"nix-prefetch-url --unpack {url} && {sync}", fresh, nix,
                                               missing=tools.missing("nix-prefetch-url"), after=self.rest),
        }, {"intake/curl-tar": 0.36, "intake/curl-bsdtar": 0.75, "intake/dd-fsync": 1.2, "intake/nix-prefetch-url": 0.28})
        tree.unlink(missing_ok=True)
        remove(place)
        remove(store)

    def intake_on_tmpfs(self):
        """Intake without a disk: both sides write to a tmpfs."""
        name = "intake/tmpfs-bsdtar"
        if not self.wanted(name):
            return
        tarball = self.first.tarball
        # The store takes tarball and tree; the rest is for its own bookkeeping, and for both sides to work in.
        needed = tarball.stat().st_size + measure(self.first.tree)[1] * 5 // 4 + (512 << 20)
        with tools.tmpfs(self.work / "tmpfs", needed) as (directory, missing):
            place, store = directory / "place", directory / "store"

            def fresh():
                sweep(place)
                sweep(store)
                place.mkdir()

            url = quote(self.url + tarball.name)
            self.against(Subject(self.strixlock(store, self.first, "realize", "rocm"), fresh, missing=missing), {
                name: Subject(f"curl -sSf {url} | bsdtar -xz -C {quote(str(place))} -f -", fresh,
                              missing=missing or tools.missing("bsdtar") or tools.missing("curl")),
            })

    def memory(self):
        """Compares the peak memory for a tarball four times as large with that for the first nightly."""
        if not self.wanted("intake/memory-4x"):
            return
        large, store, peaks = manifold(self.work.parent, 4), self.work / "fresh", []
        self.project(large)

        for nightly in (self.first, large):
            def fresh():
                remove(store)
                (self.work / "project" / nightly.version / "strix.lock").unlink(missing_ok=True)

            subject = Subject(self.strixlock(store, nightly, "update"), fresh)
            peaks.append(max(run_once(subject, self.lock)[1] for _ in range(3)) / 1024)
            print(f"  intake/memory-4x: {nightly.tarball.stat().st_size / 1e6:.0f} MB of gzip, peak {peaks[-1]:.1f} MB", file=sys.stderr, flush=True)
        remove(store)
        self.rows.append({"name": "intake/memory-4x", "ratio": round(peaks[1] / peaks[0], 4), "bar": 1.1,
                          "bytes": int(peaks[1] * 1e6), "baseline_bytes": int(peaks[0] * 1e6)})

    def nix(self, root):
        """Returns the environment for a Nix store below `root` that needs no daemon."""
        return {"NIX_STORE_DIR": f"{root}/store", "NIX_STATE_DIR": f"{root}/state", "NIX_LOG_DIR": f"{root}/log",
                "NIX_REMOTE": "", "XDG_CACHE_HOME": f"{root}/cache", "HOME": f"{root}/home",
                "NIX_CONFIG": "build-users-group =\nsandbox = false\nextra-experimental-features = nix-command"}

    def verify(self):
        if not self.wanted("verify/nix-hash-path", "verify/nix-store-verify"):
            return
        place = self.work / "place"
        env, missing = self.nix(place), tools.missing("nix-store")
        ours = Subject(self.strixlock(self.warm, self.first, "verify", "rocm"), missing=self.has("verify"))
        remove(place)
        if not missing and not ours.missing:
            place.mkdir()
            subprocess.run(["nix-store", "--add", self.tree], env={**os.environ, **env}, check=True, capture_output=True)
        self.against(ours, {
            "verify/nix-hash-path": Subject(f"nix hash path {self.tree}", env=env, missing=missing),
            "verify/nix-store-verify": Subject("nix-store --verify --check-contents", env=env, missing=missing),
        }, {"verify/nix-hash-path": 0.45})
        remove(place)

    def checkout(self):
        place = self.work / "place"
        there = place / "rocm"
        sync = f"sync -f {quote(str(self.work))}"

        def fresh():
            remove(place)
            place.mkdir()

        def ours(mode):
            command = self.strixlock(self.warm, self.first, "realize", "rocm", "--to", place, "--link-mode", mode)
            return Subject(f"{command} && {sync}", fresh)

        self.against(ours("hardlink"), {"checkout/cp-al": Subject(f"cp -al {self.tree} {there} && {sync}", fresh)},
                     {"checkout/cp-al": 1.2})
        self.against(ours("auto"), {
            "checkout/cp-a": Subject(f"cp -a {self.tree} {there} && {sync}", fresh),
            "checkout/rsync": Subject(f"rsync -aHAX {self.tree}/ {there}/ && {sync}", fresh, missing=tools.missing("rsync")),
        })
        remove(place)

    def warm_realize(self):
        if not self.wanted("realize/warm"):
            return
        ours = Subject(self.strixlock(self.warm, self.first, "realize"))
        compare({"realize: strixlock": ours}, self.runs, self.lock)
        self.rows.append({"name": "realize/warm", "milliseconds": round(ours.median * 1000, 1), "bar_milliseconds": 100,
                          "runs": [round(value, 4) for value in ours.seconds], "peak_mb": round(ours.peak, 1)})

    def snapshots(self):
        if not self.wanted("save/tar-zstd", "restore/tar-xz"):
            return
        place, store = self.work / "place", self.work / "fresh"
        sync = f"sync -f {quote(str(self.work))}"

        def fresh():
            remove(place)
            place.mkdir()
            remove(store)

        kept = self.work / "kept.tar.zst"
        ours = Subject(f"{self.strixlock(self.warm, self.first, 'snapshot', 'save', 'rocm', place / 'out.tar.zst')} && {sync}",
                       fresh, missing=self.has("snapshot", "save"))
        self.against(ours, {"save/tar-zstd": Subject(
            f"tar -C {self.tree} -cf - . | zstd -q -T0 -3 -o {place}/out.tar.zst && {sync}", fresh, missing=tools.missing("zstd"))},
            {"save/tar-zstd": 1.05})
        missing = ours.missing or self.has("snapshot", "restore")
        if not missing:
            kept.unlink(missing_ok=True)
            self.now(self.strixlock(self.warm, self.first, "snapshot", "save", "rocm", kept))
        ours = Subject(f"{self.strixlock(store, self.first, 'snapshot', 'restore', kept)} && {sync}", fresh, missing=missing)
        self.against(ours, {"restore/tar-xz": Subject(f"tar xzf {self.first.tarball} -C {place} && {sync}", fresh)},
                     {"restore/tar-xz": 0.33})
        kept.unlink(missing_ok=True)
        remove(place)
        remove(store)

    def exports(self):
        """Exports an image whose layer has twice the first nightly's size: from a store without the layer, and once
        more with it."""
        if not self.wanted("export/tar-zstd", "export/unchanged"):
            return
        missing = self.has("export", "oci")
        if missing:
            self.rows += [{"name": name, "missing": missing} for name in ("export/tar-zstd", "export/unchanged")]
            return
        large = manifold(self.work.parent, 2)
        place, store, kept = self.work / "place", self.work / "fresh", self.work / "twofold"
        sync = f"sync -f {quote(str(self.work))}"
        remove(kept)
        self.project(large)
        self.take_in(kept, large)
        self.now(self.strixlock(kept, large, "realize", "rocm"))
        [tree] = (kept / "trees").glob("*/tree")

        def fresh():
            remove(place)
            place.mkdir()
            remove(store)
            subprocess.run(["cp", "-al", kept, store], check=True)
            subprocess.run(["sync", "-f", store], check=True)

        export = self.strixlock(store, large, "export", "oci")
        ours = Subject(f"{export} && {sync}", fresh)
        # Equal files of a tree are hard links in the store; tar would archive the second as a link.
        self.against(ours, {"export/tar-zstd": Subject(
            f"tar -C {tree} --hard-dereference -cf - . | zstd -q -T0 -{LAYER_LEVEL} -o {place}/out.tar.zst && {sync}", fresh,
            missing=tools.missing("zstd"))}, {"export/tar-zstd": 1.3})
        if self.wanted("export/tar-zstd"):
            self.rows[-1]["bar_peak_mb"] = 200
        fresh()
        self.now(export)
        again = Subject(export)
        compare({"export: once more": again}, self.runs, self.lock)
        self.rows.append({"name": "export/unchanged", "milliseconds": round(again.median * 1000, 1), "bar_milliseconds": 2000,
                          "runs": [round(value, 4) for value in again.seconds], "peak_mb": round(again.peak, 1)})
        for directory in (place, store, kept):
            remove(directory)

    def economy(self):
        """Measures two nightlies in one store: the bytes that the second adds, and those of both when cold."""
        if not self.wanted("pack/desync", "space/desync", "space/second-hot"):
            return
        store = self.work / "pair"
        remove(store)
        self.take_in(store, self.first)
        before = inodes(store)
        self.take_in(store, self.second)
        added = sum(size for inode, size in inodes(store).items() if inode not in before)
        changed = sum((self.second.tree / name).stat().st_size for name in self.changed)
        self.rows.append({"name": "space/second-hot", "ratio": round(added / changed, 4), "bar": 1.01,
                          "bytes": added, "baseline_bytes": changed})
        if self.wanted("pack/desync", "space/desync"):
            self.against_desync(store)
        remove(store)

    def archive(self):
        """Measures what 30 nightlies take in a cold archive and in a registry, beside their tarballs, and how the last one is taken
        out of the archive."""
        names = ("archive/30-cold-tarballs", "archive/30-registry-tarballs", "archive/take-out-tar")
        if not self.wanted(*names):
            return
        missing = self.has("archive") or self.has("push") or tools.missing("docker-registry")
        if missing:
            self.rows += [{"name": name, "missing": missing} for name in names]
            return
        kept, pushed, store, place, tarballs = *(self.work / name for name in ("archive", "registry", "fresh", "place")), 0
        remove(kept)
        remove(pushed)
        with registry(pushed) as address:
            for nightly in series(self.work.parent, 30):
                self.project(nightly)
                remove(store)
                self.take_in(store, nightly)
                self.now(self.strixlock(store, nightly, "archive", "--cold", "--to", kept))
                self.now(self.strixlock(store, nightly, "push", "rocm", "--no-sign", "--to", f"oci://{address}/{REPOSITORY}"))
                tarballs += nightly.tarball.stat().st_size
        for name, directory in zip(names, (kept, pushed)):
            size = sum(inodes(directory).values())
            self.rows.append({"name": name, "ratio": round(size / tarballs, 4), "bytes": size, "baseline_bytes": tarballs})

        def fresh():
            remove(store)
            remove(place)
            place.mkdir()

        sync = f"sync -f {quote(str(self.work))}"
        take = self.strixlock(store, nightly, "--offline", "realize", "rocm", "--from", kept)
        self.against(Subject(f"{take} && {sync}", fresh), {
            names[2]: Subject(f"tar -xzf {quote(str(nightly.tarball))} -C {place} && {sync}", fresh)})
        nightly.tarball.unlink()
        for directory in (kept, pushed, store, place):
            remove(directory)

    def remotes(self):
        remotes(self, remove)

    def against_desync(self, store):
        bars = {"pack/desync": 0.9, "space/desync": 1.05}
        missing = self.has("store", "pack")
        desync = "false"
        if not missing:
            desync, missing = tools.desync(self.work / "desync")
        if missing:
            self.rows += [{"name": name, "missing": missing, "bar": bar} for name, bar in bars.items()]
            return
        place, copy = self.work / "place", self.work / "packed"
        sync = f"sync -f {quote(str(self.work))}"

        def fresh():
            remove(place)
            (place / "chunks").mkdir(parents=True)
            remove(copy)
            subprocess.run(["cp", "-al", store, copy], check=True)
            subprocess.run(["sync", "-f", copy], check=True)

        one = f"{desync} tar -i -s {place}/chunks {place}/%s.caidx %s"
        theirs = Subject(" && ".join([one % ("a", self.first.tree), one % ("b", self.second.tree), sync]), fresh)
        ours = Subject(f"{self.strixlock(copy, self.first, 'store', 'pack', '--keep-hot', '0')} && {sync}", fresh)
        compare({"pack: strixlock": ours, "pack: desync": theirs}, self.runs, self.lock)
        self.rows.append(row("pack/desync", ours, theirs, bars["pack/desync"]))
        try:
            run_once(theirs, None)
            baseline = sum(inodes(place).values())
            run_once(ours, None)
            size = sum(inodes(copy).values())
            self.rows.append({"name": "space/desync", "ratio": round(size / baseline, 4), "bar": bars["space/desync"],
                              "bytes": size, "baseline_bytes": baseline})
        except Failed as failure:
            self.rows.append({"name": "space/desync", "missing": str(failure), "bar": bars["space/desync"]})
        remove(place)
        remove(copy)


def inodes(store):
    """Returns the sizes of files in a directory by inode. Kept downloads do not count."""
    sizes = {}
    for directory, below, files in os.walk(store):
        if Path(directory) == Path(store) and "downloads" in below:
            below.remove("downloads")
        for name in files:
            about = os.lstat(os.path.join(directory, name))
            if stat.S_ISREG(about.st_mode):
                sizes[about.st_ino] = about.st_size
    return sizes
