"""The comparison of scripts/layers-vs-peers: the same layers, four programs, one tree each."""

import argparse
import hashlib
import http.server
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path

from cases import BY_RULE, CASES, archive, compressed

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Refused(Exception):
    """A program refused the layers; the text says why."""


def layout(place, layers):
    """Writes an OCI layout of (archive, compression) layers."""
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(data, media_type):
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    descriptors = []
    for data, kind in layers:
        bytes_, ending = compressed(data, kind)
        descriptors.append(blob(bytes_, f"application/vnd.oci.image.layer.v1.tar{ending}"))
    diff_ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data, _ in layers]
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": descriptors,
    }
    entry = blob(json.dumps(manifest).encode(), MANIFEST)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "case"}
    (place / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
    (place / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def tree(root):
    """Returns the contents of a directory as a strixlock tree records them: no devices, no owners, one bit of the
    mode."""
    seen = {}
    for directory, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(directory, name)
            found = os.lstat(path)
            key = os.path.relpath(path, root)
            if stat.S_ISLNK(found.st_mode):
                seen[key] = f"-> {os.readlink(path)}"
            elif stat.S_ISDIR(found.st_mode):
                seen[key] = "/"
            elif stat.S_ISREG(found.st_mode):
                mark = "*" if found.st_mode & 0o100 else ""
                seen[key] = mark + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]
    return seen


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, **more)
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        told = [line for line in lines if line.startswith("error: ")] or lines[-1:]
        raise Refused(told[0] if told else f"exit code {done.returncode}")
    return done.stdout


class Registry:
    """Serves layouts as repositories, on loopback."""

    def __init__(self, work):
        registry = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                _, _, case, kind, name = self.path.split("/", 4)
                place = registry.work / case / "layout"
                if kind == "manifests" and ":" not in name:
                    name = json.loads((place / "index.json").read_text())["manifests"][0]["digest"]
                data = (place / "blobs/sha256" / name.split(":")[1]).read_bytes()
                self.send_response(200)
                self.send_header("Content-Type", MANIFEST if kind == "manifests" else "application/octet-stream")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.work = work
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def ours(program, registry, place):
    (place / "strix.toml").write_text(
        f'[inputs.base]\ntype = "oci"\nimage = "{registry.host}/{place.name}:1"\n[outputs.root]\ntype = "sysroot"\nimage = "base"\n'
    )
    command = [program, "--manifest", str(place / "strix.toml"), "--store", str(place / "store")]
    run(*command, "update")
    run(*command, "realize", "root", "--to", str(place / "ours"))
    return tree(place / "ours/root")


def umoci(place):
    # Before 0.5 it does not read zstd, so it gets all layers in gzip; the archives inside are the same.
    run("umoci", "unpack", "--image", f"{place / 'layout-gzip'}:case", str(place / "bundle"))
    return tree(place / "bundle/rootfs")


def podman(place, storage):
    command = ["podman", "--root", f"{storage}/root", "--runroot", f"{storage}/run", "--storage-driver", "vfs"]
    image = run(*command, "pull", "--quiet", f"oci:{place / 'layout'}:case").split()[-1]
    try:
        return tree(run(*command, "image", "mount", image).strip())
    finally:
        subprocess.run([*command, "image", "umount", image], capture_output=True, check=False)
        subprocess.run([*command, "image", "rm", "--force", image], capture_output=True, check=False)


def gnu_tar(place, archives):
    """Applies the layers with GNU tar, one over the other in a directory. Whiteouts are applied here, before each
    layer."""
    root = place / "tar"
    root.mkdir()
    for number, data in enumerate(archives):
        (place / f"{number}.tar").write_bytes(data)
        with tarfile.open(place / f"{number}.tar") as names:
            paths = {os.path.normpath(name.name).lstrip("/"): name.isdir() for name in names}
        for path, is_directory in paths.items():
            directory, name = os.path.split(path)
            if not os.path.realpath(root / directory).startswith(str(root.resolve())):
                raise Refused("not asked: it would follow a link out of its root")
            where = real(root, directory)
            if not name.startswith(".wh."):
                # A file replaces a directory. GNU tar does that only with --recursive-unlink, which does more besides.
                if (where / name).is_dir() and not (where / name).is_symlink() and not is_directory:
                    remove(where / name)
                continue
            hidden = name.removeprefix(".wh.")
            if hidden == ".wh..opq":
                for child in list(where.iterdir()) if where.is_dir() else []:
                    remove(child)
            elif not hidden.startswith(".wh."):
                remove(where / hidden)
        run("tar", "-x", "-f", f"../{number}.tar", "--no-same-owner", "--exclude=.wh.*", cwd=root)
    return tree(root)


def real(root, directory):
    """Resolves a directory of an image, with links followed below its root."""
    at, todo, links = [], [part for part in reversed(directory.split("/")) if part], 0
    while todo:
        part = todo.pop()
        if part == "..":
            at = at[:-1]
            continue
        path = root.joinpath(*at, part)
        if path.is_symlink() and links < 40:
            links += 1
            target = os.readlink(path)
            at = [] if target.startswith("/") else at
            todo.extend(reversed([part for part in target.split("/") if part not in ("", ".")]))
        else:
            at.append(part)
    return root.joinpath(*at)


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def answer(function, *arguments):
    """Returns a tree, or the reason why there is none."""
    try:
        return function(*arguments)
    except Refused as error:
        return str(error)


def verdict(mine, others):
    """Returns the verdict of a row. Programs that refused the layers do not count."""
    trees = [other for other in others if isinstance(other, dict)]
    agree = all(other == trees[0] for other in trees)
    if isinstance(mine, dict):
        if not trees:
            return "ours alone"
        if all(mine == other for other in trees):
            return "same"
        return "as some" if mine in trees else "DIFFERS"
    if not trees:
        return "refused by all"
    return "REFUSED" if agree and len(trees) == len(others) else "refused, peers disagree"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--verbose", action="store_true", help="show the trees that differ, and why layers were refused")
    arguments.add_argument("cases", nargs="*")
    options = arguments.parse_args()
    program = str(Path(options.program).resolve())
    os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
    work = Path(tempfile.mkdtemp())
    counts = {}
    try:
        registry = Registry(work)
        print(f"{'layers':28}{'strixlock':>11}{'umoci':>9}{'podman':>9}{'tar':>9}  verdict")
        for case in options.cases or CASES:
            place = work / case
            layers = [layer if isinstance(layer, tuple) else (layer, "gzip") for layer in CASES[case]]
            archives = [archive(entries) for entries, _ in layers]
            layout(place / "layout", [(data, kind) for data, (_, kind) in zip(archives, layers)])
            layout(place / "layout-gzip", [(data, "gzip") for data in archives])
            mine = answer(ours, program, registry, place)
            others = [
                answer(umoci, place),
                answer(podman, place, work / "podman"),
                answer(gnu_tar, place, archives),
            ]
            found = verdict(mine, others)
            if found == "REFUSED" and case in BY_RULE:
                found = "refused by rule"
            counts[found] = counts.get(found, 0) + 1
            shown = ["-" if isinstance(one, str) else len(one) for one in [mine, *others]]
            print(f"{case:28}{shown[0]:>11}{shown[1]:>9}{shown[2]:>9}{shown[3]:>9}  {found}", flush=True)
            if options.verbose and (found != "same" or any(isinstance(one, str) for one in others)):
                for name, one in zip(("strixlock", "umoci", "podman", "tar"), [mine, *others]):
                    print(f"    {name}: {one}")
    finally:
        subprocess.run(["umount", "-R", work / "podman/root"], capture_output=True, check=False)
        shutil.rmtree(work, ignore_errors=True)
    print("\n" + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    return 1 if {"DIFFERS", "REFUSED"} & set(counts) else 0


sys.exit(main())
