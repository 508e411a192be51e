# shellcheck shell=bash
# Sourced by the other scripts: installs distribution packages that are missing, and says so.

# need_packages PACKAGE... : through apt, as root or with sudo.
need_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || { echo "please install these packages: ${missing[*]}" >&2; return 1; }
    root=(sudo)
  fi
  echo "installing ${missing[*]}" >&2
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# What building strixlock needs besides Rust and a C compiler.
# shellcheck disable=SC2034
BUILD_PACKAGES=(pkg-config libssl-dev ca-certificates)
# What strixlock's own builds of llama.cpp need on the host.
# shellcheck disable=SC2034
RUN_PACKAGES=(bubblewrap cmake ninja-build g++ git)

if ! command -v cargo > /dev/null; then
  # shellcheck disable=SC1091
  if [ -f "$HOME/.cargo/env" ]; then . "$HOME/.cargo/env"; fi
  command -v cargo > /dev/null || { echo "Rust is needed: see https://rustup.rs" >&2; exit 1; }
fi
