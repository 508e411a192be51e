"""Where the tools that strixlock is compared with come from."""

import re
import shutil
import subprocess
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


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
        for below in ("lists/partial", "cache/archives/partial", "debs"):
            (work / below).mkdir(parents=True, exist_ok=True)
        (work / "status").touch()
        (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} unstable main\n")
        apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={work}/sources.list", "-o", "Dir::Etc::sourceparts=-",
               "-o", f"Dir::State={work}", "-o", f"Dir::State::status={work}/status", "-o", f"Dir::State::lists={work}/lists",
               "-o", f"Dir::Cache={work}/cache", "-o", "APT::Sandbox::User=root"]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "download", "desync", "libc6"], cwd=work / "debs", check=True)
        for deb in (work / "debs").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    # It may need a newer C library than this machine has, so it brings its own.
    for place in (root / "usr" / loader, root / loader):
        if place.exists():
            libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
            return f"'{place}' --library-path '{libraries}' '{program}'"
    raise LookupError("no loader for this architecture")


def mirror():
    """The Debian mirror of this machine's own apt."""
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        text = path.read_text() if path.is_file() else ""
        found = re.search(r"^(?:URIs: *|deb (?:\[[^]]*\] )?)([^ \n]+/debian)/?(?: |$)", text, re.M)
        if found:
            return found[1]
    raise LookupError("this machine's apt names no Debian mirror")
