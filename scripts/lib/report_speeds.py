"""report_speeds.py DIRECTORY: gives the records of validations speeds that differ, the same every time.

The embedded llama.cpp cannot be fast or slow. What a page makes of speeds is to be seen all the same.
"""

import json
import sys
from pathlib import Path

# Factor and relative deviation, by generation: a rise, a regression by a nightly, a recovery.
SPEEDS = {1: (0.92, 0.012), 2: (0.94, 0.01), 3: (1.0, 0.014), 4: (1.01, 0.01), 5: (0.87, 0.016), 6: (0.88, 0.011), 7: (0.885, 0.012),
          8: (1.06, 0.009)}
# Tokens per second on such a machine, roughly.
USUAL = {"pp": 812.0, "tg": 47.5}

for path in sorted(Path(sys.argv[1]).glob("*-g*.json")):
    record = json.loads(path.read_text())
    factor, deviation = SPEEDS[record["profile_generation"]]
    for speed in record["bench"]:
        usual = USUAL[speed["test"][:2]]
        speed["speed"] = round(usual * factor, 3)
        speed["deviation"] = round(usual * factor * deviation, 3)
    path.write_text(json.dumps(record, indent=2) + "\n")
