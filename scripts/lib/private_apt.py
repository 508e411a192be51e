"""A private apt for another suite: downloads packages of Debian unstable from this machine's mirror, without root and
without changing the machine's state.

    private_apt.py [--only] DIRECTORY PACKAGE...

unpacks packages into the directory, with all that they need or only themselves. A `*` in a name stands for the highest
number."""

import re
import subprocess
import sys
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror():
    """Returns the Debian mirror that this machine's apt uses."""
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        text = path.read_text() if path.is_file() else ""
        found = re.search(r"^(?:URIs: *|deb (?:\[[^]]*\] )?)([^ \n]+/debian)/?(?: |$)", text, re.M)
        if found:
            return found[1]
    raise LookupError("this machine's apt names no Debian mirror")


class PrivateApt:
    """An apt with state, cache and sources below `directory`, and nothing installed."""

    def __init__(self, directory, suite="unstable", sources=False):
        self.directory = Path(directory).resolve()
        self.debs = self.directory / "debs"
        for below in ("lists/partial", "cache/archives/partial", "debs"):
            (self.directory / below).mkdir(parents=True, exist_ok=True)
        (self.directory / "status").touch()
        kinds = ["deb", "deb-src"] if sources else ["deb"]
        lines = [f"{kind} [signed-by={KEYRING}] {mirror()} {suite} main\n" for kind in kinds]
        (self.directory / "sources.list").write_text("".join(lines))
        self.run("update")

    def run(self, *arguments, program="apt-get", **how):
        here = self.directory
        options = [f"Dir::Etc::sourcelist={here}/sources.list", "Dir::Etc::sourceparts=-", f"Dir::State={here}",
                   f"Dir::State::status={here}/status", f"Dir::State::lists={here}/lists", f"Dir::Cache={here}/cache",
                   "APT::Sandbox::User=root", "Acquire::Retries=5"]
        command = [program, "-qq", *(word for option in options for word in ("-o", option)), *arguments]
        return subprocess.run(command, check=True, **how)

    def closure(self, names):
        """Returns the packages that installing `names` needs."""
        shown = self.run("-s", "--no-install-recommends", "install", *names, capture_output=True, text=True).stdout
        return re.findall(r"^Inst (\S+)", shown, re.M)

    def newest(self, before, behind):
        """Returns the package name with the highest number between the two texts."""
        shown = self.run("pkgnames", before, program="apt-cache", capture_output=True, text=True).stdout
        numbers = re.findall(f"^{re.escape(before)}([0-9]+){re.escape(behind)}$", shown, re.M)
        return f"{before}{max(map(int, numbers))}{behind}"

    def fetch(self, names):
        """Downloads packages and returns their files."""
        self.run("download", *names, cwd=self.debs)
        return sorted(deb for name in names for deb in self.debs.glob(f"{name}_*.deb"))

    def unpack(self, names, root):
        """Downloads packages and unpacks them into `root`."""
        for deb in self.fetch(names):
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)


def main(arguments):
    only = arguments[0] == "--only"
    directory, *names = arguments[only:]
    apt = PrivateApt(Path(directory) / "apt")
    names = [apt.newest(*name.split("*")) if "*" in name else name for name in names]
    apt.unpack(names if only else apt.closure(names), directory)


if __name__ == "__main__":
    main(sys.argv[1:])
