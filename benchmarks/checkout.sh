#!/usr/bin/env bash
# Holds the cost of getting a member and giving it back to its bars. About two minutes.
#
#   ./benchmarks/checkout.sh
#
# Reads the CPU time per RPC, of all threads, not the wall time: others at work on the machine
# lengthen the latter. Medians of five. `unchecked` is without PoolOptions::alive_check, whose look at
# the connection is a system call; the bars are for both. Exit code 0:
#   - on one thread at most 100 ns, of peak_ewma 200: it reads an exact clock twice. least_loaded
#     looks at every member, and is meant for up to about 16 (see core/picker.h): it is held to that
#     with 1 and 8, and shown with 64 and 512.
#   - on 16 threads at most 8 times that of one. One cache line that two cores write in turn costs 4
#     to 5 times as much as one that stays; a queue behind a lock, without a limit.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bazel/install.sh
build //benchmarks:checkout
about

"$scratch/checkout" --benchmark_repetitions=5 --benchmark_min_time=0.1 --benchmark_format=csv \
  --benchmark_report_aggregates_only=true >"$scratch/csv" 2>"$scratch/err" ||
  fail "$(tail -n 5 "$scratch/err")"
cat >"$scratch/judge.awk" <<'AWK'
# "PICKER[/unchecked]/members:M/threads:T_median",iterations,real,cpu,ns,…
/_median"/ {
  gsub(/"/, "", $1)
  split($1, name, /\/threads:|_median/)
  cpu[name[1], name[2]] = $4
  if (!(name[1] in seen)) {
    seen[name[1]] = 1
    order[++count] = name[1]
  }
}
END {
  printf "%-36s %10s %10s %10s  ns of CPU per RPC\n", "", "1 thread", "4 threads", "16 threads"
  for (i = 1; i <= count; ++i) {
    of = order[i]
    one = cpu[of, 1]
    sixteen = cpu[of, 16]
    scans = of ~ /^least_loaded.*:(64|512)$/
    bar = of ~ /^peak_ewma/ ? 200 : 100
    missed = ""
    if (!(one > 0 && sixteen > 0)) missed = "NO FIGURES"
    else if (one > bar && !scans) missed = "ABOVE " bar " ns"
    else if (sixteen > 8 * one) missed = "COLLAPSES"
    if (missed != "") ++misses
    verdict = missed != "" ? missed : one > bar ? "not held to 100 ns" : "ok"
    printf "%-36s %10.1f %10.1f %10.1f  %s\n", of, one, cpu[of, 4], sixteen, verdict
  }
  if (count != 32) print "figures of " count " of 32"
  exit misses > 0 || count != 32
}
AWK
awk -F, -f "$scratch/judge.awk" "$scratch/csv" || fail "a bar is missed"
echo "OK: at most 100 ns (peak_ewma 200) on one thread, and no collapse on 16"
