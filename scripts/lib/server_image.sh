# shellcheck shell=bash
# Sourced by scripts/e2e-image: the real llama.cpp in a server image, with its web page and with https. Needs what that
# script has set up: the upstream, podman, and $work.

# Set by the script before these functions run.
: "${work=}" "${strixlock=}" "${url=}"

# before_finish : removes the container, also after a failure.
before_finish() {
  [ -z "${serving:-}" ] || podman rm --force --ignore "$serving" > /dev/null
}

# bundle NUMBER : publishes a web UI for this build number below $work/files/ui, with the files that the sources ask for.
bundle() {
  local dist=$work/dist place=$work/files/ui/b$1
  mkdir -p "$dist/_app" "$place"
  printf '<!doctype html><title>llama.cpp b%s, from a bundle</title>\n' "$1" > "$dist/index.html"
  printf '<!doctype html>loading\n' > "$dist/loading.html"
  printf '{}\n' | tee "$dist/manifest.webmanifest" "$dist/build.json" "$dist/_app/version.json" > "$dist/sw.js"
  for script in bundle.e2e.js workbox.e2e.js; do printf 'const build = %s;\n' "$1" > "$dist/$script"; done
  printf 'body { color: black }\n' > "$dist/bundle.e2e.css"
  tar -czf "$place/dist.tar.gz" -C "$dist" .
  sha256sum "$place/dist.tar.gz" | cut -d ' ' -f 1 > "$place/dist.tar.gz.sha256"
}

# authority : makes a certificate authority $work/ca.pem and a certificate of it for 127.0.0.1.
authority() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=e2e authority' -keyout "$work/ca.key" -out "$work/ca.pem" \
    -addext 'keyUsage=critical,keyCertSign' 2> "$work/openssl.log"
  openssl req -newkey rsa:2048 -nodes -subj '/CN=127.0.0.1' -keyout "$work/hub.key" -out "$work/hub.csr" 2>> "$work/openssl.log"
  printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > "$work/hub.ext"
  openssl x509 -req -in "$work/hub.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 30 \
    -extfile "$work/hub.ext" -out "$work/hub.pem" 2>> "$work/openssl.log"
}

# hub PORT : serves $work/model.gguf as e2e/tiny over https on loopback, in the way of the Hugging Face hub.
hub() {
  python3 scripts/lib/https_hub.py "$1" "$work/hub.pem" "$work/hub.key" e2e/tiny "$work/model.gguf" > "$work/hub.log" 2>&1 &
  servers+=($!)
}

# wait_for URL FILE : gets a URL as soon as it answers.
wait_for() {
  for _ in $(seq 300); do
    if curl -fsS "$1" > "$2" 2> "$work/curl.log"; then return; fi
    sleep 0.2
  done
  cat "$work/curl.log"
  fail "no answer from $1"
}

# server_image : builds the real llama.cpp with a web UI and https, puts it into an image, and runs that.
server_image() {
  local hub_port=${E2E_HUB_PORT:-5793} port=${E2E_SERVER_PORT:-5794} project=$work/server-project
  step "sources, a web UI for them, a hub with a certificate of its own authority, a model"
  sources
  bundle 7777
  authority
  make_model
  hub "$hub_port"
  serve git "$work/repo"
  mkdir -p "$project/manifests"
  . /etc/os-release
  cat > "$project/manifests/strix.toml" << END
requires = ">=0.1"

[inputs.packages]
type = "debs"
archive = "host"
packages = ["bash", "cmake", "coreutils", "dash", "findutils", "g++", "gcc", "grep", "libssl-dev", "ninja-build", "sed"]

[inputs.base-packages]
type = "debs"
archive = "host"
packages = ["base-files", "base-passwd", "bash", "ca-certificates", "coreutils", "dash", "libc-bin", "libssl3", "libstdc++6"]

[inputs.llama-cpp]
type = "git"
url = "$url"

[inputs.llama-cpp-ui]
type = "llama-ui"
sources = ["file://$work/files/ui/b{number}/dist.tar.gz"]

[inputs.own-ca]
type = "file"
url = "file://$work/ca.pem"

[outputs.sysroot]
type = "sysroot"
packages = "packages"

[outputs.base]
type = "sysroot"
packages = "base-packages"

[outputs.llama]
type = "llama"
backend = "cpu"
cpu = "x86-64-v3"
sysroot = "sysroot"
ui = "upstream"

[outputs.server]
type = "image"
base = "base"
llama = "llama"
program = "llama-server"
user = "1000:1000"
certificates = ["own-ca"]
END
  step "llama.cpp with its web UI and https, in a root of packages"
  (
    cd "$project" || exit
    "$strixlock" --store "$work/store" update
    "$strixlock" --store "$work/store" realize llama --json > "$work/llama.json"
    "$strixlock" --store "$work/store" log llama --about --json > "$work/about.json"
    "$strixlock" --store "$work/store" log llama --all > "$work/llama.log"
    "$strixlock" --store "$work/store" export oci server --format archive --output "$work/server.tar"
  )
  grep -q 'UI: embedded' "$work/llama.log" || fail "the build did not embed the web UI"
  python3 - "$work/about.json" << 'PYTHON'
import json, sys
about = json.load(open(sys.argv[1]))["about"]
assert about["variables"]["LLAMA_OPENSSL"] == "ON", about["variables"]
needed = {library for libraries in about["needed"].values() for library in libraries}
assert {"libssl.so.3", "libcrypto.so.3"} <= needed, sorted(needed)
assert not about.get("unknown_variables") and not about.get("left_to_llama_cpp"), about
print("linked with libssl.so.3; no variable unknown, no option left undecided")
PYTHON

  step "the server image: a model by -hf over https, and the page"
  podman load --quiet --input "$work/server.tar"
  # The network of this machine, for its loopback; an authority that only the image knows.
  serving=e2e-server
  podman run --detach --name "$serving" --network=host --read-only --tmpfs /tmp:mode=1777 \
    --env HF_ENDPOINT="https://127.0.0.1:$hub_port/" --env HOME=/tmp --env LLAMA_CACHE=/tmp/cache \
    localhost/server:latest -hf e2e/tiny --host 127.0.0.1 --port "$port"
  wait_for "http://127.0.0.1:$port/health" "$work/health"
  curl -fsS "http://127.0.0.1:$port/" > "$work/index.html"
  cmp "$work/index.html" "$work/dist/index.html" || fail "the page is not that of the bundle"
  curl -fsS "http://127.0.0.1:$port/_app/version.json" | cmp - "$work/dist/_app/version.json" || fail "a file of the bundle is not served"
  curl -fsS "http://127.0.0.1:$port/completion" -d '{"prompt": "Once upon a time", "n_predict": 8}' > "$work/completion"
  python3 -c 'import json, sys; answer = json.load(open(sys.argv[1])); assert answer["tokens_predicted"] > 0; print(repr(answer["content"]))' "$work/completion"
  grep -q 'GET /e2e/tiny/resolve/' "$work/hub.log" || fail "the model did not come from the hub"
  podman rm --force "$serving"

  step "without the authority it is refused"
  status=0
  podman run --rm --network=host --read-only --tmpfs /tmp:mode=1777 --env SSL_CERT_FILE=/etc/debian_version \
    --env HF_ENDPOINT="https://127.0.0.1:$hub_port/" --env HOME=/tmp --env LLAMA_CACHE=/tmp/cache \
    localhost/server:latest -hf e2e/tiny --host 127.0.0.1 --port "$port" > "$work/refused" 2>&1 || status=$?
  [ "$status" != 0 ] || fail "a hub with a certificate of nobody was believed"
  grep -iE 'ssl|certificate|HTTPLIB' "$work/refused" || fail "it was refused for another reason: $(tail -5 "$work/refused")"
}
