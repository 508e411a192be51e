"""Asks apt and strixlock for the packages of the odd archives, and compares."""

import json
import re
import subprocess

import beside_apt
from odd_archive import Apt, Server, Signer
from odd_cases import CASES

MANIFEST = """requires = ">=0.1"
[inputs.packages]
type = "debs"
architecture = "amd64"
packages = {packages}
{lines}
"""


class Odd:
    """Runs the cases below `directory`."""

    def __init__(self, directory, program):
        directory.mkdir()
        self.directory, self.program = directory, program
        self.signer, self.other = Signer(directory / "gnupg"), Signer(directory / "other")
        armored, other = (signer.run("--armor", "--export").decode() for signer in (self.signer, self.other))
        fingerprint = re.search(r"^fpr:+([0-9A-F]+):", self.signer.run("--with-colons", "--list-keys").decode(), re.M)[1]
        lines = "\n".join(" " + (line or ".") for line in armored.splitlines())
        self.words = {"key": str(self.signer.keyring), "armored": armored, "other": other, "fingerprint": fingerprint, "embedded": "\n" + lines}

    def filled(self, text, words):
        return re.sub(r"\{(url|key|etc|armored|other|fingerprint|embedded)\}", lambda found: words[found[1]], text)

    def run(self, number, case):
        """Returns what apt and strixlock choose, or None, and their messages."""
        place = self.directory / f"case-{number}"
        web = place / "web"
        for index, archive in enumerate(case.archives):
            archive.write(web / f"a{index}", self.signer)
        server = Server(web)
        try:
            words = {**self.words, "url": server.url, "etc": str(place / "apt/etc/apt")}
            suite = case.archives[0].how.get("suite", "demo")
            files = case.files or {"sources.list": f"deb [signed-by={{key}}] {{url}}/a0 {suite} main\n"}
            apt = Apt(place / "apt", {name: self.filled(text, words) for name, text in files.items()}, case.configuration)
            return apt.install(case.wanted), self.strixlock(place, case, server.url, suite, apt.environment)
        finally:
            server.stop()

    def strixlock(self, place, case, url, suite, environment):
        manifests = place / "manifests"
        manifests.mkdir()
        lines = case.lines
        if "archive =" not in lines:
            (manifests / "odd.gpg").write_bytes(self.signer.keyring.read_bytes())
            lines += f'\narchive = "{url}/a0"\nsuite = "{suite}"\nkeyring = "odd.gpg"\n'
        (manifests / "strix.toml").write_text(MANIFEST.format(packages=json.dumps([name.lower() for name in case.wanted]), lines=lines))
        command = [self.program, "--quiet", "--store", str(place / "store"), "update"]
        environment = {key: value for key, value in environment.items() if not key.lower().endswith("_proxy")}
        ran = subprocess.run(command, cwd=place, text=True, capture_output=True, env=environment)
        if ran.returncode not in (0, 3, 5, 9):
            raise SystemExit(f"strixlock failed at {case.name}: exit {ran.returncode}\n{ran.stderr}")
        if ran.returncode:
            return None, ran.stderr.strip()
        return beside_apt.locked(place), ran.stderr.strip()


def judge(case, theirs, ours, said):
    """Returns `same`, `meant` or `DIFFERENT`."""
    if theirs == ours and not case.meant:
        return "same"
    if not case.meant:
        return "DIFFERENT"
    expected = case.meant[1]
    if expected == "picks":
        return "meant" if theirs is None and ours else "DIFFERENT"
    return "meant" if ours is None and expected in said else "DIFFERENT"


def compare(directory, program):
    """Prints the table and returns the number of cases that differ."""
    odd = Odd(directory, program)
    counts = {"same": 0, "meant": 0, "DIFFERENT": 0}
    refused = 0
    try:
        beside_apt.heading("odd archive")
        for number, case in enumerate(CASES):
            (theirs, they_said), (ours, we_said) = odd.run(number, case)
            verdict = judge(case, theirs, ours, we_said)
            counts[verdict] += 1
            refused += theirs is None and ours is None
            note = f"  (meant: {case.meant[0]})" if verdict == "meant" else ""
            beside_apt.row(theirs, ours, case.name + note)
            if verdict == "DIFFERENT":
                beside_apt.words(f"apt: {theirs}", f"strixlock: {ours}", they_said, we_said)
    finally:
        odd.signer.stop()
        odd.other.stop()
    print(f"{counts['same']} of {len(CASES)} odd archives give the same, {refused} of them refused by both; "
          f"{counts['meant']} differ as they are meant to, {counts['DIFFERENT']} in another way")
    return counts["DIFFERENT"]
