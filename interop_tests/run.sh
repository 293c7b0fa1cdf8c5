#!/usr/bin/env bash
# Runs gRPC's interop cases over Predial's channels and over an ordinary one, against servers on other
# implementations of gRPC, directly and through proxies. Prints a table for each server.
#
#   ./interop_tests/run.sh                          all of it
#   ./interop_tests/run.sh --peer=node,go --proxy=direct,nginx --case=large_unary --channel=affinity
#   ./interop_tests/run.sh --json=FILE              all results, too
#   ./interop_tests/run.sh --write-docs             puts the tables into docs/interop.md
#   ./interop_tests/run.sh --help                   all flags, and the names that they take
#
# Takes root, or a kernel that lets users have namespaces of their own: all of it happens in a network
# namespace with nothing but loopback. Exit code 0: what passes over an ordinary channel passes over
# every pooled one.
set -euo pipefail
matrix=$(dirname "${BASH_SOURCE[0]}")/matrix/matrix.py
case " $* " in
  *" --help "* | *" -h "*) exec "$matrix" --help ;;
esac
. "$(dirname "${BASH_SOURCE[0]}")/../benchmarks/common.sh"
matrix=interop_tests/matrix/matrix.py

command -v python3 >/dev/null || bazel/install.sh
packages=$("$matrix" "$@" --packages) # a wrong flag is to be known before the build
# shellcheck disable=SC2086 # a package is a word
bazel/install.sh $packages
build //interop_tests/cases:interop_client //interop_tests/peers:cpp_server
about
"$matrix" --client="$scratch/interop_client" --cpp-server="$scratch/cpp_server" "$@"
