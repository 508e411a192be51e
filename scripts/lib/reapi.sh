# shellcheck shell=bash disable=SC2154
# Sourced by scripts/e2e-reapi and scripts/e2e-depths: buildbox of Debian unstable in a directory of its own, and
# services made of it.

# get_buildbox : unpacks buildbox, nginx, a shell for workers, and all that they need into $work/buildbox.
get_buildbox() { unpack "$work/buildbox" buildbox dash nginx; }

# The processes of services and workers, by name.
declare -A builders=()

# buildbox COMMAND... : runs a program of buildbox, with the C library that it was built for. It may make sandboxes
# itself.
buildbox() {
  local root=$work/buildbox/usr
  bwrap --cap-add ALL --bind "$root" /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin \
    --ro-bind /etc /etc --dev-bind /dev /dev --bind /proc /proc --tmpfs /tmp --bind "$work" "$work" --die-with-parent "$@"
}

# casd NAME PORT [OPTION...] : starts a service that stores and executes. Its files are in $work/cas-NAME.
casd() {
  local cas_name=$1 port=$2
  shift 2
  local place=$work/cas-$cas_name
  mkdir -p "$place"
  buildbox buildbox-casd --bind="127.0.0.1:$port" --jobs=1 --log-level=info "$@" "$place" \
    > "$work/casd-$cas_name.log" 2>&1 &
  builders[$cas_name]=$!
  servers+=($!)
  wait_for "$work/casd-$cas_name.log" 'Server listening'
}

# gate PORT BEHIND TOKEN : starts nginx with TLS before a service. It demands a client certificate of the authority in
# $work/tls, and the token.
gate() {
  local place=$work/gate kind
  mkdir -p "$place" "$work/tls"
  (
    cd "$work/tls" || exit
    for kind in authority stranger; do
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$kind" -days 2 \
        -keyout "$kind.key" -out "$kind.pem"
    done
    for kind in server client; do
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$kind" -keyout "$kind.key" -out csr.pem
      openssl x509 -req -in csr.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -out "$kind.pem" \
        -extfile <(echo "subjectAltName = DNS:localhost")
    done
  ) 2> /dev/null
  cat > "$place/nginx.conf" << END
daemon off;
master_process off;
pid $place/pid;
error_log stderr;
events {}
http {
  access_log $place/access.log;
  $(printf "%s_temp_path $place/tmp;\n  " client_body proxy fastcgi uwsgi scgi)
  map \$http_authorization \$is_known { default 0; "Bearer $3" 1; }
  server {
    listen 127.0.0.1:$1 ssl;
    http2 on;
    ssl_certificate $work/tls/server.pem;
    ssl_certificate_key $work/tls/server.key;
    ssl_client_certificate $work/tls/authority.pem;
    ssl_verify_client on;
    client_max_body_size 0;
    # It closes a connection after so many requests: a build must go on.
    keepalive_requests 25;
    grpc_read_timeout 1h;
    location / {
      if (\$is_known = 0) { return 401; }
      grpc_pass grpc://127.0.0.1:$2;
    }
  }
}
END
  buildbox nginx -c "$place/nginx.conf" 2> "$place/log" &
  servers+=($!)
  for _ in $(seq 100); do
    ! [ -s "$place/pid" ] || return 0
    sleep 0.1
  done
  fail "nginx did not start: $(tail -3 "$place/log")"
}

# runners PORT : prints the process ids of the runners of a service, whose address is in their arguments.
runners() {
  local process
  for process in /proc/[0-9]*; do
    if tr '\0' ' ' < "$process/cmdline" | grep -q "^/usr/bin/buildbox-run-.*--remote=http://127.0.0.1:$1 "; then
      echo "${process#/proc/}"
    fi
  done 2> /dev/null
}

# compiles NAME : is true while a service or worker runs a C++ compiler.
compiles() {
  local process
  for process in $(below "${builders[$1]}"); do
    [ "$(cat "/proc/$process/comm" 2> /dev/null)" != cc1plus ] || return 0
  done
  return 1
}

# wait_for_compiler LOG NAME... : waits until a build says in its log that it compiles, and one of these runs a
# compiler, which it sets $compiling to.
wait_for_compiler() {
  local log=$1
  for _ in $(seq 3000); do
    if grep -q ': compile' "$log" 2> /dev/null; then
      for compiling in "${@:2}"; do
        ! compiles "$compiling" || return 0
      done
    fi
    sleep 0.05
  done
  fail "none of ${*:2} ever compiled"
}

# kill_runner PORT : kills what a service runs. A compiler call may end in between: then the next one is killed.
kill_runner() {
  local process killed=
  for _ in $(seq 300); do
    for process in $(runners "$1"); do
      ! kill -KILL "$process" 2> /dev/null || killed=yes
    done
    [ -z "$killed" ] || return 0
    sleep 0.05
  done
  fail "the service runs nothing"
}

# real_build ADDRESS : builds the real llama.cpp with its CPU backend here and by a service, and compares. Then ten of
# its files change.
real_build() {
  local address=$1 changed compiled one
  step "the real llama.cpp: source"
  sources
  serve git "$work/repo"
  local real=$work/real
  mkdir -p "$real/manifests"
  sed -e '/^\[inputs.rocm\]/,/^$/d' -e '/^\[outputs.rocm\]/,/^$/d' -e "s#^url = .*#url = \"$url\"#" \
    "$project/manifests/strix.toml" > "$real/manifests/strix.toml"
  sed -i 's/^type = "llama"/type = "llama"\nbackend = "cpu"/' "$real/manifests/strix.toml"
  project=$real
  in_store real-here update > /dev/null
  step "the real llama.cpp, here"
  time in_store real-here realize --json > "$work/real-here.json"
  step "the real llama.cpp, by the service"
  time in_store real-there realize --builder "$address" --json > "$work/real-there.json"
  equal "$(tree_of llama "$work/real-there.json")" "$(tree_of llama "$work/real-here.json")" "another tree"
  in_store real-there log llama | grep -A4 '^compiler calls' | tee "$work/calls"
  for one in left right; do
    grep -q " $one" "$work/calls" || fail "the worker $one compiled nothing"
  done
  step "the real llama.cpp, out of the service's cache"
  time in_store real-again realize --builder "$address" --json > "$work/real-again.json"
  equal "$(tree_of llama "$work/real-again.json")" "$(tree_of llama "$work/real-here.json")" "another tree"
  equal "$(in_store real-again log llama | grep '^action' | grep -cv 'from the cache')" 0 "actions that ran"
  step "the real llama.cpp, after a change of ten files"
  mapfile -t changed < <(git -C "$work/repo" ls-files 'src/llama-*.cpp' | head -10)
  for one in "${changed[@]}"; do echo '// changed' >> "$work/repo/$one"; done
  git -C "$work/repo" -c user.name=e2e -c user.email=e2e@localhost -c commit.gpgsign=false commit --quiet --all -m 'ten files'
  in_store real-there update > /dev/null
  time in_store real-there realize --builder "$address" --json > "$work/real-bump.json"
  compiled=$(in_store real-there log llama | grep -E '^\[[0-9]+/[0-9]+\] [^ ]+\.o$|^action' |
    grep -B1 '^action.*worker [^,]*$' | sed -nE 's#^\[[0-9/]+\] ##p')
  echo "$compiled"
  for one in "${changed[@]}"; do
    grep -q "/${one##*/}\.o$" <<< "$compiled" || fail "$one changed and was not compiled"
  done
  # The version is in three more: those of the library, of ggml, and of the programs.
  [ "$(wc -l <<< "$compiled")" -le $((${#changed[@]} + 3)) ] || fail "more was compiled than what changed"
  time in_store real-here realize --json > "$work/real-bump-here.json"
  equal "$(tree_of llama "$work/real-bump.json")" "$(tree_of llama "$work/real-bump-here.json")" "another tree"
}
