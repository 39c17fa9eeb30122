#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the #include lines of include/graft against the layers (docs/design/decisions/0001-layer-ranks.md):
# a file includes its own folder and folders of lower rank.   check_layers.sh [ROOT]
set -eu
root=${1:-$(dirname "$0")/..}
cd "$root/include/graft"

find . -type f \( -name '*.hpp' -o -name '*.tpp' \) | LC_ALL=C sort | xargs awk '
  BEGIN {
    ranks = "core=0 quant=1 loss=1 text=1 dist=1 backend=2 data=2 adapter=3 optim=3 nn=4 model=5 io=6 train=7"
    n = split(ranks, pairs, " ")
    for (i = 1; i <= n; ++i) { split(pairs[i], pair, "="); rank[pair[1]] = pair[2] }
    # Files beside the folders that any folder may include; the others there are umbrellas, made for users.
    open["config.hpp"] = open["version.hpp"] = open["fwd.hpp"] = 1
  }
  function complain(what) { printf "%s:%d: %s\n", file, FNR, what; bad = 1 }
  FNR == 1 {
    file = FILENAME; sub(/^\.\//, "", file)
    folder = file; if (!sub(/\/.*/, "", folder)) folder = ""
    if (folder != "" && folder != "interop" && !(folder in rank)) complain("the folder " folder " has no rank")
    ++files
  }
  /^[ \t]*#[ \t]*include[ \t]*"/ { complain("write #include <graft/…>, not \"…\"") }
  /^[ \t]*#[ \t]*include[ \t]*<graft\// {
    target = $0; sub(/^[^<]*<graft\//, "", target); sub(/>.*/, "", target)
    to = target; if (!sub(/\/.*/, "", to)) to = ""
    if (target ~ /(^|\/)\.\.?\//) complain("a path with dots: " target)
    if (folder == "" && !(file in open)) next
    if (file == "fwd.hpp" && to == "core") next  # the vocabulary that declarations are made of
    if (file in open && to != "") { complain(file " may include no folder: " target); next }
    if (to == "") {
      if (!(target in open)) complain("the umbrella " target " is for users, not for graft itself")
    } else if (to == "interop") {
      if (folder != "interop") complain("interop is a leaf, nobody inside includes it: " target)
    } else if (!(to in rank)) {
      complain("the folder " to " has no rank")
    } else if (folder != "interop" && to != folder && rank[to] >= rank[folder]) {
      complain(folder " (rank " rank[folder] ") may not include " to " (rank " rank[to] "): " target)
    }
  }
  END { if (!bad) printf "layers: %d files, all includes go down\n", files; exit bad }
'
