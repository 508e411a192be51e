"""Prints the licences of all crates that are linked into strixlock, each text once.

usage: cargo metadata --format-version 1 --filter-platform TARGET | python3 packaging/notices.py
"""

import json
import pathlib
import re
import sys

NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
# C libraries lie within the crates that build them, some with the rest of their repository.
DEPTH = 3
LONGEST = 100_000


def linked(metadata):
    """Returns the packages that are part of the program, without those that only build or test it."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    todo = [id for id in metadata["workspace_members"] if packages[id]["name"] == "strixlock"]
    seen = set()
    while todo:
        id = todo.pop()
        if id in seen:
            continue
        seen.add(id)
        for dependency in nodes[id]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    foreign = (packages[id] for id in seen if packages[id]["source"])
    return sorted(foreign, key=lambda package: (package["name"], package["version"]))


def texts(directory, depth=DEPTH):
    """Returns the texts of the licence files in a directory, those at its top first."""
    entries = sorted(directory.iterdir())
    files = [entry for entry in entries if entry.is_file() and NAMES.match(entry.name)]
    files = [file for file in files if file.suffix in ("", ".txt", ".md") or NAMES.match(file.suffix[1:])]
    found = [file.read_text(errors="replace").strip() for file in files if file.stat().st_size < LONGEST]
    if depth > 1:
        for entry in entries:
            if entry.is_dir() and entry.name not in ("tests", "test", "contrib", "examples"):
                found += texts(entry, depth - 1)
    return found


def main():
    # By their words, since many differ only in line breaks.
    shown, users = {}, {}

    def add(text, label):
        words = " ".join(text.split())
        shown.setdefault(words, text)
        users.setdefault(words, []).append(label)

    print("strixlock contains these Rust crates. Their licences, and those of C libraries in them, follow.\n")
    for package in linked(json.load(sys.stdin)):
        label = f"{package['name']} {package['version']}"
        print(f"{label}: {package['license'] or 'see its licence file'}")
        for text in texts(pathlib.Path(package["manifest_path"]).parent):
            add(text, label)
    print("The Rust standard library: MIT OR Apache-2.0")
    for words, labels in users.items():
        print(f"\n{'=' * 100}\n{', '.join(dict.fromkeys(labels))}\n{'=' * 100}\n\n{shown[words]}")


main()
