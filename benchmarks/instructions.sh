#!/usr/bin/env bash
# Counts the user-space instructions that one unary RPC costs the client, exactly, with callgrind.
#
#   ./benchmarks/instructions.sh              three runs of each kind of channel: 3 to 4 minutes
#   ./benchmarks/instructions.sh 1            one run of each
#   ./benchmarks/instructions.sh 3 plain pooled_metrics
#   ./benchmarks/instructions.sh --guard      pooled_metrics only, whose RPCs' thread is held to guard_max
#                                             below; up to five runs, until one is. Part of .ci/run
#
# All threads of the client count, the pool's own as well; the server is a process of its own. Each
# run is two, of 2,000 and of 6,000 RPCs: the difference has no set-up in it. Exit code 0: a
# PooledChannel with the Prometheus observer costs at most 0.84 of grpc::CreateChannel.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

few=2000
many=6000
ratio_max=0.84
# Of the thread that makes the RPCs, with pooled_metrics: 3 % above what it takes on Debian 12, which is
# 53,800, the median of four runs (53,053 to 54,876, as threads happen to meet). A change that makes it
# cheaper brings this down with it.
guard_max=55414
guard=false
runs=${1:-3}
case $runs in
  [13579]) shift || true ;;
  --guard)
    guard=true
    [ $# -eq 1 ] || fail "--guard stands alone"
    shift
    ;;
  *) fail "the number of runs is '$runs'; it must be odd, and below 10" ;;
esac
kinds=("$@")
[ $# -gt 0 ] ||
  kinds=(plain plain_interceptor raw_fd raw_fd_interceptor pooled pooled_metrics)

bazel/install.sh valgrind
build //benchmarks:rpc_loop //examples/echo:echo_server
start_server
about

# count KIND RPCS: instructions of one client; with --guard, of the thread that makes the RPCs.
count() {
  local out=$scratch/callgrind.$1.$2 flags=() of=
  if $guard; then
    flags=(--separate-threads=yes)
    of=-01
  fi
  valgrind --tool=callgrind "${flags[@]}" --callgrind-out-file="$out" "$scratch/rpc_loop" \
    --address="$address" --channel="$1" --rpcs="$2" >"$out.log" 2>&1 ||
    fail "rpc_loop --channel=$1 --rpcs=$2: $(tail -n 5 "$out.log")"
  awk '/^totals:/ { print $2 }' "$out$of"
}

if $guard; then
  for run in 1 2 3 4 5; do
    of_few=$(count pooled_metrics $few)
    of_many=$(count pooled_metrics $many)
    of_rpc=$(((of_many - of_few) / (many - few)))
    [ $of_rpc -gt 0 ] || fail "pooled_metrics cost nothing"
    echo "run $run: an RPC takes its thread $of_rpc instructions"
    if [ $of_rpc -le $guard_max ]; then
      echo "OK: at most $guard_max"
      exit 0
    fi
  done
  fail "an RPC takes its thread more than $guard_max instructions"
fi

declare -A cost=()
printf '%-20s %20s   %s\n' "channel" "instructions / RPC" "of the runs"
for kind in "${kinds[@]}"; do
  samples=()
  for ((run = 0; run < runs; ++run)); do
    of_few=$(count "$kind" $few)
    of_many=$(count "$kind" $many)
    samples+=($(((of_many - of_few) / (many - few))))
  done
  cost[$kind]=$(median "${samples[@]}")
  printf '%-20s %20d   %s\n' "$kind" "${cost[$kind]}" "${samples[*]}"
done

[ -n "${cost[plain]:-}" ] || exit 0
[ "${cost[plain]}" -gt 0 ] || fail "plain cost nothing"
echo
for kind in "${kinds[@]}"; do
  awk -v kind="$kind" -v cost="${cost[$kind]}" -v plain="${cost[plain]}" \
    'BEGIN { printf "%-20s %.3f of grpc::CreateChannel\n", kind, cost / plain }'
done
[ -n "${cost[pooled_metrics]:-}" ] || exit 0
awk -v cost="${cost[pooled_metrics]}" -v plain="${cost[plain]}" -v max=$ratio_max \
  'BEGIN { exit !(cost / plain <= max) }' ||
  fail "pooled_metrics is above $ratio_max of grpc::CreateChannel"
echo "OK: pooled_metrics is at most $ratio_max of grpc::CreateChannel"
