# shellcheck shell=bash disable=SC2154
# Sourced by scripts/e2e-reapi and scripts/e2e-depths after reapi.sh: BuildGrid, which keeps files and results and hands
# actions out, and workers that carry them out. Each worker is like a machine of its own: a buildbox-worker and the
# storage between it and BuildGrid's.

# get_buildgrid : installs BuildGrid from PyPI, and PostgreSQL, into $work/buildgrid.
get_buildgrid() {
  local venv=$work/buildgrid/venv
  unpack "$work/buildgrid/system" dash postgresql
  [ ! -x "$venv/bin/bgd" ] || return 0
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'buildgrid[database]==0.4.4'
}

# postgresql PROGRAM [ARGUMENT...] : runs a program of PostgreSQL as an ordinary user: it refuses root.
postgresql() {
  local root=$work/buildgrid/system/usr bin
  bin=$(echo "$root"/lib/postgresql/*/bin)
  echo 'postgres:x:1000:1000::/:/bin/sh' > "$work/buildgrid/passwd"
  bwrap --unshare-user --uid 1000 --gid 1000 --unshare-pid --ro-bind "$root" /usr --symlink usr/lib /lib \
    --symlink usr/lib64 /lib64 --symlink usr/bin /bin --ro-bind "$work/buildgrid/passwd" /etc/passwd --dev /dev \
    --proc /proc --tmpfs /tmp --bind "$work/buildgrid" "$work/buildgrid" --die-with-parent \
    "/usr${bin#"$root"}/$1" "${@:2}"
}

# buildgrid PORT : starts BuildGrid, with the instance `main`, and the database that it needs. Its files are in
# $work/buildgrid. A worker that is silent for five seconds counts as lost.
buildgrid() {
  local place=$work/buildgrid
  local database="postgresql+psycopg2://bgd@/bgd?host=$place/socket"
  buildgrid_port=$1
  start_database
  "$place/venv/bin/bgd" migrate apply "$database" > "$place/migrate.log" 2>&1 || fail "$(tail -3 "$place/migrate.log")"
  cat > "$place/buildgrid.yml" << END
server: [!channel { address: "127.0.0.1:$1", insecure-mode: true }]
authorization: { method: none }
connections: [!sql-connection &sql { connection-string: "$database" }]
storages: [!disk-storage &storage { path: "$place/storage" }]
caches: [!lru-action-cache &cache { storage: *storage, max-cached-refs: 100000, cache-failed-actions: false }]
schedulers:
  - !sql-scheduler &scheduler
    storage: *storage
    sql: *sql
    action-cache: *cache
    bot-session-keepalive-timeout: 5
    session-expiry-timer-interval: 1
    poll-interval: 0.1
    bot-poll-interval: 0.1
    assigners: [!priority-age-assigner { interval: 0.1 }]
instances:
  - name: main
    services:
      - !cas { storage: *storage }
      - !bytestream { storage: *storage }
      - !action-cache { cache: *cache }
      - !execution { scheduler: *scheduler }
thread-pool-size: 64
END
  start_scheduler
}

# start_database : starts PostgreSQL on a socket, with an empty database at first.
start_database() {
  local place=$work/buildgrid
  if [ ! -d "$place/data" ]; then
    postgresql initdb --pgdata "$place/data" --username bgd --auth trust --encoding UTF8 --locale C --no-sync \
      > "$place/initdb.log" 2>&1 || fail "initdb: $(tail -3 "$place/initdb.log")"
  fi
  mkdir -p "$place/socket"
  : > "$place/database.log"
  postgresql postgres -D "$place/data" -k "$place/socket" -c listen_addresses= -c fsync=off > "$place/database.log" 2>&1 &
  servers+=($!)
  wait_for "$place/database.log" 'ready to accept connections'
  postgresql createdb --host "$place/socket" --username bgd bgd 2> /dev/null || true
}

# start_scheduler : starts BuildGrid's own process, or starts it again, and sets $scheduler.
start_scheduler() {
  local place=$work/buildgrid
  : > "$place/log"
  "$place/venv/bin/bgd" server start -vv "$place/buildgrid.yml" > "$place/log" 2>&1 &
  scheduler=$!
  servers+=("$scheduler")
  wait_for "$place/log" 'Starting BotSession reaper'
}

# worker NAME PORT [OPTION...] : starts a worker, with its storage at a port. Both are in one sandbox: the storage mounts
# the trees of actions.
worker() {
  local port=$2 log=$work/worker-$1.log
  : > "$log"
  # shellcheck disable=SC2016
  buildbox sh -c 'buildbox-casd --log-level=info --cas-instance=main "--bind=$1" "$2" "$3" > "$4" 2>&1 & storage=$!
    shift 4; buildbox-worker "$@"; kill "$storage"' sh \
    "127.0.0.1:$port" "--cas-remote=http://127.0.0.1:$buildgrid_port" "$work/cas-$1" "$work/casd-$1.log" \
    --bots-remote="http://127.0.0.1:$buildgrid_port" --bots-instance=main --cas-remote="http://127.0.0.1:$port" --cas-retry-limit=30 \
    --cas-retry-delay=50 --buildbox-run=/usr/bin/buildbox-run-bubblewrap --platform OSFamily=linux --log-level=info \
    "${@:3}" "$1" > "$log" 2>&1 &
  builders[$1]=$!
  servers+=($!)
  wait_for "$log" 'Starting buildbox-worker'
  wait_for "$work/casd-$1.log" 'Server listening'
}

# keep_to NAME CORE : lets a worker, and all that it starts, use one core only.
keep_to() {
  local process
  for process in $(below "${builders[$1]}"); do
    taskset --all-tasks --cpu-list --pid "$2" "$process" > /dev/null
  done
}

# kill_worker NAME : ends a worker as when its machine loses power: all its processes at once.
kill_worker() {
  # shellcheck disable=SC2046
  kill -KILL $(below "${builders[$1]}") 2> /dev/null || true
  wait "${builders[$1]}" 2> /dev/null || true
}

# actions_of NAME : prints how many actions a worker has finished since it was started.
actions_of() { grep -c 'Runner exited with code' "$work/worker-$1.log" || true; }
