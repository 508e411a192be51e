#!/bin/sh
# Installs strixlock from a release, below your home and without root. Checks the archive's digest first.
#
# usage: install.sh [--prefix DIR] [--from URL|DIR]
#   --prefix DIR     default: ~/.local
#   --from URL|DIR   the files of a release; default: the newest of the project
#
# The digests come from the same place as the archive. Who built it is checked with `gh attestation verify`.
set -eu

from=https://github.com/strixlock/strixlock/releases/latest/download
prefix=${HOME:+$HOME/.local}
# The oldest glibc that has all that the program asks for.
glibc=2.35

usage() {
  echo "usage: install.sh [--prefix DIR] [--from URL|DIR]"
}

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

# get NAME : copies a file of the release into the work directory.
get() {
  case $from in
    https://* | http://127.0.0.1:* | http://localhost:*)
      if command -v curl > /dev/null; then
        curl --fail --silent --show-error --location --output "$work/$1" "$from/$1"
      elif command -v wget > /dev/null; then
        wget --quiet --output-document="$work/$1" "$from/$1"
      else
        fail "curl or wget is needed"
      fi ;;
    *://*) fail "releases are fetched over https: $from" 2 ;;
    *) cp "$from/$1" "$work/$1" ;;
  esac || fail "cannot get $from/$1"
}

# missing : says what the program will not find, each with the command that helps.
missing() {
  if ! command -v bwrap > /dev/null && ! command -v podman > /dev/null; then
    echo "missing: bubblewrap, in which builds run; install it with your package manager"
  fi
  if ! [ -e /etc/ssl/certs/ca-certificates.crt ] && ! [ -e /etc/pki/tls/certs/ca-bundle.crt ] && ! [ -e /etc/ssl/cert.pem ] &&
    [ -z "${SSL_CERT_FILE:-}" ]; then
    echo "missing: ca-certificates, which https needs; install it with your package manager"
  fi
  case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) echo "missing: $prefix/bin in PATH; add this line to ~/.profile:"
      echo "  export PATH=\"$prefix/bin:\$PATH\"" ;;
  esac
}

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --prefix | --from)
        [ $# -gt 1 ] || fail "$1 needs a value" 2
        if [ "$1" = --prefix ]; then prefix=$2; else from=${2%/}; fi
        shift 2 ;;
      *) usage >&2; exit 2 ;;
    esac
  done
  [ -n "$prefix" ] || fail "HOME is not set: name a directory with --prefix" 2
  case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
  machine=$(uname -s)-$(uname -m)
  [ "$machine" = Linux-x86_64 ] || fail "there is no release for $machine, only for Linux-x86_64"

  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  get SHA256SUMS
  line=$(grep -E '^[0-9a-f]{64}  strixlock-[0-9A-Za-z.+~-]+-x86_64-unknown-linux-gnu\.tar\.gz$' "$work/SHA256SUMS") ||
    fail "SHA256SUMS names no archive for this machine: $from"
  archive=${line#*  }
  [ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] || fail "SHA256SUMS names several archives: $from"
  get "$archive"
  found=$(sha256sum < "$work/$archive")
  found=${found%% *}
  if [ "$found" != "${line%% *}" ]; then
    fail "the archive is not the one in SHA256SUMS, and nothing was installed
  file      $from/$archive
  expected  sha256:${line%% *}
  found     sha256:$found"
  fi

  tar -xzf "$work/$archive" -C "$work"
  tree=$work/${archive%.tar.gz}
  version=$("$tree/bin/strixlock" --version 2> "$work/said") || {
    cat "$work/said" >&2
    fail "the program does not run here: it needs glibc $glibc or newer (not musl)"
  }
  if ! mkdir -p "$prefix" 2> /dev/null || ! [ -w "$prefix" ]; then
    fail "cannot write to $prefix: name another directory with --prefix"
  fi
  # Each file is put in place whole, so that a running program is not written over.
  (cd "$tree" && find . -type f) | while IFS= read -r file; do
    mkdir -p "$prefix/${file%/*}"
    cp -p "$tree/$file" "$prefix/$file.new"
    mv -f "$prefix/$file.new" "$prefix/$file"
  done
  echo "installed $version to $prefix/bin/strixlock"
  missing
  echo "next: strixlock demo, or strixlock init"
}

# At the end, so that half a script does nothing.
main "$@"
