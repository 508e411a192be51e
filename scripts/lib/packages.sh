# shellcheck shell=bash
# Sourced by the other scripts: installs distribution packages that are missing, and says so.

# need_packages PACKAGE... : installs packages with apt, as root or with sudo.
need_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo > /dev/null; then
    echo "please install these packages: ${missing[*]}" >&2
    return 1
  fi
  echo "installing ${missing[*]}" >&2
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# allow_sandbox : enables bubblewrap's AppArmor profile if bubblewrap cannot make a sandbox. Ubuntu 24.04 forbids user
# namespaces to programs without a profile, and ships bubblewrap's disabled in a package of its own.
allow_sandbox() {
  ! bwrap --unshare-user --ro-bind / / true 2> /dev/null || return 0
  local profile=bwrap-userns-restrict
  need_packages apparmor-profiles || return 0
  [ -f "/usr/share/apparmor/extra-profiles/$profile" ] || return 0
  echo "enabling the AppArmor profile $profile, so that bubblewrap may make user namespaces" >&2
  as_root ln -sf "/usr/share/apparmor/extra-profiles/$profile" /etc/apparmor.d/
  as_root apparmor_parser -r "/etc/apparmor.d/$profile"
}

# Needed to build strixlock, besides Rust and a C compiler.
# shellcheck disable=SC2034
BUILD_PACKAGES=(ca-certificates)
# Needed on the host by strixlock's builds of llama.cpp.
# shellcheck disable=SC2034
RUN_PACKAGES=(bubblewrap ccache cmake ninja-build g++ git)

if ! command -v cargo > /dev/null; then
  # shellcheck disable=SC1091
  if [ -f "$HOME/.cargo/env" ]; then . "$HOME/.cargo/env"; fi
  command -v cargo > /dev/null || { echo "Rust is needed: see https://rustup.rs" >&2; exit 1; }
fi
