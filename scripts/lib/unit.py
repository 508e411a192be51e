"""Runs a line of systemd units as systemd would, where no systemd runs: its working directory, environment and command.

usage: unit.py HOME KEY UNIT [DROP-IN...]

KEY is ExecStart or ExecStartPre. Further files add to the unit, as drop-ins do. Of systemd's language it knows what the
units of manifests/cluster use: `%h`, `Environment=`, `${NAME}`, `$NAME`, `$$` and quotes.
"""

import os
import re
import shlex
import sys

home, key, *files = sys.argv[1:]


def specifiers(text):
    return re.sub(r"%(.)", lambda one: {"h": home, "%": "%"}[one[1]], text)


settings = []
for file in files:
    with open(file, encoding="utf-8") as unit:
        lines = unit.read().replace("\\\n", " ").splitlines()
    settings += [line.partition("=")[::2] for line in lines if line and line[0] not in "#;["]

environment, directory, command = {}, home, None
for name, value in settings:
    if name == "Environment":
        environment |= dict(word.split("=", 1) for word in shlex.split(specifiers(value)))
    elif name == "WorkingDirectory":
        directory = specifiers(value)
    elif name == key:
        command = shlex.split(specifiers(value))

words = []
for word in command:
    alone = re.fullmatch(r"\$(\w+)", word)
    if alone:
        words += environment.get(alone[1], "").split()
    else:
        words.append(re.sub(r"\$\{(\w+)\}|\$\$", lambda one: environment.get(one[1], "") if one[1] else "$", word))

os.chdir(directory)
os.execve(words[0], words, os.environ | environment | {"HOME": home})
