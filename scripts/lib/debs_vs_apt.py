"""The comparison of scripts/debs-vs-apt: strixlock and apt choose packages for the same requests, from this machine's
archives and from generated odd ones."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import beside_apt
import odd_run

# One set per line. Some name virtual packages, which apt refuses; some cannot be installed together.
SETS = """
hello
gcc
g++
clang
cmake
ninja-build
g++ cmake ninja-build git
build-essential
python3
python3-numpy python3-scipy
perl
git
postgresql
mariadb-server
default-mysql-server
apache2 php
nginx
texlive-base
texlive-full
default-jdk
qemu-system-x86
libvirt-daemon-system
openmpi-bin
libopenmpi-dev
mpi-default-dev
libblas-dev liblapack-dev
octave
r-base
ghc
rustc cargo
golang
nodejs npm
ruby-full
emacs
systemd
exim4
postfix
default-mta
bsd-mailx
samba
libreoffice
gnome-core
kde-plasma-desktop
chromium
vlc
ffmpeg
debhelper devscripts
dpkg coreutils bash
mawk
gawk
wireguard
cream
libtesseract-dev
sa-exim
kde-telepathy-minimal
parolottero
awk
mail-transport-agent
ldap-server
exim4-daemon-light postfix
no-such-package-anywhere
"""

MANIFEST = """requires = ">=0.1"
[inputs.packages]
type = "debs"
archive = "host"
architecture = "{architecture}"
packages = {packages}
"""


def ask_apt(names, environment):
    """Returns names and versions, or None if apt refuses, and its message."""
    ran = subprocess.run(["apt-get", "--simulate", "install", "--no-install-recommends", *names], env=environment, text=True, capture_output=True)
    if ran.returncode != 0:
        return None, ran.stderr.strip() or ran.stdout.strip()
    return dict(re.findall(r"^Inst (\S+) \((\S+)", ran.stdout, re.M)), ""


def ask_strixlock(program, directory, number, names, architecture, environment):
    project = directory / f"project-{number}"
    (project / "manifests").mkdir(parents=True)
    (project / "manifests/strix.toml").write_text(MANIFEST.format(architecture=architecture, packages=json.dumps(names)))
    command = [program, "--quiet", "--store", str(directory / "store"), "update"]
    ran = subprocess.run(command, cwd=project, text=True, capture_output=True, env=environment)
    if ran.returncode == 9:
        return None, ran.stderr.strip()
    if ran.returncode != 0:
        sys.exit(f"strixlock failed for {' '.join(names)}:\n{ran.stderr}")
    return beside_apt.locked(project), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--only", choices=["sets", "odd"], help="compare only sets of packages, or only odd archives")
    parser.add_argument("sets", nargs="*", help="sets of packages, each in one argument")
    arguments = parser.parse_args()
    program = str(arguments.program.resolve())
    with tempfile.TemporaryDirectory(prefix="debs-vs-apt-") as directory:
        different = 0
        if arguments.only != "odd":
            sets = [line.split() for line in arguments.sets or SETS.strip().splitlines()]
            different += compare_sets(Path(directory) / "sets", program, sets)
        if arguments.only != "sets" and not arguments.sets:
            different += odd_run.compare(Path(directory) / "odd", program)
    sys.exit(1 if different else 0)


def compare_sets(directory, program, sets):
    """Prints the table and returns the number of sets that differ."""
    directory.mkdir()
    architecture = subprocess.run(["dpkg", "--print-architecture"], text=True, capture_output=True, check=True).stdout.strip()
    begun, different, refused, packages = time.monotonic(), 0, 0, 0
    # This machine's archives and pins, without its foreign architectures.
    environment = beside_apt.empty_apt(directory / "apt", architecture)
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True)
    beside_apt.heading("set")
    for number, names in enumerate(sets):
        theirs, they_said = ask_apt(names, environment)
        ours, we_said = ask_strixlock(program, directory, number, names, architecture, environment)
        beside_apt.row(theirs, ours, " ".join(names))
        refused += theirs is None
        packages += len(theirs or {})
        if theirs == ours:
            continue
        different += 1
        for who, these, those in [("apt", theirs or {}, ours or {}), ("strixlock", ours or {}, theirs or {})]:
            for name, version in sorted(set(these.items()) - set(those.items())):
                print(f"          only {who}: {name} {version}")
        beside_apt.words(they_said, we_said)
    same = len(sets) - different
    print(f"{same} of {len(sets)} sets are the same, {refused} of them refused by both; {packages} packages; {time.monotonic() - begun:.0f} seconds")
    return different


main()
