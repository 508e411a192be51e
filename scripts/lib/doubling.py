"""Gives parsers hostile input of one, two, four and eight times a length: see scripts/doubling."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

# Cases with their smallest number of parts. Eight times that is near a limit, or as much as can be generated in
# seconds.
CASES = {
    "page-attributes": 50_000,
    "whiteouts": 30_000,
    "listing": 250_000,
    "link-targets": 12_000,
    "section-names": 16_384,
    "section-names-long": 16_384,
}
TIMES = (1, 2, 4, 8)
# The quickest of these runs counts, because the machine may be busy.
RUNS = 3
# Largest allowed growth for eight times the input; a quadratic parser would need 64 times as long.
MOST_TIME, MOST_MEMORY = 24, 16
# Smaller values are noise and count as this much.
LEAST_SECONDS, LEAST_KIB = 0.005, 1024


def measured(program, case, number):
    runs = [json.loads(subprocess.run([program, case, str(number)], stdout=subprocess.PIPE, check=True).stdout) for _ in range(RUNS)]
    return min(runs, key=lambda run: run["seconds"])


def faults(case, first, last):
    seconds, needed = (max(first["seconds"], LEAST_SECONDS), max(first["needed_kib"], LEAST_KIB))
    if last["seconds"] > MOST_TIME * seconds:
        yield f"{case}: {last['seconds']:.2f} s for eight times what took {first['seconds']:.3f} s"
    if last["needed_kib"] > MOST_MEMORY * needed:
        yield f"{case}: {last['needed_kib'] >> 10} MB for eight times what needed {first['needed_kib'] >> 10} MB"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--only", choices=CASES)
    arguments = parser.parse_args()
    found = []
    print("| case | parts | MB of input | seconds | MB needed | grew by |  |\n|" + " --- |" * 7)
    for case, least in CASES.items():
        if arguments.only not in (None, case):
            continue
        runs = []
        for times in TIMES:
            run = measured(arguments.program.resolve(), case, least * times)
            grew = f"{run['seconds'] / runs[-1]['seconds']:.1f}" if runs else "-"
            cells = [case, least * times, f"{run['bytes'] / 1e6:.1f}", f"{run['seconds']:.4f}", f"{run['needed_kib'] / 1024:.1f}", grew]
            print("| " + " | ".join(map(str, [*cells, run["answer"]])) + " |", flush=True)
            runs.append(run)
        found += faults(case, runs[0], runs[-1])
    for fault in found:
        print("FAULT", fault)
    sys.exit(bool(found))


main()
