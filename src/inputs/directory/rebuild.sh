# shellcheck shell=sh disable=SC2154
# own PATH DIRECTORY TREE : copies files of the project, and fails if they are not the pinned ones.
own() {
  [ -d "$project/$1" ] || fail "$project has no directory $1: PROJECT says where the project is"
  mkdir -p "$2"
  cp -a "$project/$1/." "$2/"
  [ "$(tree_digest "$2")" = "$3" ] || fail "$project/$1 does not have the pinned files, whose tree is $3"
}
