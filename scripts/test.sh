#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds and runs all tests: installs what is missing, checks the sources, builds and tests with the sanitizers, compiles
# the headers with clang, then builds everything and runs the whole suite.
#   test.sh [--quick]     --quick: no sanitizers, no clang
set -eu
cd "$(dirname "$0")/.."
begin=$(date +%s)
quick=no
case ${1:-} in
  '') ;;
  --quick) quick=yes ;;
  *) sed -n '3,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

say() { printf '\ntest: [%4d s] %s\n' "$(($(date +%s) - begin))" "$*"; }
# build PRESET [arguments]: configures and builds; on failure the end of the log is what one needs to see.
build() {
  preset=$1; shift
  mkdir -p "build/$preset"
  for step in "cmake --preset $preset ${configure:-}" "cmake --build --preset $preset $*"; do
    # shellcheck disable=SC2086
    $step >"build/$preset/build.log" 2>&1 || { tail -n 60 "build/$preset/build.log"; say "$step failed"; exit 1; }
  done
}

say "looking for what building and testing need"
sh scripts/install_deps.sh --test

say "checking the sources"
sh scripts/check_layers.sh
sh scripts/check_sources.sh

failed=
if [ "$quick" = no ]; then
  say "building the tests with the address and undefined-behaviour sanitizers"
  build dev
  say "running them"
  ctest --preset dev -j "$(nproc)" || failed="$failed dev"

  if command -v clang++-16 >/dev/null; then
    say "compiling the headers with clang: alone where no test did, and all together"
    build clang --target all_verify_interface_header_sets graft_test_odr
  else
    say "clang++-16 is not here: no second compiler"
  fi
fi

say "building programs, examples and benches"
# The test programs ran with the sanitizers already.
configure=-DGRAFT_TEST_PROGRAMS=$([ "$quick" = yes ] && echo ON || echo OFF)
build check
say "running what is tested on them"
mkdir -p build/check
ctest --preset check -j "$(nproc)" || failed="$failed check"

if [ -n "$failed" ]; then say "failed:$failed"; exit 1; fi
say "all passed"
