#!/usr/bin/env bash
# Formats, in place, the C++ sources (clang-format-14) and the BUILD and .bzl files (buildifier:
# Debian has none, so it comes from npm unless it is on PATH).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

files() { git ls-files -z --cached --others --exclude-standard -- "$@"; }

files '*.cc' '*.h' | xargs -0 -r clang-format-14 -i

if command -v buildifier >/dev/null; then
  buildifier=(buildifier)
else
  buildifier=(npx --yes @bazel/buildifier@8.2.1)
fi
files 'BUILD' '*/BUILD' 'WORKSPACE' '*/WORKSPACE' '*.bzl' | xargs -0 -r "${buildifier[@]}"
