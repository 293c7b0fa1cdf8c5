#!/usr/bin/env bash
# Builds everything and runs the tests. From any directory, in a clean clone too.
#
#   ./bazel/test.sh                         all tests but the long ones
#   ./bazel/test.sh --all                   the ones tagged `extra` as well, and examples/consumer;
#                                           installs the servers of interop_tests, too
#   ./bazel/test.sh --config=tsan           under a sanitizer: asan, tsan or ubsan
#   ./bazel/test.sh //plugin/core/... --runs_per_test=20
#
# Whatever begins with // or @ (or -//, to leave it out) replaces the default of //...; every other
# argument goes to `bazel test` as it is, so write a flag's value with `=`.
#
# The last line says `N passed, N failed`, with `, N skipped` if any were: the GoogleTest cases of
# exactly this run, summed from the test.xml files that Bazel reports for it; results from the cache
# count. A target that does not build, crashes, times out or runs no case counts as one failed. The
# exit code is 0 when nothing failed. The line before says how long it took.
set -euo pipefail

started=$(date +%s)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

all=false
flags=()
targets=()
for argument in "$@"; do
  case $argument in
    --all) all=true ;;
    //* | @* | -//* | -@*) targets+=("$argument") ;;
    -*) flags+=("$argument") ;;
    *)
      echo "bazel/test.sh: '$argument' is neither a flag (--name=value) nor a target (//…)" >&2
      exit 2
      ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=(//...)
$all || flags=(--test_tag_filters=-extra --build_tag_filters=-extra "${flags[@]}")
[ -t 1 ] || flags=(--noshow_progress "${flags[@]}")

bazel/install.sh
if $all; then
  # shellcheck disable=SC2046 # a package is a word
  bazel/install.sh $(interop_tests/matrix/matrix.py --packages)
fi

events=$(mktemp -d)
trap 'rm -rf "$events"' EXIT

# run NAME DIRECTORY ARGUMENT…: one `bazel test`; leaves its events and its exit code in $events.
run() {
  local name=$1 directory=$2 code=0
  shift 2
  (cd "$directory" && bazel test --config=system --keep_going \
    --build_event_json_file="$events/$name.json" "$@") || code=$?
  runs+=("$code:$events/$name.json")
}

runs=()
run predial . "${flags[@]}" -- "${targets[@]}"
# A workspace of its own, as a user's would be.
$all && run consumer examples/consumer //...

bazel/count_tests.py --started="$started" "${runs[@]}"
