#!/usr/bin/env bash
# Installs the Debian packages that building and testing Predial takes, and the npm packages of
# interop_tests/harness/package.json, if any is missing.
#
#   ./bazel/install.sh              what bazel/test.sh and the demo need
#   ./bazel/install.sh valgrind …   these as well (the benchmarks count instructions with valgrind;
#                                   interop_tests/matrix/servers.py lists what its servers take)
#
# On a machine that has them all this is one look at dpkg's database: no network, no root. Otherwise
# it runs apt-get as root or through sudo, and fails with the list of packages where it is neither.
# The npm packages go to ~/.cache/predial/node-VERSION, where peer.py there looks for them.
# A package's service (prometheus is here for its promtool) is neither started nor enabled by it;
# what was installed before is left as it is.
set -euo pipefail

packages=(
  bazel-bootstrap python3 pkg-config g++
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev
  prometheus-cpp-dev libgtest-dev libgmock-dev libbenchmark-dev
  clang-format-14 git prometheus curl openssl
  iproute2 nftables util-linux nginx-light haproxy nghttp2-proxy
  "$@"
)
# Debian's npm is large. Any other will do.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

if ! command -v dpkg-query >/dev/null; then
  echo "bazel/install.sh: this is not Debian: there is no dpkg-query. --config=system builds on" \
    "Debian 12's libraries; elsewhere build on the upstream archives: bazel test //..." >&2
  exit 1
fi

format='${db:Status-Status} ${Package}\n'
installed=$(dpkg-query -W -f "$format" "${packages[@]}" 2>/dev/null) || true
missing=()
for package in "${packages[@]}"; do
  grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
done

# install_node_packages: those that are in place are left as they are; no network then.
install_node_packages() {
  local manifest home version directory
  manifest=$(dirname "${BASH_SOURCE[0]}")/../interop_tests/harness/package.json
  home=$(getent passwd "$(id -u)" | cut -d: -f6)
  version=$(sha256sum "$manifest" | cut -c 1-16)
  directory=$home/.cache/predial/node-$version
  [ ! -d "$directory" ] || return 0
  echo "bazel/install.sh: installing the npm packages of interop_tests/harness/package.json"
  mkdir -p "$home/.cache/predial"
  local staging
  staging=$(mktemp -d "$directory.XXXXXX")
  cp "$manifest" "$staging/package.json"
  if ! (cd "$staging" && npm install --no-package-lock --no-audit --no-fund --ignore-scripts); then
    rm -rf "$staging"
    echo "bazel/install.sh: npm install has failed; see above" >&2
    return 1
  fi
  # All or nothing; another run of this may have been faster.
  mv -T "$staging" "$directory" 2>/dev/null || rm -rf "$staging"
}

if [ ${#missing[@]} -eq 0 ]; then
  install_node_packages
  exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
  as_root=(sudo)
else
  echo "bazel/install.sh: packages are missing; this is neither root nor able to sudo. As root:" >&2
  echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "bazel/install.sh: installing ${missing[*]}"

# Debian's way to keep maintainer scripts from starting services: policy-rc.d answers 101. One that
# is there already is somebody's decision, and stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '"${as_root[@]}" rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
  "${as_root[@]}" chmod 755 $policy
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"
}
apt update
apt install --no-install-recommends "${missing[@]}"

# Not started now; not at the next boot either.
if command -v systemctl >/dev/null; then
  for package in "${missing[@]}"; do
    for unit in $(dpkg -L "$package" | grep -E '/systemd/system/[^/@]+\.service$' || true); do
      "${as_root[@]}" systemctl disable "$(basename "$unit")" || true
    done
  done
fi

install_node_packages
