"""scripts/bench: one table, each row a ratio within one run."""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from .rows import Bench, sweep
from .server import serve
from .workload import workload


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures strixlock against the tools people use today. "
        "BENCH_DIR names a directory in which the workload is kept; without it, a temporary one is used and removed.")
    parser.add_argument("--small", action="store_true", help="use about 80 MB, which takes two minutes, with 3 runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to FILE")
    parser.add_argument("--only", metavar="PREFIX", help="only rows whose names begin with PREFIX")
    parser.add_argument("--runs", type=int, help="measured runs of each command (default 5)")
    parser.add_argument("--lock", type=Path, metavar="FILE", help="hold flock(1)'s lock on FILE during each measured run")
    parser.add_argument("--program", type=Path, required=True, metavar="FILE",
                        help="measure this strixlock and build none; without it, the one that STRIXLOCK names")
    args = parser.parse_args()
    args.runs = args.runs or (3 if args.small else 5)
    return args


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return f"{len(os.sched_getaffinity(0))} cores of {model}, {memory:.0f} GB, {system}, Linux {platform.release()}"


def table(rows):
    lines = [["row", "ratio", "bar", "ours", "theirs", "peak MB", "theirs"]]
    for row in rows:
        bar = f"{row['bar']:.2f}" if row.get("bar") else ""
        if "missing" in row:
            lines.append([row["name"], "n/a", bar, row["missing"], "", "", ""])
        elif "milliseconds" in row:
            lines.append([row["name"], "", f"{row['bar_milliseconds']} ms", f"{row['milliseconds']:.0f} ms", "", f"{row['peak_mb']:.0f}", ""])
        elif "bytes" in row:
            lines.append([row["name"], f"{row['ratio']:.3f}", bar, f"{row['bytes'] / 1e6:.1f} MB", f"{row['baseline_bytes'] / 1e6:.1f} MB", "", ""])
        else:
            lines.append([row["name"], f"{row['ratio']:.3f}", bar, f"{row['seconds']:.2f} s", f"{row['baseline_seconds']:.2f} s",
                          f"{row['peak_mb']:.0f}" + (f" of {row['bar_peak_mb']}" if "bar_peak_mb" in row else ""),
                          f"{row['baseline_peak_mb']:.0f}"])
    widths = [max(len(line[column]) for line in lines if line[1] != "n/a" or column < 3) for column in range(7)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    args = arguments()
    os.environ.update({"LC_ALL": "C", "XDG_CONFIG_HOME": "/nonexistent"})
    for name in ("STRIXLOCK_STORE", "STRIXLOCK_MANIFEST", "STRIXLOCK_LOCK", "STRIXLOCK_CONFIG", "http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
    kept = os.environ.get("BENCH_DIR")
    directory = Path(kept or tempfile.mkdtemp(prefix="strixlock-bench-")).absolute() / ("small" if args.small else "full")
    directory.mkdir(parents=True, exist_ok=True)
    try:
        first, second, changed = workload(directory, args.small)
        work = directory / "work"
        work.mkdir(exist_ok=True)
        bench = Bench(args.program.resolve(), work, serve(directory / "served"), (first, second), changed, args.runs, args.lock, args.only, args.small)
        bench.set_up()
        for part in (bench.intake, bench.intake_on_tmpfs, bench.memory, bench.verify, bench.checkout, bench.warm_realize, bench.snapshots, bench.exports, bench.economy, bench.archive, bench.remotes):
            part()
        print(f"{machine()}; medians of {args.runs}, interleaved and warmed; both sides synced where they write")
        print("ours verifies every byte and keeps the download besides the tree; curl, tar and cp verify nothing")
        if args.small:
            print("the bars are for the whole workload: on one this small, processes take longer to start than to work")
        table(bench.rows)
        if args.json:
            about = {"machine": machine(), "runs": args.runs, "small": args.small, "rows": bench.rows}
            args.json.write_text(json.dumps(about, indent=2) + "\n")
    finally:
        for name in ("warm", "fresh", "twofold", "pair", "packed", "place", "one-file", "archive", "registry", "trash"):
            sweep(directory / "work" / name)
        if not kept:
            sweep(directory.parent)
    return 0


sys.exit(main())
