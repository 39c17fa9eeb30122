#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh clone to a fine-tuned model: installs what is missing, builds the program `graft`, gets the model, and runs
# examples/quickstart/run.sh.   quickstart.sh [arguments for run.sh]
set -eu
cd "$(dirname "$0")/.."
root=$PWD
build=$root/build/release
begin=$(date +%s)

say() { printf 'quickstart: [%3d s] %s\n' "$(($(date +%s) - begin))" "$*" >&2; }

# quiet LOG COMMAND…: runs it with its output in a file, which is shown where there is somebody to watch or something failed.
quiet() {
  log=$1; shift
  if [ -t 2 ]; then "$@" >&2; return; fi
  "$@" >"$log" 2>&1 || { status=$?; tail -n 40 "$log" >&2; return $status; }
}

say "looking for what building needs"
sh scripts/install_deps.sh

say "building graft"
mkdir -p "$build"
quiet "$build/configure.log" cmake --preset release
quiet "$build/build.log" cmake --build --preset release --target graft_cli quickstart_make_tickets
say "built $build/examples/graft"

say "getting the model"
model=${GRAFT_MODEL:-}
if [ -z "$model" ]; then
  status=0
  model=$(sh scripts/get_model.sh smollm2) || status=$?
  if [ "$status" -ne 0 ]; then
    # No registry: a small model of our own, pretrained in about a minute, takes the same path through everything.
    say "no model from the registry; making a small one instead (its answers are of that size)"
    quiet "$build/build.log" cmake --build --preset release --target example_make_tiny_model
    model=$build/tiny_model/model.gguf
    mkdir -p "$build/tiny_model"
    if [ ! -s "$model" ]; then "$build/examples/make_tiny_model" "$build/tiny_model" >&2; fi
  fi
fi
say "the model is $model"

GRAFT=$build/examples/graft MODEL=$model sh examples/quickstart/run.sh "$@"
say "done"
