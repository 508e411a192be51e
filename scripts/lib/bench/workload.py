"""A ROCm-like workload: distribution packages in the shape of two nightlies, the second with 15 % of its files changed.

Packages come through the machine's own apt configuration, need no root, and are kept in the cache directory.
"""

import datetime
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

FIRST, SECOND = "10.1.0a20260901", "10.1.0a20260902"
# Versions that hold the first nightly's tree several times, by how many times.
MANIFOLD = {4: "10.1.0a20260903", 2: "10.1.0a20260904"}
TARGET = "gfx1151"
CHANGED_PERCENT = 15
# The mix of a ROCm tree: thousands of headers, then compilers, large shared libraries and archives.
HEADERS = r"linux-headers-[0-9.]+.*-common|linux-headers-[0-9.]+-[0-9]+"
LLVM = ["libllvm{v}(?:t64)?", "libclang-cpp{v}(?:t64)?", "llvm-{v}", "llvm-{v}-dev", "libclang-{v}-dev", "mlir-{v}-tools", "libmlir-{v}-dev"]
# Bytes and packages of the whole workload and of the small one.
WHOLE, SMALL = (2.5e9, LLVM), (100e6, LLVM[1:])


class Nightly:
    """One nightly: its tree as a plain directory, and its tarball."""

    def __init__(self, directory, version):
        self.version = version
        self.tree = directory / "trees" / version
        self.tarball = directory / "served" / f"therock-dist-linux-{TARGET}-{version}.tar.gz"


def say(text):
    print(text, file=sys.stderr, flush=True)


def workload(directory, small):
    """Returns both nightlies, and the names of the files that differ. Makes them unless they exist."""
    first, second = Nightly(directory, FIRST), Nightly(directory, SECOND)
    done = directory / "changed"
    if not done.exists():
        for name in ("trees", "served"):
            shutil.rmtree(directory / name, ignore_errors=True)
            (directory / name).mkdir(parents=True)
        packages(directory, choose(*(SMALL if small else WHOLE)), first.tree)
        if small:
            thin(first.tree)
        clean(first.tree)
        describe(first)
        subprocess.run(["cp", "-a", first.tree, second.tree], check=True)
        changed = change(second.tree)
        describe(second)
        for nightly in (first, second):
            pack(nightly)
        done.write_text("\n".join(changed))
    changed = done.read_text().split("\n")
    files, size = measure(first.tree)
    say(f"workload: {files} files, {size / 1e6:.0f} MB; tarballs {first.tarball.stat().st_size / 1e6:.0f} and "
        f"{second.tarball.stat().st_size / 1e6:.0f} MB; {len(changed)} files differ")
    return first, second, changed


def manifold(directory, times):
    """Returns a nightly with the first one's tree several times over. Makes its tarball unless it exists."""
    first, large = Nightly(directory, FIRST), Nightly(directory, MANIFOLD[times])
    if not large.tarball.exists():
        shutil.rmtree(large.tree, ignore_errors=True)
        for copy in "abcd"[:times]:
            large.tree.mkdir(exist_ok=True)
            subprocess.run(["cp", "-al", first.tree, large.tree / copy], check=True)
        describe(large)
        pack(large, level=1)
        shutil.rmtree(large.tree)
    return large


def series(directory, count):
    """Yields nightlies of as many days, each with 15 % of the files of the one before changed. Only one of their tarballs exists at a time."""
    before = None
    tree = directory / "trees" / "series"
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["cp", "-a", Nightly(directory, FIRST).tree, tree], check=True)
    for number in range(count):
        day = datetime.date(2026, 9, 10) + datetime.timedelta(days=number)
        nightly = Nightly(directory, f"10.2.0a{day:%Y%m%d}")
        nightly.tree = tree
        change(tree, nightly.version)
        describe(nightly)
        pack(nightly)
        if before:
            before.tarball.unlink()
        before = nightly
        yield nightly
    shutil.rmtree(tree)


def choose(wanted_bytes, patterns):
    """Chooses packages of this machine's suite, newest LLVM first, until their installed size is reached."""
    names = subprocess.run(["apt-cache", "pkgnames"], check=True, capture_output=True, text=True).stdout.split()
    order = sorted((name for name in names if re.fullmatch(HEADERS, name)), key=by_numbers)[-1:]
    versions = sorted({int(name[5:]) for name in names if re.fullmatch(r"llvm-\d+", name)}, reverse=True)
    for version in versions:
        for pattern in patterns:
            order += [name for name in names if re.fullmatch(pattern.format(v=version), name)]
    chosen, size = [], 0
    for name in order:
        if size >= wanted_bytes:
            break
        shown = subprocess.run(["apt-cache", "show", "--no-all-versions", name], capture_output=True, text=True).stdout
        installed = re.search(r"^Installed-Size: (\d+)", shown, re.M)
        if installed:
            chosen.append(name)
            size += int(installed[1]) * 1024
    if size < wanted_bytes * 0.9:
        sys.exit(f"bench: this machine's suite has only {size / 1e6:.0f} MB of suitable packages; run apt-get update?")
    return chosen


def by_numbers(name):
    return [int(number) for number in re.findall(r"\d+", name)]


def packages(directory, names, tree):
    """Downloads and unpacks packages. Their /usr becomes `tree`."""
    debs, root = directory / "debs", directory / "root"
    debs.mkdir(exist_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    say(f"fetching {len(names)} packages: {' '.join(names)}")
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *names], cwd=debs, check=True)
    for name in names:
        for deb in sorted(debs.glob(f"{name}_*.deb"))[-1:]:
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    shutil.move(root / "usr", tree)
    shutil.rmtree(root)
    shutil.rmtree(tree / "share" / "doc", ignore_errors=True)


def thin(tree):
    """Removes nine of ten files below a megabyte, chosen by name. Otherwise the small workload would be mostly
    headers."""
    for path in walk(tree):
        if not path.is_symlink() and path.is_file() and path.stat().st_size < 1e6 and seed(tree, path)[-1] % 10:
            path.unlink()


def seed(tree, path, salt=""):
    """Returns pseudo-random bytes that depend only on a file's name and the salt."""
    return hashlib.sha256(f"{path.relative_to(tree)}{salt}".encode()).digest()


def clean(tree):
    """Removes links that AMD's trees would not have, and makes everything readable."""
    for path in walk(tree):
        if path.is_symlink() and not inside(tree, path):
            path.unlink()
        elif not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o777 | 0o600)


def inside(tree, link):
    """Returns true if a link stays within the tree and leads to something, as AMD's do."""
    target = os.readlink(link)
    there = os.path.normpath(os.path.join(link.parent, target))
    return not target.startswith("/") and there.startswith(f"{tree}/") and os.path.lexists(there)


def walk(tree):
    for directory, below, files in os.walk(tree):
        for name in sorted(below + files):
            yield Path(directory, name)


def measure(tree):
    sizes = [path.stat().st_size for path in walk(tree) if path.is_file() and not path.is_symlink()]
    return len(sizes), sum(sizes)


def concatenate(tree, file):
    """Writes the contents of all files of a tree into one file."""
    with open(file, "wb") as into:
        for path in walk(tree):
            if path.is_file() and not path.is_symlink():
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, into, 1 << 20)


def describe(nightly):
    """Writes the files in which AMD's trees describe themselves."""
    plain = nightly.version.split("a")[0]
    commit = hashlib.sha1(nightly.version.encode()).hexdigest()
    about = nightly.tree / "share" / "therock"
    about.mkdir(parents=True, exist_ok=True)
    (nightly.tree / ".info").mkdir(exist_ok=True)
    (nightly.tree / ".info" / "version").write_text(f"{plain}\n")
    (about / "dist_info.json").write_text(f'{{"dist_amdgpu_targets": "{TARGET}"}}\n')
    (about / "therock_manifest.json").write_text(
        f'{{"the_rock_commit": "{commit}", "rocm_version": "{plain}", "rocm_package_version": "{nightly.version}", '
        '"submodules": [], "flags": {}}\n')


def change(tree, salt=""):
    """Changes a few bytes in a few places of 15 % of the files, chosen by name and salt. Returns their names."""
    changed = []
    for path in walk(tree):
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        draw = seed(tree, path, salt)
        if int.from_bytes(draw[:4], "big") % 100 >= CHANGED_PERCENT:
            continue
        changed.append(str(path.relative_to(tree)))
        size = path.stat().st_size
        with open(path, "r+b") as file:
            for part in range(4):
                file.seek(int.from_bytes(draw[4 + 4 * part:8 + 4 * part], "big") % size)
                file.write(draw[part:part + 8][:max(1, size - file.tell())])
    return changed


def pack(nightly, level=6):
    say(f"packing {nightly.tarball.name}")
    compress = f"pigz -{level}" if shutil.which("pigz") else f"gzip -{level}"
    part = nightly.tarball.with_suffix(".part")
    subprocess.run(["bash", "-o", "pipefail", "-c",
                    f'tar -C "$0" --sort=name --hard-dereference --owner=root --group=root -cf - . | {compress} > "$1"', nightly.tree, part], check=True)
    part.rename(nightly.tarball)
