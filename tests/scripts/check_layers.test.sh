#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_layers.sh must refuse each of these trees, name the line, and accept the last one.
set -eu
check=$(cd "$(dirname "$0")/../../scripts" && pwd)/check_layers.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
status=0

# expect VERDICT FILE INCLUDE-LINE SENTENCE
expect() {
  rm -rf "$tree/include"; mkdir -p "$tree/include/graft/core" "$tree/include/graft/$(dirname "$2")"
  printf '#pragma once\n' >"$tree/include/graft/core/scalar.hpp"
  printf '#pragma once\n%s\n' "$3" >"$tree/include/graft/$2"
  verdict=accepts
  output=$(sh "$check" "$tree" 2>&1) || verdict=refuses
  case $output in *"$4"*) ;; *) verdict="$verdict, but without '$4'" ;; esac
  if [ "$verdict" != "$1" ]; then
    echo "$2 with $3: wanted '$1', got '$verdict': $output"; status=1
  fi
}

expect refuses core/arena.hpp '#include <graft/nn/linear.hpp>' 'core/arena.hpp:2: core (rank 0) may not include nn (rank 4)'
expect refuses quant/nf4.hpp '#include <graft/loss/dpo.hpp>' 'quant (rank 1) may not include loss (rank 1)'
expect refuses adapter/lora.tpp '#  include <graft/optim/adamw.hpp>' 'adapter (rank 3) may not include optim (rank 3)'
expect refuses io/gguf.hpp '#include <graft/train/train.hpp>' 'io (rank 6) may not include train (rank 7)'
expect refuses nn/linear.hpp '#include <graft/graft.hpp>' 'the umbrella graft.hpp is for users'
expect refuses nn/linear.hpp '#include <graft/interop/eigen.hpp>' 'interop is a leaf'
expect refuses nn/linear.hpp '#include "rope.hpp"' 'nn/linear.hpp:2: write #include <graft/…>'
expect refuses nn/linear.hpp '#include <graft/nn/../train/train.hpp>' 'a path with dots'
expect refuses nn/linear.hpp '#include <graft/extras/x.hpp>' 'the folder extras has no rank'
expect refuses extras/x.hpp '#include <graft/core/scalar.hpp>' 'the folder extras has no rank'
expect refuses fwd.hpp '#include <graft/nn/linear.hpp>' 'fwd.hpp may include no folder'
expect accepts train/train.hpp '#include <graft/io/gguf.hpp>' '2 files'
expect accepts backend/eigen.tpp '#include <graft/quant/q4_1.hpp>' '2 files'
expect accepts data/chat.hpp '#include <graft/text/tokenizer.hpp>' '2 files'
expect accepts interop/eigen.hpp '#include <graft/train/train.hpp>' '2 files'
expect accepts nn.hpp '#include <graft/nn/linear.hpp>' '2 files'
expect accepts nn/linear.hpp '#include <graft/config.hpp>' '2 files'
expect accepts core/view.hpp '#include <graft/core/scalar.hpp>' '2 files'
exit $status
