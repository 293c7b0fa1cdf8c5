#!/usr/bin/env bash
# What a pool of 8 idle connections takes, beside 8 ordinary channels with a connection each.
#
#   ./benchmarks/memory.sh
#
# Each is a process of its own, five times, in turn; the medians count. private_dirty is what the
# process has for itself (heap, stacks, what gRPC keeps): smaps_rollup's Private_Dirty. heap is what
# malloc has given out. Exit code 0: the pool's private_dirty is at most 4 MiB above the others'.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

connections=8
runs=5
extra_kib_max=4096

bazel/install.sh
build //benchmarks:memory //examples/echo:echo_server
start_server
about

for ((run = 0; run < runs; ++run)); do
  for kind in plain pooled; do
    "$scratch/memory" --address="$address" --kind=$kind --channels=$connections |
      tee -a "$scratch/$kind"
  done
done

# value KIND FIELD: its median.
value() {
  local values
  mapfile -t values < <(sed -n "s/.* $2=\([0-9]*\).*/\1/p" "$scratch/$1")
  [ ${#values[@]} -eq $runs ] || fail "$1 gave ${#values[@]} of $runs values of $2"
  median "${values[@]}"
}

echo
for field in private_dirty_kib heap_kib threads fds; do
  plain=$(value plain $field)
  pooled=$(value pooled $field)
  printf '%-18s %6d plain, %6d pooled: %+d\n' $field "$plain" "$pooled" $((pooled - plain))
done
extra=$(($(value pooled private_dirty_kib) - $(value plain private_dirty_kib)))
[ $extra -le $extra_kib_max ] || fail "the pool takes $extra KiB more, not at most $extra_kib_max"
echo "OK: the pool takes at most $extra_kib_max KiB more"
