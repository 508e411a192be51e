#!/usr/bin/env bash
# Installs the locked ROCm nightly and links it to ROCM_HOME, or /opt/rocm.
#
# usage: scripts/02-install-rocm.sh [-f|--force] [--url URL] [-- OPTIONS]
#
#   --url URL    pin this tarball in the lock first; `strixlock list rocm` prints some
#   -f, --force  if something else is in the link's place, keep it under another name
#   -h, --help   this text
#   OPTIONS      for `strixlock realize`, such as --dry-run
#
# If there is no lock, writes one first, with the newest nightly. Only root can make a link below /opt: the command is
# printed. Exit codes are strixlock's: 0 done, 1 failed, 2 wrong usage, 3 wrong settings, 5 not the promised bytes, 8
# unreachable, 10 root has to make a link.
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
