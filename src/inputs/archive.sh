# shellcheck shell=sh
# unpack ARCHIVE DIRECTORY [wrapped] : unpacks an archive. With `wrapped`, the one directory around everything is taken off.
unpack() {
  inner=build/unpacked
  mkdir -p "$inner"
  tar -xf "$1" -C "$inner" --no-same-owner
  [ -z "${3:-}" ] || inner=$(find build/unpacked -mindepth 1 -maxdepth 1)
  chmod u+w "$inner"
  mv "$inner" "$2"
  rm -rf build/unpacked
}
