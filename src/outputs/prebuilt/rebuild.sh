# shellcheck shell=sh
# arrange TREE OUTPUT AROUND FROM TO : lays out the files of an archive. AROUND, a directory around everything, is taken off
# unless it is empty, and what is in the directory FROM below it is put into the directory TO.
arrange() {
  mkdir -p "$2/$5"
  cp -a "$1${3:+/$3}" build/arranged
  chmod -R u+w build/arranged
  cp -a "build/arranged/$4/." "$2/$5/"
  if [ "$4" != . ]; then
    rm -rf "build/arranged/$4"
    cp -a build/arranged/. "$2/"
  fi
  rm -rf build/arranged
}
