#!/usr/bin/env bash
# Makes the toolbox: a container with the GPU passed through, from an image pinned by digest.
#
# usage: scripts/01-provision-toolbox.sh [-f|--force] [ENGINE] [-- OPTIONS]
#
#   ENGINE       distrobox, toolbox, podman or docker; by default the first that is installed
#   -f, --force  replace a toolbox of that name
#   -h, --help   this text
#   OPTIONS      for `strixlock provision`, such as --image REGISTRY/NAME@sha256:HEX, --privileged, --dry-run
#
# Settings in .toolbox.env: TOOLBOX_NAME, BASE_IMAGE (with digest), WORKSPACE_DIR.
# Exit codes are strixlock's: 0 done, 1 failed or there already, 2 wrong usage, 3 wrong settings, 10 no GPU inside.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/plan.sh
. "$here/lib/plan.sh"
# shellcheck disable=SC2034 # read by plan
takes=(ENGINE)
plan "$@"
if in_toolbox; then
  echo "this is the inside of a toolbox already: go on with 02-install-rocm.sh" >&2
  exit 0
fi
strix provision "${force[@]}" "${rest[@]}"
