# shellcheck shell=sh
# sandbox ROOT OPTION... -- COMMAND... : runs a command as strixlock's builds run: without network, with the root's /usr and
# /etc, and with the options of bubblewrap. ROOT is empty for this machine's own.
sandbox() {
  root=$1
  shift
  for top in usr sbin libx32 lib64 lib32 lib etc bin; do
    if [ -L "$root/$top" ]; then
      set -- --symlink "$(readlink "$root/$top")" "/$top" "$@"
    elif [ -d "$root/$top" ] && [ "$root/$top" != /etc ]; then
      set -- --ro-bind "$root/$top" "/$top" "$@"
    fi
  done
  if [ -z "$root" ]; then
    for part in alternatives ld.so.cache ld.so.conf ld.so.conf.d; do
      set -- --ro-bind-try "/etc/$part" "/etc/$part" "$@"
    done
  fi
  bwrap --unshare-all --die-with-parent --new-session --hostname strixlock --uid 1000 --gid 1000 --clearenv --tmpfs / "$@"
}

# limited COMMAND... : the words that reset the limits of a command in the sandbox. They are those of every build.
limits='umask 022; ulimit -c 0; ulimit -n 1024 2>/dev/null; ulimit -s 8192 2>/dev/null; exec "$@"'

# jobs : the number of compilers that run at once.
jobs=${JOBS:-$(nproc)}

# lay DIRECTORY INTO : lays files over those in a directory. A single directory around all of them is left out.
lay() {
  from=$1
  only=$(find "$1" -mindepth 1 -maxdepth 1)
  [ ! -d "$only" ] || from=$only
  mkdir -p "$2"
  cp -a --remove-destination "$from/." "$2/"
}
