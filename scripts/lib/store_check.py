"""Checks a store from outside: every digest in a name must match the contents. Knows only the documented formats."""

import hashlib
import os
import re
import stat
import subprocess
from pathlib import Path

# Files that may be in a store outside tmp/, besides those that are checked by content.
# `generations/` is from before there were profiles.
KNOWN = re.compile(r"version|lock|generations/\.held|profiles/\.held|profiles/[^/]+/(owner|maker)|locks/[0-9a-f]{64}|downloads/origins/[0-9a-f]{64}|outputs/[0-9a-f]{64}/(output\.json|about\.json|log|failed\.log)|git/.*")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def listing(tree):
    """Returns the listing of a directory in the format strix-tree-1, as docs/reference/tree-digest.md specifies it."""
    lines = []
    for directory, below, files in os.walk(os.fsencode(tree)):
        for name in below + files:
            path = os.path.join(directory, name)
            about = os.lstat(path)
            shown = os.path.relpath(path, os.fsencode(tree))
            if stat.S_ISLNK(about.st_mode):
                target = os.readlink(path)
                head, shown = b"l %d -" % len(target), shown + b" -> " + target
            elif stat.S_ISDIR(about.st_mode):
                head = b"d - -"
            else:
                kind = b"x" if about.st_mode & 0o100 else b"f"
                head = b"%s %d %s" % (kind, about.st_size, sha256(path).encode())
            lines.append((shown, head))
    escaped = (head + b" " + shown.replace(b"\\", b"\\\\").replace(b"\n", b"\\n") for shown, head in sorted(lines))
    return b"strix-tree-1\n" + b"".join(line + b"\n" for line in escaped)


def plain(path):
    return subprocess.run(["zstd", "-qdc", path], capture_output=True, check=False).stdout


def cold_violations(store, tree):
    """Returns the faults of a cold tree: chunks that its index names and that are missing or damaged."""
    head, *lines = plain(tree / "cold").decode(errors="replace").splitlines() or [""]
    if head != "strixlock-cold 1":
        return [f"{tree}: has no index of its chunks"]
    if (tree / "tree").exists():
        return [f"{tree}: is hot and cold"]
    chunks = {line.split()[0] for line in lines}
    return [f"{tree}: its chunk {name} is not whole" for name in chunks
            if hashlib.sha256(plain(store / "chunks" / name[:2] / name[2:])).hexdigest() != name]


def violations(store):
    """Returns the faults of a store. There must be none, whatever happened to it."""
    store = Path(store)
    if not store.exists():
        return []
    wrong, trees = [], store / "trees"
    for tree in trees.glob("*"):
        if not (tree / "listing").is_file() or hashlib.sha256((tree / "listing").read_bytes()).hexdigest() != tree.name:
            wrong.append(f"{tree}: its listing is not the one of its name")
        elif (tree / "cold").is_file():
            wrong += cold_violations(store, tree)
        elif listing(tree / "tree") != (tree / "listing").read_bytes():
            wrong.append(f"{tree}: its tree is not its listing")
    for directory, below, files in os.walk(store):
        if Path(directory) == store:
            below[:] = [name for name in below if name not in ("tmp", "trees")]
        for name in files:
            path = Path(directory, name)
            relative = str(path.relative_to(store))
            if relative.startswith("downloads/sha256/"):
                if sha256(path) != name:
                    wrong.append(f"{path}: its digest is another one")
            elif relative.startswith("blobs/"):
                if sha256(path) != (path.parent.name + name).removesuffix("x"):
                    wrong.append(f"{path}: its digest is another one")
                elif bool(path.stat().st_mode & 0o111) != name.endswith("x") or path.stat().st_mode & 0o222:
                    wrong.append(f"{path}: its mode is {path.stat().st_mode & 0o777:o}")
            elif relative.startswith("chunks/"):
                pass
            elif re.fullmatch(r"(profiles/[^/]+/)?generations/\d+/(generation\.json|strix\.lock)", relative):
                pass
            elif path.is_symlink():
                # The directory of a cold tree is missing.
                if not path.exists() and not Path(os.path.normpath(path.parent / os.readlink(path))).with_name("cold").exists():
                    wrong.append(f"{path}: leads nowhere")
            elif not KNOWN.fullmatch(relative):
                wrong.append(f"{path}: is left over")
    for generation in store.glob("profiles/*/generations/[0-9]*"):
        for name in ("generation.json", "strix.lock"):
            if not (generation / name).is_file():
                wrong.append(f"{generation}: has no {name}")
    for profile in store.glob("profiles/[!.]*"):
        if not (profile / "current").is_symlink() or not (profile / "owner").exists() and not (profile / "maker").exists():
            wrong.append(f"{profile}: is not whole")
    for current in [store / "current", *store.glob("profiles/*/current")]:
        if current.is_symlink() and not current.exists():
            wrong.append(f"{current}: leads nowhere")
    return wrong


def leftovers(store):
    """Returns leftovers of a successful run: everything in tmp/ except what belongs to partial downloads."""
    tmp = Path(store) / "tmp"
    return [f"{path}: is left over" for path in tmp.rglob("*") if path.name != "partial" and path.suffix not in (".held", ".json")]
