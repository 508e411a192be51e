# shellcheck shell=bash disable=SC2154,SC2164
# Sourced by scripts/e2e-llama: an archive as llama.cpp's releases have it, made from a real build, in a build's place.

# pack_release BUILD NUMBER INTO : packs the programs and libraries of an install tree into one directory, as upstream's archives
# are, and writes what the forge's API answers about it. Sets $archive.
pack_release() {
  local build=$1 number=$2 into=$3 name
  name=llama-b$number-bin-ubuntu-rocm-7.2-x64.tar.gz
  rm -rf "$into"
  mkdir -p "$into/flat/llama-b$number" "$into/www/api/releases/tags"
  cp -a "$build"/bin/* "$into/flat/llama-b$number/"
  find "$build/lib" -maxdepth 1 -name '*.so*' -exec cp -a {} "$into/flat/llama-b$number/" \;
  tar -czf "$into/www/$name" -C "$into/flat" "llama-b$number"
  rm -rf "$into/flat"
  archive=$into/www/$name
}

# answer_about ARCHIVE TAG BASE : prints what the API says about a release with this archive.
answer_about() {
  python3 - "$@" << 'PY'
import hashlib, json, os, sys
path, tag, base = sys.argv[1:]
with open(path, "rb") as file:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
name = os.path.basename(path)
asset = {"name": name, "size": os.path.getsize(path), "digest": "sha256:" + digest, "browser_download_url": f"{base}/{name}"}
print(json.dumps({"tag_name": tag, "draft": False, "prerelease": False, "published_at": "2026-11-20T12:00:00Z", "assets": [asset]}))
PY
}

# serve_files DIRECTORY : serves files on loopback and sets $files.
serve_files() {
  python3 -u - "$1" > "$work/url-files" << 'PY' &
import functools, http.server, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=sys.argv[1]))
print(f"http://127.0.0.1:{server.server_address[1]}")
server.serve_forever()
PY
  servers+=($!)
  for _ in $(seq 100); do
    [ ! -s "$work/url-files" ] || break
    sleep 0.1
  done
  files=$(cat "$work/url-files")
  [ -n "$files" ] || fail "the server of $1 did not start"
}

# serve_rocm : starts the practice upstream and sets $index, a page with a small ROCm.
serve_rocm() {
  "$strixlock" demo --serve --dir "$work/practice" > "$work/url-practice" &
  servers+=($!)
  for _ in $(seq 300); do
    index=$(sed -n 's/^index //p' "$work/url-practice" | tail -n 1)
    [ -z "$index" ] || break
    sleep 0.1
  done
  [ -n "$index" ] || fail "the practice upstream did not start"
}

# prebuilt BUILD NUMBER GIT : from an empty store to the version of a real program, out of an archive, with the proof: in less than two
# minutes.
prebuilt() {
  local build=$1 number=$2 git=$3 since=$SECONDS place=$work/prebuilt version
  pack_release "$build" "$number" "$place/release"
  ls -l "$archive"
  serve_files "$place/release/www"
  answer_about "$archive" "b$number" "$files" > "$place/release/www/api/releases/tags/b$number"
  serve_rocm
  mkdir -p "$place/manifests"
  cat > "$place/manifests/strix.toml" << MANIFEST
requires = ">=0.1"

[inputs.rocm]
type = "rocm"
target = "gfx1151"
sources = ["$index"]

[inputs.llama-release]
type = "release"
url = "$git"
api = "$files/api"
asset = "llama-b{number}-bin-ubuntu-rocm-{rocm}-x64.tar.gz"
tag = "b$number"

[outputs.rocm]
type = "rocm"

[outputs.llama]
type = "prebuilt"
rocm = "rocm"

[outputs.runtime]
type = "runtime"
roots = ["llama-cli", "llama-server", "llama-bench"]
MANIFEST
  rm -rf "$place/store" "$place/lock"
  since=$SECONDS
  (
    cd "$place" || exit
    "$strixlock" --store "$place/store" update
    "$strixlock" --store "$place/store" realize
    "$strixlock" --store "$place/store" run llama-cli --version
  ) 2>&1 | tee "$place/said"
  echo "from an empty store to a version: $((SECONDS - since)) s"
  [ "$((SECONDS - since))" -lt 120 ] || fail "a prebuilt engine takes longer than two minutes"
  version=$(cd "$place" && "$strixlock" --store "$place/store" run llama-cli --version 2>&1)
  grep -q "$number" <<< "$version" || fail "the version does not show $number, which is pinned"
  (cd "$place" && "$strixlock" --store "$place/store" log runtime --about) > "$place/about.json"
  python3 - "$place/about.json" "$build" << 'PY'
import json, os, sys
proof = json.load(open(sys.argv[1]))["proof"]
elf = lambda path: os.path.isfile(path) and open(path, "rb").read(4) == b"\x7fELF"
programs = {name for name in os.listdir(sys.argv[2] + "/bin") if ".so" not in name and elf(f"{sys.argv[2]}/bin/{name}")}
proven = {path.rsplit("/", 1)[1] for path in proof["mapped"] if path.startswith("/opt/llama/bin/")}
assert programs <= proven, f"not proven: {sorted(programs - proven)}"
print(f"{len(proven)} programs proven, {proof['loaded']} libraries loaded")
PY
  (cd "$place" && "$strixlock" --store "$place/store" audit && grep -q 'built by its publisher and not here' REPRODUCIBLE.md)
}
