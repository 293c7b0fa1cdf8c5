# What the scripts here share. Sourced by them, after `set -euo pipefail`; changes to the checkout's
# root and leaves an empty $scratch, which goes, with the server, when the script ends.

export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
server_pid=

end() {
  if [ -n "$server_pid" ]; then
    kill -KILL "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true # or the shell reports it
  fi
  rm -rf "$scratch"
}
trap end EXIT
trap 'exit 130' INT TERM

fail() {
  echo "$0: FAILED: $1" >&2
  exit 1
}

# build LABEL…: optimized, and copied to $scratch, so that a build meanwhile changes nothing.
build() {
  local flags=(-c opt --config=system) label path
  bazel build "${flags[@]}" --noshow_progress "$@" >&2
  local bin
  bin=$(bazel info "${flags[@]}" bazel-bin 2>/dev/null)
  for label in "$@"; do
    path=${label#//}
    cp "$bin/${path/://}" "$scratch/"
  done
}

# start_server: the echo server, in its own process. Leaves where it listens in `address`.
start_server() {
  local line= deadline=$((SECONDS + 30))
  : >"$scratch/server.out"
  "$scratch/echo_server" >>"$scratch/server.out" 2>"$scratch/server.err" &
  server_pid=$!
  until IFS= read -r line <"$scratch/server.out"; do
    kill -0 "$server_pid" 2>/dev/null || fail "the server has ended: $(cat "$scratch/server.err")"
    [ $SECONDS -lt $deadline ] || fail "the server does not listen"
    sleep 0.1
  done
  address=${line#listening on }
}

# median NUMBER…: of an odd number of integers.
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# about: the machine and the versions, for the record.
about() {
  echo "$(date -u +%Y-%m-%d), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)," \
    "gRPC $(pkg-config --modversion grpc++), $(c++ --version | head -n 1)"
}
