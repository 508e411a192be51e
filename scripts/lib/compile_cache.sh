# shellcheck shell=bash disable=SC2154,SC2164
# Sourced by scripts/e2e-llama: the compiler cache with the real llama.cpp. Needs what scripts/lib/e2e.sh has set up.

# Files that the newer commit changes.
TOUCHED=(ggml/src/ggml-cpu/ops.cpp ggml/src/ggml-quants.c src/llama-arch.cpp src/llama-graph.cpp src/llama-model.cpp)

# realize_cached ON_OR_OFF STORE : builds the project with or without the cache, and sets $cpu to the seconds of processor time
# that it took.
realize_cached() {
  local before
  count_children
  before=$cpu
  (cd "$work/cache" && STRIXLOCK_COMPILE_CACHE=$1 "$strixlock" --store "$work/$2" realize llama --json > "$work/cache.json")
  count_children
  cpu=$((cpu - before))
  [ "$cpu" -gt 0 ] || fail "the build took no processor time: it was there before"
}

# count_children : sets $cpu to the processor time of all children of this shell that have ended, in seconds. A command
# substitution would tell its own shell's.
count_children() {
  times > "$work/times"
  cpu=$(tail -n 1 "$work/times" | sed 's/[ms]/ /g' | awk '{ print int($1 * 60 + $2 + $3 * 60 + $4) }')
}

# compile_cache : builds the libraries of one commit and of a newer one that changes a few files. The second build must take at most
# a quarter of the first one's time, and come out as a build without a cache.
compile_cache() {
  local first second plain json=$work/cache.json
  sources
  # A kept repository of an earlier run has both commits.
  rm -rf "$work/repo-cache" "$work/cache" "$work/store-plain"
  cp -r "$work/repo" "$work/repo-cache"
  mkdir -p "$work/cache/manifests"
  cat > "$work/cache/manifests/strix.toml" << MANIFEST
requires = ">=0.1"

[inputs.llama-cpp]
type = "git"
url = "file://$work/repo-cache"

[outputs.llama]
type = "llama"
backend = "cpu"

# The subset: libraries and backends, without the programs, which take most of the time.
[outputs.llama.cmake]
LLAMA_BUILD_COMMON = false
LLAMA_BUILD_TOOLS = false
LLAMA_BUILD_APP = false
MANIFEST
  (cd "$work/cache" && "$strixlock" --store "$work/store-cache" update)
  realize_cached on store-cache
  first=$cpu
  used_cache "$json"
  local file
  for file in "${TOUCHED[@]}"; do
    printf '\nextern "C" int strixlock_%s(void) { return 1; }\n' "$(basename "${file%.*}" | tr -c '[:alnum:]\n' _)" |
      if [[ $file = *.c ]]; then sed 's/extern "C" //'; else cat; fi >> "$work/repo-cache/$file"
  done
  (
    cd "$work/repo-cache" || exit
    export GIT_AUTHOR_DATE='2026-11-21T12:00:00Z' GIT_COMMITTER_DATE='2026-11-21T12:00:00Z'
    git -c user.name=e2e -c user.email=e2e@localhost -c commit.gpgsign=false commit --quiet --all -m 'a few files change'
    git tag b7778
  )
  (cd "$work/cache" && "$strixlock" --store "$work/store-cache" update)
  realize_cached on store-cache
  second=$cpu
  used_cache "$json"
  local cached
  cached=$(tree_of llama "$json")
  realize_cached off store-plain
  plain=$cpu
  printf 'processor time: first build %s s, second %s s (%s %%), without a cache %s s\n' \
    "$first" "$second" "$((second * 100 / first))" "$plain"
  [ "$cached" = "$(tree_of llama "$json")" ] || fail "the build with the cache differs from the one without"
  echo "$cached, with and without the cache"
  [ $((second * 4)) -le "$first" ] || fail "the second build took more than a quarter of the first one's time"
}

# used_cache JSON : prints how many compilations came from the cache.
used_cache() {
  python3 -c 'import json, sys; used = json.load(open(sys.argv[1]))["outputs"]["llama"]["compile_cache"]; print(used["hits"], "of", used["compilations"], "compilations from the cache")' "$1"
}
