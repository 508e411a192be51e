# shellcheck shell=bash disable=SC2154
# Sourced by scripts/e2e-llama: a bisect over real sources. Needs what scripts/lib/e2e.sh has set up.

# Files that commits change in turn: small ones, which few others include.
STEPS=(ggml/src/ggml-alloc.c ggml/src/ggml-threading.cpp ggml/src/gguf.cpp ggml/src/ggml-opt.cpp)
# The commit that brings the fault, and one that does not build.
FAULTY=13
UNBUILDABLE=10

# step_commit N : commits the change of step N to the repository of the bisect, and tags it step-N.
step_commit() {
  local number=$1 file=${STEPS[$1 % ${#STEPS[@]}]}
  printf '\n// step %s\n' "$number" >> "$file"
  case $number in
    "$UNBUILDABLE") printf '#error "step %s"\n' "$number" >> ggml/src/ggml-alloc.c ;;
    "$((UNBUILDABLE + 1))") sed -i '/^#error "step/d' ggml/src/ggml-alloc.c ;;
    "$FAULTY")
      sed -i '/^int64_t ggml_blck_size(enum ggml_type type) {/a\    if (type == GGML_TYPE_Q8_0) { return 31; }' ggml/src/ggml.c
      git diff --quiet -- ggml/src/ggml.c && fail "ggml.c has no such function to break"
      ;;
  esac
  export GIT_AUTHOR_DATE="2026-11-21T12:$((10 + number)):00Z" GIT_COMMITTER_DATE="2026-11-21T12:$((10 + number)):00Z"
  git -c user.name=e2e -c user.email=e2e@localhost -c commit.gpgsign=false commit --quiet --all -m "ggml : step $number"
  git tag "step-$number"
}

# bisected : a bisect over 20 commits of the real ggml for the CPU, one of which returns a wrong size of a block, and one of which does
# not build. It is killed in its second build and goes on.
bisected() {
  local repository=$work/repo-bisect project=$work/bisect store=$work/store-bisect good found number
  sources
  rm -rf "$repository" "$project" "$store"
  cp -r "$work/repo" "$repository"
  # The sdist leaves this file out, which ggml needs when it is built by itself.
  printf 'Name: ggml\nDescription: ggml\nVersion: @GGML_VERSION@\n' > "$repository/ggml/ggml.pc.in"
  git -C "$repository" add --force ggml/ggml.pc.in
  git -C "$repository" -c user.name=e2e -c user.email=e2e@localhost -c commit.gpgsign=false commit --quiet -m "ggml : ggml.pc.in"
  good=$(git -C "$repository" rev-parse HEAD)
  for number in $(seq 20); do (cd "$repository" && step_commit "$number"); done
  mkdir -p "$project/manifests"
  cat > "$project/manifests/strix.toml" << MANIFEST
requires = ">=0.1"

[inputs.llama-cpp]
type = "git"
url = "file://$repository"

[outputs.ggml]
type = "cmake"
source = "llama-cpp"
source-directory = "ggml"
prefix = "/opt/ggml"

[outputs.ggml.cmake]
GGML_NATIVE = "OFF"
GGML_BUILD_TESTS = "OFF"
GGML_BUILD_EXAMPLES = "OFF"
MANIFEST
  cat > "$project/test.py" << 'TEST'
import ctypes, sys

library = ctypes.CDLL("libggml-base.so")
library.ggml_blck_size.restype = ctypes.c_int64
print("a block of Q8_0 has", library.ggml_blck_size(8), "values")
sys.exit(library.ggml_blck_size(8) != 32)
TEST
  (
    cd "$project" || exit
    "$strixlock" --store "$store" update
    "$strixlock" --store "$store" bisect llama-cpp --good "$good" run python3 test.py &
    # Killed once it has its first answer.
    until grep -qs '^\(good\|bad\|skip\) ' bisect/log || ! kill -0 $! 2> /dev/null; do sleep 1; done
    sleep 5
    kill -KILL $! 2> /dev/null || true
    wait $! || true
    "$strixlock" --store "$store" bisect
    "$strixlock" --store "$store" bisect log | grep '^good \|^bad \|^skip '
    cat bisect/report.md
  )
  found=$(cd "$project" && "$strixlock" --store "$store" bisect --json)
  python3 - "$found" "$(git -C "$repository" rev-parse "step-$FAULTY")" << 'CHECK' || fail "another commit was found"
import json, sys

document = json.loads(sys.argv[1])
assert document["found"][0]["bad"] == [sys.argv[2]], document["found"]
assert document["generations"] <= 6, document["generations"]
print(len(document["answers"]), "answers,", document["generations"], "builds")
CHECK
}
