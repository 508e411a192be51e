# shellcheck shell=sh
# unpack_packages ROOT PACKAGES : unpacks the packages named in PACKAGES/names into a root with a merged /usr. Each is unpacked
# on its own first, to PACKAGES/parts. A package that replaces files of another comes after it.
unpack_packages() {
  while read -r name; do
    mkdir -p "$2/parts/$name/data"
    dpkg-deb --control "$2/$name.deb" "$2/parts/$name/control"
    dpkg-deb --fsys-tarfile "$2/$name.deb" | tar -x -C "$2/parts/$name/data" --no-same-owner
  done < "$2/names"
  mkdir -p "$1/usr"
  for top in bin lib lib32 lib64 libx32 sbin; do
    case $top in
      lib32 | libx32)
        used=$(cd "$2/parts" && find . -path "./*/data/$top" -o -path "./*/data/usr/$top")
        [ -n "$used" ] || continue
        ;;
    esac
    mkdir -p "$1/usr/$top"
    ln -s "usr/$top" "$1/$top"
  done
  while read -r name; do
    echo "$name $name"
    dpkg-deb --field "$2/$name.deb" Replaces | tr ',|' '\n\n' | sed 's/^[[:space:]]*//; s/[ (:].*//' |
      grep -Fxf "$2/names" | sed "/^$name\$/d; s/\$/ $name/"
  done < "$2/names" | { tsort 2> /dev/null || true; } | while read -r name; do
    tar -c -C "$2/parts/$name/data" . | tar -x -C "$1" --no-same-owner --keep-directory-symlink
  done
}

# leads ROOT PATH : true if PATH leads to something in ROOT, also through absolute links.
leads() {
  at='' rest=$2/ links=0
  while [ -n "$rest" ]; do
    part=${rest%%/*} rest=${rest#*/}
    case $part in
      '' | .) continue ;;
      ..) at=${at%/*} && continue ;;
    esac
    if [ -L "$1$at/$part" ]; then
      links=$((links + 1))
      [ "$links" -le 40 ] || return 1
      target=$(readlink "$1$at/$part")
      case $target in /*) at='' ;; esac
      rest=$target/$rest
    elif [ -e "$1$at/$part" ]; then
      at=$at/$part
    else
      return 1
    fi
  done
}

# make_link ROOT PATH TARGET : makes a link in place of one that a package has.
make_link() {
  mkdir -p "$(dirname "$1/$2")"
  rm -f "$1/$2"
  ln -s "$3" "$1/$2"
}

# usual_link ROOT PATH TARGET : makes a link that a maintainer script would have made, if its path is free and its target is
# there.
usual_link() {
  if [ -e "$1/$2" ] || [ -L "$1/$2" ]; then return; fi
  if leads "$1" "$(dirname "$2")/$3"; then ln -s "$3" "$1/$2"; fi
}

# merged : reads paths, and writes them as they are with a merged /usr.
merged() { sed -E 's,^/(bin|lib|lib32|lib64|libx32|sbin)/,/usr/\1/,'; }

# same FILE OTHER : true if both are the same link, or files with the same contents and the same owner's exec bit.
same() {
  if [ -L "$1" ] || [ -L "$2" ]; then
    [ -L "$1" ] && [ -L "$2" ] && [ "$(readlink "$1")" = "$(readlink "$2")" ]
  else
    [ -z "$(find "$1" "$2" -perm -u+x -printf x | sed 's/^xx$//')" ] && cmp -s "$1" "$2"
  fi
}

# record_packages ROOT PACKAGES : writes dpkg's database of installed packages.
record_packages() {
  info=$1/var/lib/dpkg/info
  mkdir -p "$info"
  while read -r name; do
    (cd "$2/parts/$name/data" && find . -mindepth 1 -printf '/%P\n' | sort) > "$2/parts/$name/list"
    (cd "$2/parts/$name/data" && find . -mindepth 1 ! -type d -printf '/%P\n') | merged
  done < "$2/names" | sort | uniq -d > "$2/shared"
  gap=''
  while read -r name; do
    printf '%sPackage: %s\nStatus: install ok installed\n' "$gap" "$name"
    sed '/^Package:/Id; /^Status:/Id; /^[[:space:]]*$/d' "$2/parts/$name/control/control"
    gap='
'
  done < "$2/names" > "$1/var/lib/dpkg/status"
  while read -r name; do
    called=$name
    [ "$(dpkg-deb --field "$2/$name.deb" Multi-Arch)" != same ] || called=$name:$(dpkg-deb --field "$2/$name.deb" Architecture)
    # Without the files that another package replaced.
    while IFS= read -r path; do
      for own in "$path" "${path#/usr}"; do
        if [ -e "$2/parts/$name/data$own" ] || [ -L "$2/parts/$name/data$own" ]; then
          same "$2/parts/$name/data$own" "$1$own" || printf '%s\n' "$own"
        fi
      done
    done < "$2/shared" > "$2/parts/$name/replaced"
    {
      echo /.
      grep -Fxvf "$2/parts/$name/replaced" "$2/parts/$name/list" || true
    } > "$info/$called.list"
    sums=$2/parts/$name/control/md5sums
    if [ -f "$sums" ] && [ ! -L "$sums" ]; then cp -p "$sums" "$info/$called.md5sums"; fi
  done < "$2/names"
  rm -rf "$2/parts"
}
