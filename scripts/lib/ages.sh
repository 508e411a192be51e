# shellcheck shell=bash disable=SC2154,SC2164
# Sourced by scripts/e2e-llama: one recipe, three ages of llama.cpp, from the sdists of three versions of the PyPI package
# llama-cpp-python. Needs what scripts/lib/e2e.sh has set up.

# Versions of the package, oldest first. The newest is built whole by the rest of the run.
AGES=(0.3.16 0.3.22 0.3.36)

# sources_of VERSION REPOSITORY TAG : makes a git repository of the llama.cpp in that sdist.
sources_of() {
  [ ! -d "$2" ] || return 0
  local unpacked=$work/sdist-$1
  rm -rf "$unpacked"
  mkdir -p "$unpacked"
  python3 -m pip download --quiet --no-deps --no-binary :all: --dest "$unpacked" "llama-cpp-python==$1"
  tar -xzf "$unpacked"/llama_cpp_python-*.tar.gz -C "$unpacked"
  rm -f "$unpacked"/llama_cpp_python-*/vendor/llama.cpp/.git # left over from the submodule
  (
    cd "$unpacked"/llama_cpp_python-*/vendor/llama.cpp || exit
    git init --quiet --initial-branch=master
    git add --all --force
    export GIT_AUTHOR_DATE='2026-11-20T12:00:00Z' GIT_COMMITTER_DATE='2026-11-20T12:00:00Z'
    git -c user.name=e2e -c user.email=e2e@localhost -c commit.gpgsign=false commit --quiet -m "llama.cpp as shipped in llama-cpp-python $1"
    git tag "$3"
  )
  mv "$unpacked"/llama_cpp_python-*/vendor/llama.cpp "$2"
  rm -rf "$unpacked"
}

# age VERSION NUMBER CPU : pins, configures and builds the libraries of one age with the recipe of all, here in the host's own
# root. Fails if CMake calls one of our variables unused, if an option is ON that nobody decided, or if the CPU backend has
# instructions that do not fit the processor.
age() {
  local version=$1 project=$work/age-$1 begun=$SECONDS
  sources_of "$version" "$work/repo-$version" "b$2"
  mkdir -p "$project/manifests"
  cat > "$project/manifests/strix.toml" << MANIFEST
requires = ">=0.1"

[inputs.llama-cpp]
type = "git"
url = "file://$work/repo-$version"
tag = "b$2"

[outputs.llama]
type = "llama"
backend = "cpu"
cpu = "$3"

# The subset: libraries and backends, without the programs, which take most of the time.
[outputs.llama.cmake]
LLAMA_BUILD_COMMON = false
LLAMA_BUILD_TOOLS = false
$(grep -qs 'option(LLAMA_BUILD_APP' "$work/repo-$version/CMakeLists.txt" && echo 'LLAMA_BUILD_APP = false')
MANIFEST
  (
    cd "$project"
    "$strixlock" --store "$work/store-a" update
    "$strixlock" --store "$work/store-a" realize llama --to . --force --link-mode copy
    "$strixlock" --store "$work/store-a" log llama --about --json > about.json
  )
  python3 - "$project/about.json" "$version" << 'PYTHON'
import json, sys
about = json.load(open(sys.argv[1]))["about"]
# Declared in directories that the subset leaves out.
absent = {"LLAMA_SERVER_SSL", "LLAMA_UI_GZIP", "MTMD_VIDEO", "OPENSSL_NO_ASM"}
for field in "unknown_variables", "left_to_llama_cpp":
    if found := set(about.get(field, [])) - absent:
        sys.exit(f"{sys.argv[2]}: {field}: {sorted(found)}")
print(f"{sys.argv[2]}: {len(about['variables'])} variables, none unknown, none left undecided")
PYTHON
  local zmm
  zmm=$(objdump --disassemble "$project/llama/lib/libggml-cpu.so" | grep -c '%zmm' || true)
  echo "$version: $zmm lines of AVX-512 for $3"
  case $3 in
    znver5) [ "$zmm" -gt 1000 ] || fail "$version: built for $3 without AVX-512" ;;
    *) [ "$zmm" = 0 ] || fail "$version: built for $3 with AVX-512" ;;
  esac
  printf '%s: %s s\n' "$version" "$((SECONDS - begun))"
}

# ages : the recipe with each age, and every option that strixlock writes against the options of each.
ages() {
  local number=7000 sources=() cpu=x86-64-v3
  for version in "${AGES[@]}"; do
    number=$((number + 1))
    age "$version" "$number" "$cpu"
    cpu=znver5
    sources+=("$work/repo-$version")
  done
  (
    IFS=:
    STRIXLOCK_LLAMA_SOURCES="${sources[*]}" ${CARGO:-cargo} test --locked --lib real_sources -- --nocapture
  )
}
