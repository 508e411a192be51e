# shellcheck shell=sh
# checkout DIRECTORY COMMIT TREE URL REF : writes the files of a commit as git keeps them, without conversions. TREE and
# REF may be empty.
checkout() {
  commit=$2
  repository=downloads/git-$commit
  if [ ! -d "$repository" ]; then
    rm -rf "$repository.new"
    git init --quiet --bare --template= "$repository.new"
    git -C "$repository.new" fetch --quiet --no-tags --depth 1 -- "$4" "$commit" 2> /dev/null ||
      git -C "$repository.new" fetch --quiet --no-tags -- "$4" "$commit" 2> /dev/null ||
      git -C "$repository.new" fetch --quiet --no-tags -- "$4" "${5:-+refs/*:refs/all/*}"
    git -C "$repository.new" cat-file -e "$commit^{commit}" || fail "$4 has no commit $commit"
    mkdir -p "$repository.new/info"
    echo '* -text -eol -ident -filter -working-tree-encoding' > "$repository.new/info/attributes"
    mv "$repository.new" "$repository"
  fi
  [ -z "$3" ] || [ "$(git -C "$repository" rev-parse "$commit^{tree}")" = "$3" ] || fail "commit $commit has another tree"
  mkdir -p "$1"
  git --git-dir="$repository" --work-tree="$1" -c core.bare=false -c core.autocrlf=false -c core.fileMode=true \
    -c core.symlinks=true checkout --quiet --force "$commit" -- .
}

# apply DIRECTORY PATCH : applies a patch of git.
apply() {
  patch=$PWD/$2
  (cd "$1" && GIT_DIR=/nonexistent git -c core.autocrlf=false apply --whitespace=nowarn "$patch")
}
