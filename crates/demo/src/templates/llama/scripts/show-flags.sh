#!/bin/sh
# An executable file, for trees that keep that bit.
grep -rho 'option([A-Z_0-9]*' "$(dirname "$0")/.." --include=CMakeLists.txt | sort
