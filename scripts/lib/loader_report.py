"""loader_report.py STRIXLOCK STORE BASE: compares what ld.so reports in the trimmed runtime's own root with what
strixlock computed.

The root is made by bubblewrap from BASE (a sysroot, or / for the machine's own /usr), the runtime at /opt/rocm and the build at /opt/llama;
strixlock's own sandbox takes no part. For each program: the files of both trees that `ld.so --list` maps, and those that LD_DEBUG sees
initialise while it lists its devices. Files that are only among the latter were opened with dlopen, and `strixlock why` must name the rule.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

TREES = {"/opt/rocm": "runtime", "/opt/llama": "llama"}
LOADER = "/lib64/ld-linux-x86-64.so.2"
OPENING = {"opens", "edge", "backend"}


def for_this_machine(path):
    """Returns true for ELF files for x86-64. GPU code objects are ELF too, but ld.so does not load them."""
    with open(path, "rb") as file:
        head = file.read(20)
    return head[:4] == b"\x7fELF" and head[18:20] == b"\x3e\x00"


def root(store, base):
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LC_ALL", "C"]
    words += ["--tmpfs", "/", "--ro-bind", str(base / "usr"), "/usr", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
    for name in ("bin", "lib", "lib64", "sbin"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    for place, output in TREES.items():
        words += ["--ro-bind", str((store / "current" / output).resolve()), place]
    return words


def run(words, *command, **variables):
    settings = [word for name, value in variables.items() for word in ("--setenv", name, value)]
    done = subprocess.run([*words, *settings, "--", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


def real(store, path):
    """Resolves the links of a path in the root. Returns None for a path of the base system."""
    place = next((place for place in TREES if path.startswith(f"{place}/")), None)
    if place is None:
        return None
    top = (store / "current" / TREES[place]).resolve()
    found = os.path.realpath(top / os.path.relpath(os.path.normpath(path), place))
    return f"{place}/{os.path.relpath(found, top)}" if Path(found).is_relative_to(top) else None


def mapped(store, words, program):
    code, text = run(words, LOADER, "--list", program)
    if code or "not found" in text:
        sys.exit(f"{program}: {text}")
    found = (real(store, os.path.normpath(path)) for path in re.findall(r" => (/\S+) \(0x", text))
    return {program, *filter(None, found)}


def initialised(store, words, program):
    code, text = run(words, program, "--list-devices", LD_DEBUG="files")
    if code:
        sys.exit(f"{program} --list-devices: {text[-2000:]}")
    return {program, *filter(None, (real(store, os.path.normpath(path)) for path in re.findall(r"calling init: (/\S+)", text)))}


def main():
    strixlock, store, base = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3])
    words = root(store, base)
    about = json.loads(subprocess.check_output([strixlock, "--store", store, "log", "runtime", "--about", "--json"]))["about"]["proof"]
    kept = json.loads(subprocess.check_output([strixlock, "--store", store, "runtime", "--explain", "--json"]))["files"]
    elf = [path for path in kept if kept[path]["size"] and for_this_machine(store / "current/runtime" / path)]
    for path in elf:
        mapped(store, words, f"/opt/rocm/{path}")
    print(f"{len(elf)} ELF files of the runtime resolve in its own root")
    for program, count in about["mapped"].items():
        listed = mapped(store, words, program)
        if len(listed) != count:
            sys.exit(f"{program}: ld.so maps {len(listed)} files, strixlock computed {count}")
        opened = set() if program.startswith("/opt/rocm") else initialised(store, words, program) - listed
        print(f"{program}: {count} files mapped as computed, {len(opened)} more opened while it lists devices")
        for path in sorted(opened):
            why = json.loads(subprocess.check_output([strixlock, "--store", store, "why", path, "--json"]))
            rules = [step["rule"] for step in why.get("chain", [])]
            if not OPENING.intersection(rules):
                sys.exit(f"{path} was opened, and no rule says so: {rules}")
            print(f"  {path}: {', '.join(rules)}")


main()
