#!/usr/bin/env bash
# Breaks what RPCs run over, and counts what is lost: PooledChannel, an ordinary channel and a naive
# pool of channels over sockets, the same load in turn.
#
#   ./benchmarks/chaos.sh                    all scenarios: 20 minutes
#   ./benchmarks/chaos.sh --quick            in short: 3 minutes; //benchmarks/chaos:chaos_quick_test
#   ./benchmarks/chaos.sh --list             the scenarios and their bars
#   ./benchmarks/chaos.sh --scenario=kill-9,return --contender=pooled
#   ./benchmarks/chaos.sh --mode=managed     ordinary channels over adopted sockets
#
# Takes root, or a kernel that lets users have namespaces of their own: all of it happens in a
# network namespace with nothing but loopback. Exit code 0: pooled met every bar.
set -euo pipefail
chaos=$(dirname "${BASH_SOURCE[0]}")/chaos/chaos.py
case " $* " in
  *" --list "* | *" --help "* | *" -h "*) exec "$chaos" "$@" ;;
esac
"$chaos" --list "$@" >/dev/null # a wrong flag is to be known before the build
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bazel/install.sh
build //benchmarks:chaos_load //benchmarks:chaos_server
about
benchmarks/chaos/chaos.py --bin="$scratch" "$@"
