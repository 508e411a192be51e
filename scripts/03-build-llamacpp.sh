#!/usr/bin/env bash
# Builds the locked llama.cpp for the GPU and links it to LLAMA_INSTALL_DIR, or /opt/llama.
#
# usage: scripts/03-build-llamacpp.sh [-f|--force] [-- OPTIONS]
#
#   -f, --force  if something else is in the link's place, keep it under another name
#   -h, --help   this text
#   OPTIONS      for `strixlock realize`, such as --jobs 8 or --dry-run
#
# The build has a root of pinned packages and no network, and sees nothing of this machine.
# Exit codes are strixlock's: 0 done, 1 failed, 2 wrong usage, 3 wrong settings, 6 not what was sealed, 8 unreachable.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/plan.sh
. "$here/lib/plan.sh"
plan "$@"
pinned
strix realize llama --prefix-from "$settings" "${force[@]}" "${rest[@]}"
