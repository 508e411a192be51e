"""Compares records of validations: they may differ in times, speeds and memory only. usage: same_records.py RECORD RECORD..."""

import json
import sys


def figures(path):
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    del record["time"]
    for name in ("load", "prompt_speed", "speed", "memory"):
        (record["generation"] or {}).pop(name, None)
    for one in record["bench"]:
        del one["speed"], one["deviation"]
    return record


def differences(first, other, place=""):
    if isinstance(first, dict) and isinstance(other, dict):
        for name in sorted(first.keys() | other.keys()):
            yield from differences(first.get(name), other.get(name), f"{place}/{name}")
    elif isinstance(first, list) and isinstance(other, list) and len(first) == len(other):
        for number, pair in enumerate(zip(first, other)):
            yield from differences(*pair, f"{place}/{number}")
    elif first != other:
        yield f"{place}: {first!r} and {other!r}"


records = [figures(path) for path in sys.argv[1:]]
found = [line for other in records[1:] for line in differences(records[0], other)]
print("\n".join(found) or f"{len(records)} records are equal but for times, speeds and memory")
sys.exit(1 if found else 0)
