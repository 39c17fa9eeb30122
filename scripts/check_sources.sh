#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks what every source file must have: the licence line, #pragma once in headers, at most 500 lines, a telling name,
# nothing local to a translation unit in a header, no left-over notes.   check_sources.sh [ROOT]
set -eu
root=${1:-$(dirname "$0")/..}
cd "$root"

folders=
for folder in include src tests bench examples; do
  if [ -d "$folder" ]; then folders="$folders $folder"; fi
done
# shellcheck disable=SC2086
find $folders -type f \( -name '*.hpp' -o -name '*.tpp' -o -name '*.cpp' -o -name '*.cu' \) | LC_ALL=C sort | xargs awk '
  function complain(line, what) { printf "%s:%d: %s\n", file, line, what; bad = 1 }
  function close_file() {
    if (file == "") return
    if (lines > 500) complain(lines, "has " lines " lines; the limit is 500, and one idea fits in 250")
    else if (lines > 400) long_files = long_files " " file
    if (header && !once) complain(1, "a header needs #pragma once")
  }
  FNR == 1 {
    close_file()
    file = FILENAME; lines = 0; once = 0; ++files
    header = file ~ /\.hpp$/
    ours = file ~ /^include\//
    name = file; sub(/.*\//, "", name); sub(/\..*/, "", name)
    if (name ~ /^(utils?|helpers?|common|impl|misc|new|stuff|manager)$/) complain(1, "a name that says nothing: " name)
    if ($0 != "// SPDX-License-Identifier: Apache-2.0") complain(1, "the first line must be // SPDX-License-Identifier: Apache-2.0")
  }
  { ++lines }
  /^#pragma once/ { once = 1 }
  /TODO|FIXME/ { complain(FNR, "a left-over note: finish it or file an issue") }
  ours && /^[ \t]*namespace[ \t]*\{/ { complain(FNR, "no anonymous namespace in a header") }
  ours && /^static[ \t]/ { complain(FNR, "no static function or variable at namespace scope in a header") }
  ours && /^using namespace / { complain(FNR, "no using namespace in a header") }
  END {
    close_file()
    if (long_files != "") print "sources: over 400 lines, look for a second idea:" long_files
    if (!bad) printf "sources: %d files in order\n", files
    exit bad
  }
'
