"""Where the tools that strixlock is compared with come from."""

import shutil
import subprocess

from private_apt import PrivateApt


def missing(program):
    """Why a program cannot be compared with, if it cannot."""
    return None if shutil.which(program) else f"{program} is not installed"


def desync(directory):
    """The command that runs desync, and why there is none. Debian unstable has it; it is unpacked into `directory`."""
    if shutil.which("desync"):
        return "desync", None
    try:
        return from_unstable(directory.resolve()), None
    except (OSError, subprocess.CalledProcessError, LookupError) as error:
        return "false", f"desync cannot be had: {error}"


def from_unstable(work):
    root, loader = work / "root", "lib64/ld-linux-x86-64.so.2"
    program = root / "usr" / "bin" / "desync"
    if not program.exists():
        PrivateApt(work).unpack(["desync", "libc6"], root)
    # It may need a newer C library than this machine has, so it brings its own.
    for place in (root / "usr" / loader, root / loader):
        if place.exists():
            libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
            return f"'{place}' --library-path '{libraries}' '{program}'"
    raise LookupError("no loader for this architecture")
