#!/usr/bin/env bash
# A pool over mutual TLS, on this machine alone:
#
#   ./examples/echo/mtls.sh              builds the two programs first
#   ./examples/echo/mtls.sh DIRECTORY    uses those in DIRECTORY
#
# Makes a CA, and a certificate each for the server and the client, in a temporary folder; starts the
# server, which insists on client certificates; and sends it RPCs through one PooledChannel. Then
# again without a client certificate, which must fail. Exit code 0: all of that was so.
set -euo pipefail

if [ $# -gt 0 ]; then
  bin=$1
else
  cd "$(dirname "${BASH_SOURCE[0]}")/../.."
  bazel/install.sh
  flags=(-c opt --config=system --noshow_progress)
  bazel build "${flags[@]}" //examples/echo:echo_client //examples/echo:echo_server
  bin=$(bazel info "${flags[@]}" bazel-bin 2>/dev/null)/examples/echo
fi

scratch=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() {
  echo "mtls.sh: FAILED: $1" >&2
  tail -n 20 "$scratch"/*.err >&2 || true
  exit 1
}

# new_certificate NAME OPENSSL-OPTION…: leaves NAME.pem, and NAME.key, which is not encrypted.
new_certificate() {
  local name=$1
  shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj "/CN=$name" -keyout "$scratch/$name.key" -out "$scratch/$name.pem" "$@" \
    2>>"$scratch/openssl.err" || fail "openssl"
}
signed=(-CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -addext basicConstraints=critical,CA:FALSE)
new_certificate ca # openssl makes it a CA's
new_certificate server "${signed[@]}" -addext subjectAltName=DNS:localhost,IP:127.0.0.1
new_certificate client "${signed[@]}"

"$bin/echo_server" --lame_duck=0s --tls_ca="$scratch/ca.pem" --tls_cert="$scratch/server.pem" \
  --tls_key="$scratch/server.key" >"$scratch/server.out" 2>"$scratch/server.err" &
server=$!
for _ in $(seq 100); do
  port=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\)$/\1/p' "$scratch/server.out")
  [ -z "$port" ] || break
  kill -0 "$server" 2>/dev/null || fail "the server has ended"
  sleep 0.1
done
[ -n "$port" ] || fail "the server does not listen"
echo "a server on port $port, for clients with a certificate"

client=("$bin/echo_client" --target="localhost:$port" --tls_ca="$scratch/ca.pem"
  --kinds=unary,client_stream,server_stream,bidi)
"${client[@]}" --rpcs=2000 --tls_cert="$scratch/client.pem" --tls_key="$scratch/client.key" \
  2>"$scratch/client.err" || fail "the client ended with exit code $?"

echo "and a client that has none:"
code=0
"${client[@]}" --rpcs=1 --threads=1 2>"$scratch/client.err" || code=$?
[ "$code" -eq 1 ] || fail "the client without a certificate ended with exit code $code, not 1"

kill -TERM "$server"
wait "$server" || fail "the server ended with exit code $?"
server=
grep -qx 'served 2000 RPCs' "$scratch/server.err" || fail "the server did not serve 2000 RPCs"
echo "OK: 2000 RPCs over mutual TLS, and none without a certificate"
