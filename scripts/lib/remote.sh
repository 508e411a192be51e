# shellcheck shell=bash disable=SC2154
# Sourced by scripts/e2e-remote: a machine that reaches nothing but a registry, and two registries.

# The address at which both machines reach the registry.
registry=10.214.1.1:5000
# The user on machine B, who has no name.
b_user=6021

# make_certificates : writes a private authority and a certificate of the registry's address into $work/tls.
make_certificates() {
  mkdir -p "$work/tls"
  (
    cd "$work/tls" || exit
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=authority -days 2 \
      -keyout ca.key -out ca.pem 2> /dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=registry \
      -keyout key.pem -out csr.pem 2> /dev/null
    openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem \
      -extfile <(echo "subjectAltName = IP:${registry%:*}") 2> /dev/null
    chmod a+r ca.pem
  )
}

# make_machine_b : makes the network namespace sxremote, and a root with strixlock and its libraries: no compiler, no
# shell, no upstream.
make_machine_b() {
  local root=$work/b/root library
  ip netns add sxremote
  ip link add sxremote type veth peer name eth0 netns sxremote
  ip addr add "${registry%:*}/30" dev sxremote
  ip link set sxremote up
  ip -n sxremote addr add 10.214.1.2/30 dev eth0
  ip -n sxremote link set eth0 up
  ip -n sxremote link set lo up
  mkdir -p "$root"/{proc,dev,tmp,home} "$work/b/home/project"
  install -m 755 "$strixlock" "$root/strixlock"
  install -m 644 "$work/tls/ca.pem" "$root/ca.pem"
  ldd "$strixlock" | grep -oE '/[^ ]+' | while read -r library; do install -D -m 755 "$library" "$root$library"; done
  find "$root" -type f
}

# b ARGUMENT... : runs strixlock on machine B.
b() {
  ip netns exec sxremote setpriv --reuid="$b_user" --regid="$b_user" --clear-groups --no-new-privs \
    bwrap --unshare-user --unshare-pid --unshare-ipc --die-with-parent --ro-bind "$work/b/root" / \
    --bind "$work/b/home" /home --proc /proc --dev /dev --tmpfs /tmp --chdir /home/project --clearenv \
    --setenv HOME /home --setenv SSL_CERT_FILE /ca.pem --setenv STRIXLOCK_STORE /home/store \
    --setenv STRIXLOCK_ROUNDS 2 --setenv STRIXLOCK_NO_PROGRESS 1 /strixlock "$@"
}

# empty_b : empties machine B's store.
empty_b() {
  [ ! -d "$work/b/home/store" ] || chmod -R u+w "$work/b/home/store"
  rm -rf "$work/b/home/store"
}

# trust_only NAME... : makes these the keys that machine B trusts.
trust_only() {
  local one
  rm -rf "$work/b/home/.config/strixlock/allowed_signers"
  for one; do b trust add "$one" "$(cat "$work/keys/$one.pub")" > /dev/null 2>&1; done
}

# api PATH [OPTION...] : sends a request to the registry, as anybody who may write to it can.
api() { curl --silent --show-error --fail --cacert "$work/tls/ca.pem" "${@:2}" "https://$registry/v2/team/strix/$1"; }

# manifest TAG|DIGEST : prints a manifest.
manifest() { api "manifests/$1" -H "Accept: $MANIFEST" -H "Accept: $INDEX"; }

# put_manifest TAG|DIGEST FILE [TYPE] : writes a manifest.
put_manifest() { api "manifests/$1" --request PUT -H "Content-Type: ${3:-$MANIFEST}" --data-binary "@$2" > /dev/null; }

MANIFEST=application/vnd.oci.image.manifest.v1+json
INDEX=application/vnd.oci.image.index.v1+json

# blob DIGEST : prints the registry's file of a blob. Files with links to it have its name too, and are short.
blob() {
  find "$work/registry-$kind" -type f -path "*${1#sha256:}*" -printf '%s %p\n' | sort -rn | head -1 | cut -d' ' -f2-
}

# get_lister : builds the registry that lists referrers, with the Go compiler and the sources of Debian unstable.
get_lister() {
  local go=$work/go
  [ ! -x "$work/lister" ] || return 0
  unpack --only "$go" 'golang-1.*-go' 'golang-1.*-src' golang-github-google-go-containerregistry-dev
  local goroot=("$go"/usr/lib/go-1.*)
  GO111MODULE=off GOROOT=${goroot[0]} GOPATH=$go/usr/share/gocode GOCACHE=$go/cache CGO_ENABLED=0 \
    "${goroot[0]}/bin/go" build -o "$work/lister" scripts/lib/registry/main.go
}

# start_registry : starts the registry $kind, or starts it again, and sets $server.
start_registry() {
  local storage=$work/registry-$kind log=$work/registry-$kind.log
  mkdir -p "$storage"
  : > "$log"
  case $kind in
    docker-registry)
      cat > "$work/registry.yml" << END
version: 0.1
log: { accesslog: { disabled: true }, level: info }
http: { addr: "127.0.0.1:0", tls: { certificate: $work/tls/cert.pem, key: $work/tls/key.pem } }
storage: { filesystem: { rootdirectory: $storage }, delete: { enabled: true } }
END
      docker-registry serve "$work/registry.yml" > "$log" 2>&1 &
      ;;
    lister) "$work/lister" "$storage" "$work/tls/cert.pem" "$work/tls/key.pem" > "$log" 2>&1 & ;;
  esac
  server=$!
  servers+=("$server")
  for _ in $(seq 100); do
    ! grep -q 'listening on' "$log" || return 0
    sleep 0.1
  done
  fail "$kind did not start: $(tail -3 "$log")"
}

# relay [OPTION...] : lets both machines reach the registry, until it is called again (see relay.py).
relay() {
  local to
  to=$(sed -n 's/.*listening on \(127[0-9.:]*\).*/\1/p' "$work/registry-$kind.log")
  stop_relay
  python3 "$lib/relay.py" "$registry" "$to" "$@" > "$work/relay.out" 2> "$work/relay.err" &
  relay=$!
  servers+=("$relay")
  for _ in $(seq 100); do
    ! grep -q ready "$work/relay.out" || return 0
    sleep 0.1
  done
  fail "the relay did not start"
}

stop_relay() {
  [ -z "${relay:-}" ] || { kill "$relay" && wait "$relay"; } 2> /dev/null || true
  relay=
}

stop_registry() {
  { kill "$server" && wait "$server"; } 2> /dev/null || true
}
