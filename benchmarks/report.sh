#!/usr/bin/env bash
# Runs all comparisons and writes docs/benchmarks.md with its plots.
#
#   ./benchmarks/report.sh                    all scenarios, five rounds: 55 minutes
#   ./benchmarks/report.sh --repeat=3         any flag of compare; see
#                                             bazel run -c opt --config=system //benchmarks:compare -- --help
#   ./benchmarks/report.sh --from=FILE        writes it from the JSON of an earlier run, which is left in
#                                             benchmarks/report.json
#
# Leave the machine alone meanwhile: times are measured. Exit code 0: every bar is met; the report is
# written all the same.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bazel/install.sh valgrind python3-matplotlib
json=$PWD/benchmarks/report.json
code=0
case "${1:-}" in
  --from=*) json=${1#--from=} ;;
  *)
    rm -f "$json"
    bazel run -c opt --config=system --noshow_progress //benchmarks:compare -- \
      --json="$json" "$@" || code=$?
    [ -s "$json" ] || fail "compare has measured nothing"
    ;;
esac
# Debian's: another python3 on the PATH has no matplotlib.
/usr/bin/python3 -B benchmarks/compare/report.py "$json" docs
echo "docs/benchmarks.md is written"
exit $code
