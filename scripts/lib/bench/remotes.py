"""The comparisons of remotes: what moves of the next nightly, and how long a tree takes from a registry."""

import contextlib
import json
import socket
import subprocess
import time
from shlex import quote

from . import tools
from .measure import Subject, compare, row

REPOSITORY = "team/strix"
NAMES = ("remote/bump-received", "remote/bump-sent", "remote/pull-intake", "remote/pull-skopeo-umoci")
# Above what whole changed files have compressed: listing, index, and what stands between pieces.
BARS = {"remote/bump-received": 1.05, "remote/bump-sent": 1.05, "remote/pull-intake": 1.1, "remote/pull-skopeo-umoci": 1.1}


@contextlib.contextmanager
def registry(directory):
    """Yields the address of a registry whose storage is below `directory`, until the end of the block."""
    directory.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = directory / "registry.yml"
    configuration.write_text(f"version: 0.1\nlog: {{accesslog: {{disabled: true}}, level: error}}\nhttp: {{addr: \"{address}\"}}\n"
                             f"storage: {{filesystem: {{rootdirectory: {directory}/storage}}, delete: {{enabled: true}}}}\n")
    process = subprocess.Popen(["docker-registry", "serve", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            host, port = address.split(":")
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                break
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def compressed(tree, names):
    """Returns the sum of the sizes of files, each compressed by itself as strixlock does."""
    listed = "\0".join(names).encode()
    counted = subprocess.run(["bash", "-o", "pipefail", "-c", "xargs -0 zstd -q -3 -c -- | wc -c"], input=listed, cwd=tree,
                             check=True, capture_output=True)
    return int(counted.stdout)


def remotes(bench, remove):
    """Adds the rows. `remove` removes a directory and lets the disk rest."""
    if not bench.wanted(*NAMES):
        return
    missing = bench.has("push") or tools.missing("docker-registry")
    if missing:
        bench.rows += [{"name": name, "missing": missing, "bar": BARS[name]} for name in NAMES if bench.wanted(name)]
        return
    store, place = bench.work / "fresh", bench.work / "place"
    remove(bench.work / "registry")
    with registry(bench.work / "registry") as address:
        remote = f"oci://{address}/{REPOSITORY}"
        said = lambda nightly, *arguments, where=bench.warm: json.loads(
            subprocess.run(["bash", "-c", bench.strixlock(where, nightly, "--json", *arguments)], check=True, capture_output=True).stdout)
        push = lambda nightly, where=bench.warm: said(nightly, "push", "rocm", "--no-sign", "--to", remote, where=where)
        push(bench.first)
        times(bench, remove, remote, address, store, place)
        if bench.wanted(*NAMES[:2]):
            remove(store)
            said(bench.first, "pull", "rocm", "--from", remote, where=store)
            other = bench.work / "pair"
            remove(other)
            bench.take_in(other, bench.second)
            bench.now(bench.strixlock(other, bench.second, "realize", "rocm"))
            sent = push(bench.second, other)["sent"]["bytes"]
            received = said(bench.second, "pull", "rocm", "--from", remote, where=store)["taken"][0]["bytes"]
            baseline = compressed(bench.second.tree, bench.changed)
            for name, size in zip(NAMES, (received, sent)):
                bench.rows.append({"name": name, "ratio": round(size / baseline, 4), "bar": BARS[name],
                                   "bytes": size, "baseline_bytes": baseline})
            remove(other)
    for directory in (store, place, bench.work / "registry"):
        remove(directory)


def times(bench, remove, remote, address, store, place):
    """Compares a pull into an empty store with the intake of the tarball, and with the tools for images."""
    if not bench.wanted(*NAMES[2:]):
        return
    sync = f"sync -f {quote(str(bench.work))}"

    def fresh():
        remove(store)
        remove(place)
        place.mkdir()

    pull = Subject(f"{bench.strixlock(store, bench.first, 'pull', 'rocm', '--from', remote)} && {sync}", fresh)
    take = Subject(f"{bench.strixlock(store, bench.first, 'realize', 'rocm', '--no-remotes')} && {sync}", fresh)
    missing = tools.missing("skopeo") or tools.missing("umoci")
    if not missing:
        remove(place)
        place.mkdir()
        bench.now(bench.strixlock(bench.warm, bench.first, "export", "oci", "image", "--output", place / "image"))
        bench.now(f"skopeo --insecure-policy copy -q --dest-compress --dest-compress-format gzip --dest-tls-verify=false oci:{place}/image docker://{address}/image:1")
    copy = f"skopeo --insecure-policy copy -q --src-tls-verify=false docker://{address}/image:1 oci:{place}/image:1"
    theirs = Subject(f"{copy} && umoci unpack --image {place}/image:1 {place}/bundle && {sync}", fresh, missing=missing)
    compare({"remote: pull": pull, "remote: intake": take, "remote: skopeo, umoci": theirs}, bench.runs, bench.lock)
    bench.rows += [row(name, pull, subject, BARS[name]) for name, subject in zip(NAMES[2:], (take, theirs))]
