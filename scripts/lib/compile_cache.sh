# shellcheck shell=bash disable=SC2154,SC2164
# Sourced by scripts/e2e-llama: the compiler cache with the real llama.cpp. Needs what scripts/lib/e2e.sh has set up.

# Files that the newer commit changes.
TOUCHED=(ggml/src/ggml-cpu/ops.cpp ggml/src/ggml-quants.c src/llama-arch.cpp src/llama-graph.cpp src/llama-model.cpp)

# realize_cached ON_OR_OFF STORE : builds the project with or without the cache, and sets $took to the seconds that it took: of
# processor time, if a control group can count it, else by the clock. (A sandbox does not hand on its children's times, so the
# shell's own count lacks them.)
realize_cached() {
  local group=""
  if [ -d /sys/fs/cgroup/cpuacct ]; then
    group=/sys/fs/cgroup/cpuacct/strixlock-e2e-$$
  elif [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    group=/sys/fs/cgroup/strixlock-e2e-$$
  fi
  mkdir "$group" 2> /dev/null && [ -w "$group/cgroup.procs" ] || group=""
  clock="by the clock"
  local before=$SECONDS
  (
    [ -z "$group" ] || echo "$BASHPID" > "$group/cgroup.procs"
    cd "$work/cache" && STRIXLOCK_COMPILE_CACHE=$1 exec "$strixlock" --store "$work/$2" realize llama --json
  ) > "$work/cache.json"
  took=$((SECONDS - before))
  if [ -n "$group" ]; then
    clock="of processor time"
    if [ -f "$group/cpuacct.usage" ]; then
      took=$(($(cat "$group/cpuacct.usage") / 1000000000))
    else
      took=$(($(sed -n 's/^usage_usec //p' "$group/cpu.stat") / 1000000))
    fi
    rmdir "$group"
  fi
  [ "$took" -gt 0 ] || fail "the build took no time: it was there before"
}

# compile_cache : builds the libraries of one commit and of a newer one that changes a few files. The second build must take at most
# a quarter of the first one's time, and come out as a build without a cache.
compile_cache() {
  local first second plain json=$work/cache.json
  sources
  # A kept repository of an earlier run has both commits, and its stores have both builds.
  rm -rf "$work/repo-cache" "$work/cache" "$work/store-cache" "$work/store-plain"
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
  first=$took
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
  second=$took
  used_cache "$json"
  local cached
  cached=$(tree_of llama "$json")
  realize_cached off store-plain
  plain=$took
  printf 'seconds %s: first build %s, second %s (%s %%), without a cache %s\n' \
    "$clock" "$first" "$second" "$((second * 100 / first))" "$plain"
  [ "$cached" = "$(tree_of llama "$json")" ] || fail "the build with the cache differs from the one without"
  echo "$cached, with and without the cache"
  [ $((second * 4)) -le "$first" ] || fail "the second build took more than a quarter of the first one's time"
}

# used_cache JSON : prints how many compilations came from the cache.
used_cache() {
  python3 -c 'import json, sys; used = json.load(open(sys.argv[1]))["outputs"]["llama"]["compile_cache"]; print(used["hits"], "of", used["compilations"], "compilations from the cache")' "$1"
}
