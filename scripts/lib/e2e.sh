# shellcheck shell=bash
# Sourced by the end-to-end runs: work directory, real sources, servers on loopback, and the time of each step.

# The scripts change directories.
lib=$PWD/scripts/lib

# begin NAME : creates $work (E2E_DIR, which is kept, or a temporary directory) and installs $strixlock into it.
begin() {
  name=$1
  work=${E2E_DIR:-$(mktemp -d)}
  mkdir -p "$work"
  work=$(realpath "$work")
  chmod a+rx "$work"
  servers=() steps=() begun=$SECONDS
  trap finish EXIT
  export XDG_CONFIG_HOME=/nonexistent
  strixlock=$work/strixlock
  # STRIXLOCK names an already built program.
  [ -n "${STRIXLOCK:-}" ] || cargo build --release --locked
  install -m 755 "${STRIXLOCK:-target/release/strixlock}" "$strixlock"
}

finish() {
  local status=$?
  # Clean-up of the run itself.
  if declare -F before_finish > /dev/null; then before_finish; fi
  stop_servers
  if [ -z "${E2E_DIR:-}" ]; then
    chmod -R u+w "$work"
    rm -rf "$work"
  fi
  exit "$status"
}

# below PROCESS... : prints processes and all their descendants.
below() {
  local process
  for process; do
    echo "$process"
    # shellcheck disable=SC2046
    below $(pgrep -P "$process")
  done
}

# stop_servers : ends all servers and what they started, and waits until they are gone.
stop_servers() {
  local running
  mapfile -t running < <(below "${servers[@]}")
  [ ${#running[@]} -gt 0 ] || return 0
  kill "${running[@]}" 2> /dev/null || true
  for _ in $(seq 50); do
    ps -o stat= -p "${running[*]}" | grep -qv '^Z' || return 0
    sleep 0.1
  done
  kill -KILL "${running[@]}" 2> /dev/null || true
}

# step TEXT : prints a heading and ends the step before it.
step() {
  local now=$SECONDS
  [ -z "${heading:-}" ] || steps+=("$((now - since)) s|$heading")
  heading=$1 since=$now
  printf '\n== %s (%s)\n' "$1" "$(date +%T)"
}

# done_with_steps : prints the time of each step.
done_with_steps() {
  step "times"
  printf '%s\n' "${steps[@]}" | while IFS='|' read -r time text; do printf '%8s  %s\n' "$time" "$text"; done
  printf '%8s  in all\n%s: passed\n' "$((SECONDS - begun)) s" "$name"
}

fail() {
  echo "$name: $*" >&2
  exit 1
}

# equal FOUND EXPECTED TEXT : fails with the text unless both are the same.
equal() { [ "$1" = "$2" ] || fail "$3: $1 is not $2"; }

# in_store STORE ARGUMENT... : runs strixlock in $project with a store of its own.
# shellcheck disable=SC2154
in_store() { (cd "$project" && "$strixlock" --store "$work/store-$1" "${@:2}"); }

# wait_for LOG TEXT : waits until the log of a server that was just started has a text.
wait_for() {
  for _ in $(seq 300); do
    ! grep -q -- "$2" "$1" 2> /dev/null || return 0
    sleep 0.1
  done
  fail "$1 does not say '$2': $(tail -3 "$1")"
}

# serve WORD DIRECTORY : starts one of strixlock's own servers on loopback and sets $url.
serve() {
  # An earlier run's address must not be taken for this one's.
  rm -f "$work/url-$1"
  "$strixlock" demo "--serve-$1" "$2" > "$work/url-$1" &
  servers+=($!)
  for _ in $(seq 100); do
    [ ! -s "$work/url-$1" ] || break
    sleep 0.1
  done
  url=$(cat "$work/url-$1")
  [ -n "$url" ] || fail "the server of $2 did not start"
  echo "$url"
}

# unpack [--only] DIRECTORY PACKAGE... : unpacks packages of Debian unstable, unless they are there already (see
# private_apt.py).
unpack() {
  local into=$1
  [ "$1" != --only ] || into=$2
  [ "$*" != "$(cat "$into/unpacked" 2> /dev/null)" ] || return 0
  mkdir -p "$into"
  python3 "$lib/private_apt.py" "$@"
  echo "$*" > "$into/unpacked"
}

# sources : makes the repository $work/repo with the real llama.cpp, from the sdist of the PyPI package
# llama-cpp-python.
sources() {
  if [ ! -d "$work/repo" ]; then
    rm -rf "$work/sdist"
    mkdir -p "$work/sdist"
    python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$work/sdist" llama-cpp-python
    tar -xzf "$work"/sdist/llama_cpp_python-*.tar.gz -C "$work/sdist"
    rm -f "$work"/sdist/llama_cpp_python-*/vendor/llama.cpp/.git # left over from the submodule
    (
      cd "$work"/sdist/llama_cpp_python-*/vendor/llama.cpp || exit
      git init --quiet --initial-branch=master
      git add --all --force
      export GIT_AUTHOR_DATE='2026-11-20T12:00:00Z' GIT_COMMITTER_DATE='2026-11-20T12:00:00Z'
      git -c user.name=e2e -c user.email=e2e@localhost -c commit.gpgsign=false commit --quiet -m 'llama.cpp as shipped in llama-cpp-python'
      git tag b7777
    )
    mv "$work"/sdist/llama_cpp_python-*/vendor/llama.cpp "$work/repo"
  fi
  commit=$(git -C "$work/repo" rev-parse HEAD)
  echo "$(git -C "$work/repo" ls-files | wc -l) files, commit $commit"
}

# tree_of OUTPUT JSON : prints the tree digest of a realized output.
tree_of() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[2]))["outputs"][sys.argv[1]]["tree"])' "$1" "$2"
}

# make_model : writes $work/model.gguf, a small model with random weights and the SentencePiece vocabulary of
# llama.cpp's tests.
make_model() {
  "$strixlock" demo --make-model "$work/model.gguf" --vocabulary "$work/repo/models/ggml-vocab-llama-spm.gguf"
  ls -l "$work/model.gguf"
}

# validate_twice PROJECT STORE : fails unless all checks pass twice, and both records are equal but for times and speeds.
validate_twice() {
  local records=()
  touch "$work/validated-0"
  for number in 1 2; do
    (cd "$1" && time "$strixlock" --store "$2" --offline validate --device cpu)
    # The newest record: nothing is replaced.
    records+=("$(find "$1/validation" -maxdepth 1 -name '*-*.json' -newer "$work/validated-$((number - 1))")")
    touch "$work/validated-$number"
  done
  # A check that was not run has passed nothing; those of the GPU and of its driver cannot be run here.
  python3 - "${records[0]}" << 'PY' || fail "not all checks were run"
import json, sys
checks = json.load(open(sys.argv[1]))["checks"]
left = [f"{one['name']}: {one['found']}" for one in checks if one["outcome"] == "not-run" and one["name"] not in ("device", "device nodes", "rocminfo")]
sys.exit("\n".join(left) or 0)
PY
  python3 "$lib"/same_records.py "${records[@]}" || fail "the two validations differ"
  cat "$1"/validation/*.md
}

# demand_own_root LOG STORE : fails if the kernel's list of mounts in the sandbox names anything of the host. Only trees
# and staging directories of the store may come from a disk, and the directory in which strixlock listens for look-ups
# of hosts.
demand_own_root() {
  local mounts
  mounts=$(sed -n '/^\$ cat \/proc\/self\/mountinfo/,/^\$ cmake/p' "$1" |
    awk '/^[0-9]+ [0-9]+ / { for (i = 7; $i != "-"; i++); print $4, $5, $(i + 1) }' |
    grep -vE ' (tmpfs|proc|devpts|devtmpfs)$|^/(null|zero|full|random|urandom|tty) /dev/' || true)
  echo "$mounts"
  [ -n "$mounts" ] || fail "the log of the build does not say what was mounted"
  if grep -vE "^[^ ]*/${2##*/}/(trees|tmp)/|strixlock-names-" <<< "$mounts"; then
    fail "the sandbox had something of the host in it"
  fi
}
