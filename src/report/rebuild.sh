# shellcheck shell=sh
set -eu
umask 022
export LC_ALL=C GIT_TERMINAL_PROMPT=0
unset CDPATH GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
project=$(cd -- "${PROJECT:-$(dirname -- "$0")}" && pwd)
different=0 token=

fail() {
  echo "rebuild.sh: $*" >&2
  exit 1
}

say() { printf '== %s\n' "$1"; }

# begin DIRECTORY : goes there, and removes what an earlier run made, but for downloads.
begin() {
  mkdir -p -- "$1"
  cd -- "$1"
  [ -f .rebuild ] || [ -z "$(ls -A)" ] || fail "$PWD has files that this script did not make"
  : > .rebuild
  for made in inputs outputs build; do
    [ ! -d "$made" ] || chmod -R u+w "$made"
    rm -rf "$made"
  done
  mkdir -p downloads inputs outputs build
}

# fetch FILE SHA256 URL... : downloads a file from the first URL that has the pinned bytes.
fetch() {
  file=$1 sha256=$2
  shift 2
  mkdir -p "$(dirname "$file")"
  while :; do
    if [ -f "$file" ] && [ "$(sha256sum < "$file")" = "$sha256  -" ]; then return; fi
    [ $# -gt 0 ] || fail "no URL has the pinned bytes of $file ($sha256)"
    curl -gfsSL --retry 3 --netrc-optional ${token:+--oauth2-bearer "$token"} -o "$file" "$1" || echo "$1 failed" >&2
    shift
  done
}

# compare OUTPUT TREE : compares the tree of an output with the expected one, if there is one.
compare() {
  found=$(tree_digest "outputs/$1")
  case $2 in
    "$found") printf 'equal %s %s\n' "$1" "$found" ;;
    '') printf 'made %s %s, with nothing to compare it with\n' "$1" "$found" ;;
    *)
      printf 'DIFFERENT %s %s, expected %s\n' "$1" "$found" "$2"
      different=1
      ;;
  esac
}
