# shellcheck shell=bash disable=SC2034
# Sourced by the plan's scripts, 01 to 05: parses common options and finds strixlock, the project and its settings.
#
# The scripts decide nothing: they call strixlock. Only strixlock reads .toolbox.env, as data; nothing here sources it.
# STRIXLOCK names the program, STRIXLOCK_PROJECT the directory that holds manifests/ (default: the one above scripts/).

# plan "$@" : parses -f, --force, --url URL, -h, --help and `--`, and sets $force, $url and $rest. A script allows
# options of its own by setting `takes` first, such as takes=(--url).
plan() {
  force=() url='' rest=()
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      -f | --force) force=(--force) ;;
      --url | --url=*)
        [[ " ${takes[*]-} " = *" --url "* ]] || wrong "$1 is not an option of this script"
        if [ "$1" = --url ]; then
          shift
          url=${1-}
        else
          url=${1#--url=}
        fi
        [ -n "$url" ] || wrong "--url needs a URL"
        ;;
      --)
        shift
        rest+=("$@")
        break
        ;;
      -*) wrong "unknown option $1" ;;
      *)
        if [[ " ${takes[*]-} " != *" ENGINE "* ]] || [ ${#rest[@]} -gt 0 ]; then
          wrong "unexpected argument $1"
        fi
        rest=("$1")
        ;;
    esac
    shift
  done
  find_strixlock
  cd "${STRIXLOCK_PROJECT:-$here/..}" || exit 1
  # Without settings the links go where the manifest says, /opt/rocm and /opt/llama.
  settings=.toolbox.env
  [ -f "$settings" ] || settings=/dev/null
}

# usage : prints the comment at the top of the script.
usage() {
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}

wrong() {
  printf '%s: %s\n\n' "${0##*/}" "$*" >&2
  usage >&2
  exit 2
}

find_strixlock() {
  local built=$here/../target/release/strixlock
  if [ -n "${STRIXLOCK-}" ]; then
    strixlock=$STRIXLOCK
  elif command -v strixlock > /dev/null; then
    strixlock=strixlock
  elif [ -x "$built" ]; then
    strixlock=$(realpath "$built")
  else
    echo "${0##*/}: strixlock is not installed: \`cargo install --path .\`, or \`cargo build --release\`" >&2
    exit 1
  fi
}

# strix COMMAND... : prints the command and runs strixlock.
strix() {
  echo "+ strixlock $*" >&2
  "$strixlock" "$@"
}

# pinned : writes the manifest and the lock if they are missing.
pinned() {
  [ -f manifests/strix.toml ] || strix init
  [ -f lock/strix.lock ] || strix update
}

# in_toolbox : succeeds inside a toolbox. toolbox leaves a file there, distrobox sets a variable.
in_toolbox() {
  [ -e /run/.toolboxenv ] || [ -n "${CONTAINER_ID-}" ]
}
