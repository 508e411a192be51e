# shellcheck shell=bash disable=SC2154,SC2164
# Sourced by scripts/e2e-llama: patches and a pull request on the real llama.cpp, on a git server on loopback. Needs what
# scripts/lib/e2e.sh and scripts/lib/ages.sh have set up.

# real_repository : makes $repo from the newest sdist: the tag b7003; master, which has merged the second of two patches;
# and a pull request. Writes the patches below $work/patched/manifests/patches.
real_repository() {
  local version=${AGES[-1]} patches=$work/patched/manifests/patches
  sources_of "$version" "$work/repo-$version" b7003
  repo=$work/repo-patched
  rm -rf "$repo"
  git clone --quiet --no-hardlinks "$work/repo-$version" "$repo"
  mkdir -p "$patches"
  (
    cd "$repo" || exit
    git config user.name e2e
    git config user.email e2e@localhost
    git config commit.gpgsign false
    export GIT_AUTHOR_DATE='2026-11-21T12:00:00Z' GIT_COMMITTER_DATE='2026-11-21T12:00:00Z'
    git checkout --quiet -B master b7003
    # Two changes of users: another default, in two files; and an option, in a third.
    git checkout --quiet -b theirs
    sed -i 's/int32_t n_batch  *=  *[0-9]*;/int32_t n_batch = 4096;/' common/common.h
    sed -i '0,/^project("llama.cpp" C CXX)/s//# Built for one machine.\nproject("llama.cpp" C CXX)/' CMakeLists.txt
    git commit --quiet --all --message='A larger batch by default'
    sed -i '0,/{"-h", "--help", "--usage"}/s//{"-h", "--help", "--usage", "--hilfe"}/' common/arg.cpp
    git commit --quiet --all --message='Help in German'
    [ "$(git diff --name-only b7003 | wc -l)" = 3 ] || exit 1
    git format-patch --quiet --output-directory "$patches" b7003
    # Upstream took the second, and has a pull request.
    git checkout --quiet master
    git cherry-pick theirs > /dev/null
    git tag b7004
    git checkout --quiet -b pull
    printf '\nSee the pull request.\n' >> README.md
    git commit --quiet --all --message='A pull request'
    git update-ref refs/pull/7/head pull
    git checkout --quiet master
    git branch --quiet -D pull theirs
  ) || fail "the changes do not fit the sources any more"
}

# wanted LINE ... : writes the manifest with these lines for the input, and pins it.
wanted() {
  cat > "$work/patched/manifests/strix.toml" << MANIFEST
requires = ">=0.1"

[inputs.llama-cpp]
type = "git"
url = "$url"
$(printf '%s\n' "$@")

[outputs.llama]
type = "llama"
backend = "cpu"
MANIFEST
  (cd "$work/patched" && "$strixlock" --store "$work/store-a" update)
}

# pinned FIELD ... : prints a field of the pin.
pinned() {
  python3 - "$work/patched/lock/strix.lock" "$@" << 'PYTHON'
import json, sys
here = json.load(open(sys.argv[1]))["inputs"]["llama-cpp"]["locked"]
for word in sys.argv[2:]:
    here = here[word]
print(here)
PYTHON
}

# derivation : prints the id of the output.
derivation() {
  (cd "$work/patched" && "$strixlock" --store "$work/store-a" status --json) |
    python3 -c 'import json, sys; print(*(step["derivation"] for step in json.load(sys.stdin)["steps"] if step["what"] == "output"))'
}

# patched : patches are pinned, applied and told apart; a pull request is pinned by its commit, and found by that.
patched() {
  local repo one two both changed content tree
  real_repository
  serve git "$repo"
  one=patches/0001-A-larger-batch-by-default.patch two=patches/0002-Help-in-German.patch

  wanted 'tag = "b7003"' "patches = [\"$one\", \"$two\"]"
  both=$(derivation) content=$(pinned content digest)
  tree=$work/store-a/trees/${content#sha256:}/tree
  grep -q 'n_batch = 4096;' "$tree/common/common.h" || fail "the first patch was not applied"
  grep -q '"--hilfe"' "$tree/common/arg.cpp" || fail "the second patch was not applied"
  (cd "$work/patched" && "$strixlock" --store "$work/store-a" audit)
  for patch in "$one" "$two"; do
    digest=$(sha256sum "$work/patched/manifests/$patch" | cut -d' ' -f1)
    grep -q "$digest" "$work/patched/lock/strix.lock" || fail "the lock lacks the digest of $patch"
    grep "$patch" "$work/patched/REPRODUCIBLE.md" || fail "REPRODUCIBLE.md lacks $patch"
  done

  echo "-- one byte of a patch"
  sed -i 's/^Subject: .*$/&!/' "$work/patched/manifests/$one"
  wanted 'tag = "b7003"' "patches = [\"$one\", \"$two\"]"
  changed=$(derivation)
  printf '%s\n%s\n' "$both" "$changed"
  [ "$both" != "$changed" ] || fail "a byte of a patch does not change the derivation"
  [ "$content" = "$(pinned content digest)" ] || fail "a word of a patch's description changes the sources"

  echo "-- upstream took the second patch"
  if wanted 'tag = "b7004"' "patches = [\"$one\", \"$two\"]" 2> "$work/taken"; then fail "a patch was applied twice"; fi
  cat "$work/taken"
  grep -q "the patch is already in the source" "$work/taken" || fail "the reason is not told"
  grep -q "$two" "$work/taken" || fail "the patch is not named"
  wanted 'tag = "b7004"' "patches = [\"$one\"]"
  [ "$content" = "$(pinned content digest)" ] || fail "the sources differ, though both have the same changes"

  echo "-- a pull request, whose ref goes away"
  wanted 'pull = 7'
  [ "$(pinned commit)" = "$(git -C "$repo" rev-parse refs/pull/7/head)" ] || fail "another commit was pinned"
  git -C "$repo" update-ref refs/heads/kept refs/pull/7/head
  git -C "$repo" update-ref -d refs/pull/7/head
  # A shell needs the sources, and builds nothing.
  (cd "$work/patched" && echo 'tail -1 /build/source/README.md' | "$strixlock" --store "$work/store-pull" shell llama) | tee "$work/said"
  grep -q 'See the pull request.' "$work/said" || fail "the commit was not found without its ref"
  rm -rf "$work/store-pull" 2> /dev/null || { chmod -R u+w "$work/store-pull" && rm -rf "$work/store-pull"; }
}
