#!/usr/bin/env bash
# Installs the locked ROCm nightly and links it where it is looked for: ROCM_HOME, or /opt/rocm.
#
# usage: scripts/02-install-rocm.sh [-f|--force] [--url URL] [-- OPTIONS]
#
#   --url URL    pin this tarball in the lock first; `strixlock list rocm` prints some
#   -f, --force  where something else stands in that place, keep it under another name
#   -h, --help   this text
#   OPTIONS      for `strixlock realize`, such as --dry-run
#
# Without a lock it is written first, with the newest nightly. A link below /opt is root's to make: the command for that is printed.
# Exit codes are strixlock's: 0 done, 1 failed, 2 wrong usage, 3 wrong settings, 5 not the promised bytes, 8 unreachable,
# 10 a link is left for root to make.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/plan.sh
. "$here/lib/plan.sh"
# shellcheck disable=SC2034 # read by plan
takes=(--url)
plan "$@"
if [ -n "$url" ]; then
  [ -f manifests/strix.toml ] || strix init
  strix update rocm --url "$url"
fi
pinned
strix realize rocm --prefix-from "$settings" "${force[@]}" "${rest[@]}"
