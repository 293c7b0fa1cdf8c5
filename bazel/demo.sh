#!/usr/bin/env bash
# Shows a pool at work, on this machine alone. From any directory, in a clean clone too:
#
#   ./bazel/demo.sh
#
# Builds the echo example, starts two servers, and sends 50,000 RPCs of all four kinds from 8
# threads through one PooledChannel to both. When 20,000 are done it restarts one server gracefully,
# under load: the RPCs are paced so that the rest of them outlasts the restart, which is checked.
# Then it says how it went. Exit code 0: every RPC was answered rightly, the restarted server took
# part again, and more than 99 % of the RPCs found a connection that was there already.
set -euo pipefail
export LC_ALL=C

rpcs=50000
rpcs_before_restart=20000
rpcs_per_second=3000 # 17 s in all; the restart takes 3 to 5 s of the last 10 s
reuse_min=99

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
bazel/install.sh
flags=(-c opt --config=system)
echo "building the echo example"
bazel build "${flags[@]}" --noshow_progress //examples/echo:echo_client //examples/echo:echo_server
bin=$(bazel info "${flags[@]}" bazel-bin 2>/dev/null)/examples/echo

scratch=$(mktemp -d)
declare -A running=() # name: pid, of what this script started and has not seen the end of
cleanup() {
  for pid in "${running[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() {
  echo "bazel/demo.sh: FAILED: $1" >&2
  for log in "$scratch"/*.err; do
    if [ -s "$log" ]; then
      echo "--- $(basename "$log"), its end:" >&2
      tail -n 20 "$log" >&2
    fi
  done
  exit 1
}

# await SECONDS WHAT COMMAND…: until the command succeeds; fails if that takes longer.
await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $deadline ] || fail "waited in vain for $what"
    sleep 0.1
  done
}

ended() { ! kill -0 "${running[$1]}" 2>/dev/null; }

# await_end NAME SECONDS: leaves its exit code in `code`.
await_end() {
  await "$2" "the end of $1" ended "$1"
  code=0
  wait "${running[$1]}" || code=$?
  unset "running[$1]"
}

# start NAME PROGRAM ARGUMENT…: in the background, with its output in $scratch/NAME.{out,err}.
start() {
  local name=$1
  shift
  : >"$scratch/$name.out" # there before anybody reads it
  "$@" >>"$scratch/$name.out" 2>"$scratch/$name.err" &
  running[$name]=$!
}

# said NAME PATTERN: its first line is complete and begins so. What follows is left in `rest`.
said() {
  local line
  IFS= read -r line <"$scratch/$1.out" || return 1
  [ "${line#"$2"}" != "$line" ] || return 1
  rest=${line#"$2"}
}

# start_server NAME PORT: leaves its port in `port`.
start_server() {
  start "$1" "$bin/echo_server" --port="$2" --lame_duck=1s --shutdown_deadline=2s
  await 30 "$1 to listen" said_or_ended "$1" 'listening on 127.0.0.1:'
  port=$rest
}
said_or_ended() { said "$@" || { ! ended "$1" || fail "$1 has ended"; false; }; }

# stop_server NAME: gracefully. Leaves in `served` how many RPCs it says to have served.
stop_server() {
  kill -TERM "${running[$1]}"
  await_end "$1" 30
  [ "$code" -eq 0 ] || fail "$1 ended with exit code $code"
  served=$(sed -n 's/^served \([0-9]*\) RPCs$/\1/p' "$scratch/$1.err")
}

scrape() { curl --silent --show-error --fail --max-time 5 "$metrics"; }
# handled: RPCs that have ended so far, in the client's own words.
handled() {
  scrape | awk 'index($0, "grpc_client_handled_total{") == 1 { n += $NF }
                END { printf "%d\n", n }'
}
handled_enough() {
  ! ended client || fail "the client ended before the restart"
  done_rpcs=$(handled) && [ "$done_rpcs" -ge $rpcs_before_restart ]
}

start_server server_1 0
port_1=$port
start_server server_2 0
port_2=$port
echo "two servers, on ports $port_1 and $port_2"

target=ipv4:127.0.0.1:$port_1,127.0.0.1:$port_2
start client "$bin/echo_client" --target="$target" --rpcs=$rpcs --threads=8 \
  --rate=$rpcs_per_second --kinds=unary,client_stream,server_stream,bidi --metrics_port=0
await 30 "the client's /metrics" said_or_ended client 'metrics at '
metrics=$rest
echo "one client, its $metrics"

await 120 "$rpcs_before_restart RPCs" handled_enough
echo "restarting the server on port $port_1 after $done_rpcs RPCs"
stop_server server_1
served_before=$served
start_server server_1_again "$port_1"
! ended client || fail "the RPCs ended before the restart did: this machine is too slow for it"
done_rpcs=$(handled) || fail "cannot scrape $metrics"
[ "$done_rpcs" -lt $rpcs ] || fail "the RPCs ended before the restart did"
echo "restarted after $done_rpcs RPCs"

# The last scrape that can be had is the one to show.
while scrape >"$scratch/metrics.new" 2>/dev/null; do
  mv "$scratch/metrics.new" "$scratch/metrics"
  [ $SECONDS -lt 600 ] || fail "the client does not end"
  sleep 0.5
done
await_end client 60
client_code=$code
stop_server server_1_again
served_after=$served
stop_server server_2

echo
grep -v '^metrics at ' "$scratch/client.out" || true
echo "the restarted one  $served_before RPCs before, $served_after after"
echo
echo "from the last scrape of $metrics:"
shown='predial_(connections|checkouts_total|dials_total|connections_closed_total)'
grep -E "^($shown|grpc_client_handled_total)[{]" "$scratch/metrics" | grep -v ' 0$' || true
echo

[ "$client_code" -eq 0 ] || fail "the client ended with exit code $client_code"
reuse=$(sed -n 's/^reuse rate *\([0-9.]*\) %.*/\1/p' "$scratch/client.out")
awk -v reuse="$reuse" -v min=$reuse_min 'BEGIN { exit !(reuse > min) }' ||
  fail "the reuse rate is '$reuse' %, not above $reuse_min %"
[ "${served_after:-0}" -gt 0 ] || fail "the restarted server got no RPC"
echo "OK: $rpcs RPCs, none lost over a restart, $reuse % on a connection that was there already"
