#!/usr/bin/env bash
# Validates what was installed by an inference run: devices, versions, libraries, tokens per second.
#
# usage: scripts/04-validate.sh [-f|--force] [-- OPTIONS]
#
#   -f, --force  no effect: a validation only replaces that of the same lock
#   -h, --help   this text
#   OPTIONS      for `strixlock validate`, such as --model INPUT, --device cpu, --json
#
# Exit codes are strixlock's: 0 done, 1 failed, 2 wrong usage, 10 this machine lacks something.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/plan.sh
. "$here/lib/plan.sh"
plan "$@"
strix validate "${rest[@]}"
