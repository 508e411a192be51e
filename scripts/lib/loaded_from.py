"""Judges the reports of ld.so (LD_DEBUG=files) of programs that ran with a Vulkan runtime: every file that was
initialised is one of the store, or of the C library.

Usage: loaded_from.py DIRECTORY TREES
"""

import re
import sys
from pathlib import Path

reports, trees = Path(sys.argv[1]), sys.argv[2]
files = set()
for report in reports.iterdir():
    files.update(re.findall(r"calling init: (\S+)", report.read_text(errors="replace")))
ours = {file for file in files if file.startswith(f"{trees}/")}
others = files - ours
# The files of the C library, by the package that has them in Debian.
libc = re.compile(r"/(libc|libm|libdl|librt|libpthread|libresolv|ld-linux-x86-64)\.so(\.\d+)?$")
strays = sorted(file for file in others if not libc.search(file))
names = {Path(file).name for file in ours}
print(f"{len(ours)} files of the store, {len(others)} of the machine: {', '.join(sorted(others))}")
for wanted in ("libvulkan.so.1", "libvulkan_lvp.so", "libstdc++.so.6"):
    if wanted not in names:
        sys.exit(f"{wanted} did not come from the store")
if strays:
    sys.exit(f"from the machine: {', '.join(strays)}")
