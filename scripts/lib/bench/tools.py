"""The tools that strixlock is compared with, and the tmpfs on which it is compared."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from private_apt import PrivateApt


def missing(program):
    """Returns None if a program is installed, else the reason why there is no comparison."""
    return None if shutil.which(program) else f"{program} is not installed"


def desync(directory):
    """Returns the command that runs desync, and None or the reason why there is none. Packages of Debian unstable are
    unpacked into `directory`."""
    if shutil.which("desync"):
        return "desync", None
    try:
        return from_unstable(directory.resolve()), None
    except (OSError, subprocess.CalledProcessError, LookupError) as error:
        return "false", f"desync is not available: {error}"


@contextlib.contextmanager
def tmpfs(mount_point, needed):
    """Yields a directory on a tmpfs with room for `needed` bytes, and None or the reason why there is none.

    The directory is in /dev/shm or, where that is small as in containers, on a new mount, which only root can make. It
    is removed afterwards."""
    free = available_memory()
    if free < needed:
        yield mount_point, f"needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free"
    elif is_tmpfs("/dev/shm") and os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free >= needed:
        directory = Path(tempfile.mkdtemp(prefix="strixlock-bench-", dir="/dev/shm"))
        try:
            yield directory, None
        finally:
            subprocess.run(["chmod", "-R", "u+w", directory], check=False)
            shutil.rmtree(directory)
    else:
        mount_point.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={needed},mode=700", "tmpfs", mount_point], capture_output=True)
        try:
            yield mount_point, None if mounted.returncode == 0 else "/dev/shm is too small, and only root can mount a tmpfs"
        finally:
            if mounted.returncode == 0:
                subprocess.run(["umount", mount_point], check=True)
            mount_point.rmdir()


def is_tmpfs(directory):
    return subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True).stdout.strip() == "tmpfs"


def available_memory():
    """Returns the free memory in bytes: this machine's, or what the limit of this container leaves."""
    kilobytes = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    free = int(kilobytes[1]) * 1024
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        parts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # The page cache can be reclaimed, tmpfs cannot.
        return min(free, limit - used + int(parts["file"]) - int(parts["shmem"]))
    except (OSError, ValueError, KeyError):
        return free


def from_unstable(work):
    root, loader = work / "root", "lib64/ld-linux-x86-64.so.2"
    program = root / "usr" / "bin" / "desync"
    if not program.exists():
        PrivateApt(work).unpack(["desync", "libc6"], root)
    # It may need a newer C library than this machine's, so it runs with its own.
    for place in (root / "usr" / loader, root / loader):
        if place.exists():
            libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
            return f"'{place}' --library-path '{libraries}' '{program}'"
    raise LookupError("no loader for this architecture")
