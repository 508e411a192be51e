#!/usr/bin/env bash
# Packages the runtime as an OCI image, a function of the lock: strix-image.tar.
#
# usage: scripts/05-package-runtime.sh [-f|--force] [-- OPTIONS]
#
#   -f, --force  replace an existing image
#   -h, --help   this text
#   OPTIONS      for `strixlock export oci`: an image of the manifest, instead of `runtime-image`
#
# Exit codes are strixlock's: 0 done, 1 failed or there already, 2 wrong usage, 7 the store is damaged.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/plan.sh
. "$here/lib/plan.sh"
plan "$@"
[ ${#rest[@]} -gt 0 ] || rest=(runtime-image)
image=strix-image.tar
if [ -e "$image" ] && [ ${#force[@]} = 0 ]; then
  echo "$image is there already: replace it with --force" >&2
  exit 1
fi
# The old image stays until the new one is complete.
trap 'rm -f "$image.new"' EXIT
rm -f "$image.new"
strix export oci "${rest[@]}" --format archive --output "$image.new"
mv -f "$image.new" "$image"
echo "$image: load it with \`podman load -i $image\`"
