"""Shared by the comparisons with apt: an apt with nothing installed, the packages of a lock, and the rows of the
table."""

import json
import os

SETTINGS = """#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Solver "internal";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::State "{root}/var/lib/apt";
Dir::State::status "{root}/var/lib/dpkg/status";
Dir::Cache "{root}/var/cache/apt";
"""


def empty_apt(root, architecture, settings=""):
    """Creates state and cache of an apt below `root`. Returns the environment in which apt uses them, with `settings`
    added."""
    for below in ["var/lib/apt/lists/partial", "var/lib/dpkg", "var/cache/apt/archives/partial"]:
        (root / below).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    configuration = root / "apt.conf"
    configuration.write_text(SETTINGS.format(root=root, architecture=architecture) + settings)
    return {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}


def locked(project):
    """Returns names and versions of the packages that a project's lock pins."""
    lock = json.loads((project / "lock/strix.lock").read_text())
    return {package["name"]: package["version"] for package in lock["inputs"]["packages"]["locked"]["packages"]}


def heading(what):
    print(f"{'apt':>6} {'strixlock':>9}  {what}")


def row(theirs, ours, name):
    """Prints how many packages each program chose; `no` if it refused."""
    theirs, ours = ("no" if answer is None else len(answer) for answer in (theirs, ours))
    print(f"{theirs:>6} {ours:>9}  {name}", flush=True)


def words(*said):
    """Prints the messages of programs below a row."""
    for text in filter(None, said):
        print("          " + text.replace("\n", "\n          "))
