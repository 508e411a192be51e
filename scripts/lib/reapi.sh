# shellcheck shell=bash disable=SC2154
# Sourced by scripts/e2e-reapi: buildbox of Debian unstable in a directory of its own, and services made of it.

# get_buildbox : downloads buildbox, a shell for its workers, and all that they need into $work/buildbox/system.
get_buildbox() {
  [ ! -x "$work/buildbox/system/usr/bin/buildbox-casd" ] || return 0
  mkdir -p "$work/buildbox/system"
  python3 - "$work/buildbox" << 'PY'
import sys
from pathlib import Path
sys.path.insert(0, "scripts/lib")
from private_apt import PrivateApt
place = Path(sys.argv[1])
apt = PrivateApt(place / "apt")
apt.unpack(apt.closure(["buildbox", "dash"]), place / "root")
PY
}

# buildbox COMMAND... : runs a program of buildbox, with the C library that it was built for. It may make sandboxes
# itself.
buildbox() {
  local root=$work/buildbox/system/usr
  bwrap --cap-add ALL --bind "$root" /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin \
    --ro-bind /etc /etc --dev-bind /dev /dev --bind /proc /proc --tmpfs /tmp --bind "$work" "$work" --die-with-parent "$@"
}

# casd NAME PORT [OPTION...] : starts a service that stores and executes. Its files are in $work/cas-NAME.
casd() {
  local cas_name=$1 port=$2
  shift 2
  local place=$work/cas-$cas_name
  mkdir -p "$place"
  buildbox buildbox-casd --bind="127.0.0.1:$port" --jobs=1 --log-level=info "$@" "$place" \
    > "$work/casd-$cas_name.log" 2>&1 &
  servers+=($!)
  for _ in $(seq 100); do
    ! grep -q 'Server listening' "$work/casd-$cas_name.log" || return 0
    sleep 0.1
  done
  fail "the service did not start: $(tail -3 "$work/casd-$cas_name.log")"
}

# runners PORT : prints the process ids of the runners of a service, whose address is in their arguments.
runners() {
  local process
  for process in /proc/[0-9]*; do
    if tr '\0' ' ' < "$process/cmdline" | grep -q "^/usr/bin/buildbox-run-.*--remote=http://127.0.0.1:$1 "; then
      echo "${process#/proc/}"
    fi
  done 2> /dev/null
}

# wait_for_compiler NAME PORT : waits until a service runs its last action, which compiles.
wait_for_compiler() {
  for _ in $(seq 3000); do
    if [ "$(grep -c 'Execute request' "$work/casd-$1.log")" -ge 3 ] && [ -n "$(runners "$2")" ]; then return 0; fi
    sleep 0.1
  done
  fail "the service $1 never compiled"
}

# kill_runner PORT : kills what a service runs.
kill_runner() {
  local found
  found=$(runners "$1")
  [ -n "$found" ] || fail "the service runs nothing"
  # shellcheck disable=SC2086
  kill -KILL $found
}

# real_build : builds the real llama.cpp with its CPU backend here and by the service at port 50551, and compares.
real_build() {
  step "the real llama.cpp: source"
  sources
  serve git "$work/repo"
  local real=$work/real
  mkdir -p "$real/manifests"
  sed -e '/^\[inputs.rocm\]/,/^$/d' -e '/^\[outputs.rocm\]/,/^$/d' -e "s#^url = .*#url = \"$url\"#" \
    "$project/manifests/strix.toml" > "$real/manifests/strix.toml"
  sed -i 's/^type = "llama"/type = "llama"\nbackend = "cpu"/' "$real/manifests/strix.toml"
  project=$real
  in_store real-here update > /dev/null
  step "the real llama.cpp, here"
  time in_store real-here realize --json > "$work/real-here.json"
  step "the real llama.cpp, by the service"
  time in_store real-there realize --builder reapi://127.0.0.1:50551 --json > "$work/real-there.json"
  equal "$(tree_of llama "$work/real-there.json")" "$(tree_of llama "$work/real-here.json")" "another tree"
  step "the real llama.cpp, out of the service's cache"
  time in_store real-again realize --builder reapi://127.0.0.1:50551 --json > "$work/real-again.json"
  equal "$(tree_of llama "$work/real-again.json")" "$(tree_of llama "$work/real-here.json")" "another tree"
}
