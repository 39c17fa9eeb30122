#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_sources.sh must refuse each of these files, name the place, and accept a proper one.
set -eu
check=$(cd "$(dirname "$0")/../../scripts" && pwd)/check_sources.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
status=0
licence='// SPDX-License-Identifier: Apache-2.0'

# expect VERDICT FILE CONTENT SENTENCE
expect() {
  rm -rf "$tree/include" "$tree/tests"; mkdir -p "$tree/$(dirname "$2")"
  printf '%b\n' "$3" >"$tree/$2"
  verdict=accepts
  output=$(sh "$check" "$tree" 2>&1) || verdict=refuses
  case $output in *"$4"*) ;; *) verdict="$verdict, but without '$4'" ;; esac
  if [ "$verdict" != "$1" ]; then
    echo "$2: wanted '$1', got '$verdict': $output"; status=1
  fi
}

lines() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; ++i) printf "\\nint a%d;", i }'; }

expect refuses include/graft/nn/a.hpp '#pragma once' 'a.hpp:1: the first line must be // SPDX'
expect refuses include/graft/nn/a.hpp "$licence\nint a;" 'a.hpp:1: a header needs #pragma once'
expect refuses include/graft/nn/a.hpp "$licence\n#pragma once$(lines 499)" 'a.hpp:501: has 501 lines'
expect accepts include/graft/nn/a.hpp "$licence\n#pragma once$(lines 498)" 'over 400 lines'
expect accepts include/graft/nn/a.tpp "$licence\nint a;" '1 files in order'
expect refuses include/graft/nn/utils.hpp "$licence\n#pragma once" 'a name that says nothing: utils'
expect refuses include/graft/nn/a.hpp "$licence\n#pragma once\nnamespace {\n}" 'a.hpp:3: no anonymous namespace'
expect refuses include/graft/nn/a.hpp "$licence\n#pragma once\nstatic int a;" 'a.hpp:3: no static'
expect refuses tests/unit/a.test.cpp "$licence\n// TO""DO: later" 'a.test.cpp:2: a left-over note'
expect accepts tests/unit/a.test.cpp "$licence\nnamespace {\n}" '1 files in order'
exit $status
