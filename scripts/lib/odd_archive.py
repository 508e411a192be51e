"""Small package archives with chosen oddities, signed by their own key and served on loopback, and an apt with its own
root and configuration that reads them."""

import bz2
import gzip
import hashlib
import http.server
import lzma
import re
import subprocess
import threading
import urllib.parse

from beside_apt import empty_apt

NOW = "Sun, 01 Nov 2026 10:16:37 UTC"


def package(name, version="1.0", *fields, **more):
    """Returns a stanza. `fields` are added as they are; `more` replaces usual fields, or removes them with None."""
    text = f"{name} {version}"
    usual = {
        "Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "Nobody <nobody@localhost>",
        "Priority": "optional", "Filename": f"pool/main/{name}_{version.replace(':', '%3a')}_amd64.deb", "Size": "100",
        "SHA256": hashlib.sha256(text.encode()).hexdigest(), "Description": f"the package {name}",
    }
    usual.update({key.replace("_", "-"): value for key, value in more.items()})
    lines = [f"{key}: {value}" for key, value in usual.items() if value is not None]
    return "\n".join([*lines, *fields]) + "\n"


PACK = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    ".zst": lambda data: subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout,
}


class Signer:
    """A key in its own GnuPG home."""

    def __init__(self, home):
        home.mkdir(mode=0o700)
        self.home = home
        self.run("--quick-gen-key", "Odd archives <nobody@localhost>", "ed25519", "sign", "never")
        self.keyring = home / "odd.gpg"
        self.keyring.write_bytes(self.run("--export"))

    def run(self, *arguments, data=None):
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        return subprocess.run([*command, *arguments], input=data, capture_output=True, check=True).stdout

    def stop(self):
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"], check=False)


class Archive:
    """One suite with one component. `packages` is text; `write` documents the other options."""

    def __init__(self, packages, **how):
        self.packages, self.how = packages, how

    def write(self, root, signer):
        """Writes the archive. Options in `how`: suite, component, architecture, forms (listed), unserved (endings), cut
        (endings whose files are longer than listed), hash_only (endings that only by-hash has), release (fields to set
        or, with None, to drop), change (of the whole Release text), encode, signed (`inline`, `detached`, `binary`,
        `none`), more (further Packages files)."""
        how = self.how
        suite, component = how.get("suite", "demo"), how.get("component", "main")
        architecture = how.get("architecture", "amd64")
        dists = root / "dists" / suite
        data = self.packages if isinstance(self.packages, bytes) else self.packages.encode()
        listed = []
        lists = {f"{component}/binary-{architecture}/Packages": data, **how.get("more", {})}
        for path, content in lists.items():
            for ending in how.get("forms", ["", ".gz", ".xz"]):
                packed = PACK[ending](content)
                listed.append((path + ending, packed))
                file = dists / (path + ending)
                file.parent.mkdir(parents=True, exist_ok=True)
                digest = hashlib.sha256(packed).hexdigest()
                hashed = file.parent / "by-hash/SHA256" / digest
                if how.get("release", {}).get("Acquire-By-Hash"):
                    hashed.parent.mkdir(parents=True, exist_ok=True)
                    hashed.write_bytes(packed)
                if ending in how.get("unserved", []) or ending in how.get("hash_only", []):
                    continue
                file.write_bytes(packed + (b"\n\n" if ending in how.get("cut", []) else b""))
        for ending in how.get("unlisted", []):
            (dists / f"{component}/binary-{architecture}/Packages{ending}").write_bytes(PACK[ending](data))
        fields = {"Origin": "Odd", "Label": "Odd", "Suite": suite, "Codename": suite, "Date": NOW, "Architectures": architecture, "Components": component}
        fields.update(how.get("release", {}))
        text = "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)
        text += "SHA256:\n" + "".join(f" {hashlib.sha256(bytes).hexdigest()} {len(bytes):>16} {path}\n" for path, bytes in listed)
        text = how.get("change", lambda text: text)(text)
        release = text.encode(how.get("encode", "utf-8"))
        dists.mkdir(parents=True, exist_ok=True)
        signed = how.get("signed", "inline")
        if signed == "inline":
            (dists / "InRelease").write_bytes(how.get("frame", lambda x: x)(signer.run("--clearsign", data=release)))
        else:
            (dists / "Release").write_bytes(release)
        if signed in ("detached", "binary"):
            armor = ["--armor"] if signed == "detached" else []
            (dists / "Release.gpg").write_bytes(signer.run(*armor, "--detach-sign", data=release))


class Server:
    """Serves a directory on loopback."""

    def __init__(self, root):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(root))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


APT = """Dir "{root}";
Dir::Bin::methods "/usr/lib/apt/methods";
Acquire::Languages "none";
Acquire::http::Proxy "DIRECT";
Acquire::Retries "0";
"""


class Apt:
    """An apt with nothing installed that reads the configuration `files`, named by their paths below /etc/apt."""

    def __init__(self, root, files, configuration=""):
        self.environment = empty_apt(root, "amd64", APT.format(root=root) + configuration)
        for below in ["sources.list.d", "preferences.d", "trusted.gpg.d", "apt.conf.d"]:
            (root / "etc/apt" / below).mkdir(parents=True)
        for name, text in files.items():
            file = root / "etc/apt" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def run(self, *arguments):
        return subprocess.run(["apt-get", *arguments], env=self.environment, text=True, capture_output=True)

    def install(self, names):
        """Returns what apt would download for these packages, as file names with digests, or None, and its messages."""
        updated = self.run("update")
        ran = self.run("install", "-qq", "--print-uris", "--no-install-recommends", *names)
        said = (updated.stdout + updated.stderr + ran.stderr)
        said = "\n".join(line for line in said.splitlines() if re.match(r"[EWN]:", line))
        if ran.returncode != 0:
            return None, said
        found = re.findall(r"^'[^']*' (\S+?)_(\S+)_[^_ ]* \d+ ", ran.stdout, re.M)
        return {name: urllib.parse.unquote(version) for name, version in found}, said
