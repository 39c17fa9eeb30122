#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What including graft costs: seconds and peak memory of compiling translation units, against the budgets in budgets.txt.
#   run.sh [NAME…]     without names: every umbrella header, fwd.hpp, and the programs that budgets.txt names
# Environment: CXX (g++), CXXFLAGS (-O2), GRAFT_COMPILE_SLACK (1): a factor on the budgets of seconds, for a slower machine.
# Exit status 1: a budget is broken, or a unit does not compile.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
budgets=$here/budgets.txt
cxx=${CXX:-g++}
slack=${GRAFT_COMPILE_SLACK:-1}
[ -x /usr/bin/time ] || { echo "run.sh: /usr/bin/time is needed (Debian: apt-get install time)" >&2; exit 2; }

flags="-std=c++20 ${CXXFLAGS:--O2} -fopenmp -I$root/include -isystem /usr/include/eigen3"
[ -f /usr/include/dnnl.hpp ] && flags="$flags -DGRAFT_WITH_ONEDNN=1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The units: "name file mode" a line. An umbrella gets a unit that includes it and nothing else.
units() {
  for header in "$root"/include/graft/*.hpp; do
    name=$(basename "$header" .hpp)
    printf '// %s\n#include <graft/%s.hpp>\n' "$name" "$name" >"$work/$name.cpp"
    printf '%s.hpp %s headers\n' "$name" "$work/$name.cpp"
  done
  awk '!/^#/ && NF { print $1 }' "$budgets" | while read -r name; do
    case $name in
      *.cpp) printf '%s %s headers\n' "$name" "$root/$name" ;;
      *.cpp+compiled) printf '%s %s compiled\n' "$name" "$root/${name%+compiled}" ;;
    esac
  done
}

echo "$($cxx --version | head -n 1), $flags"
printf '%-40s %9s %9s %9s %9s  %s\n' unit seconds budget MB budget verdict
status=0
units >"$work/units"
while read -r name file mode; do
  if [ $# -gt 0 ]; then
    case " $* " in *" $name "*) ;; *) continue ;; esac
  fi
  if [ ! -f "$file" ]; then printf '%-40s %s\n' "$name" "no such file yet"; continue; fi
  define=
  [ "$mode" = headers ] || define=-DGRAFT_COMPILED
  # shellcheck disable=SC2086
  if ! /usr/bin/time -f '%e %M' -o "$work/time" $cxx $flags $define -c "$file" -o "$work/unit.o" 2>"$work/errors"; then
    printf '%-40s does not compile\n' "$name"; head -n 5 "$work/errors"; status=1; continue
  fi
  tail -n 1 "$work/time" | awk -v name="$name" -v slack="$slack" -v budgets="$budgets" '{
    while ((getline line < budgets) > 0) { split(line, field, " "); if (field[1] == name) { seconds = field[2] * slack; mb = field[3] } }
    megabytes = $2 / 1024; verdict = "ok"
    if (seconds == "") { verdict = "no budget"; seconds = mb = "-" }
    else if ($1 > seconds || megabytes > mb) verdict = "OVER"
    printf "%-40s %9.2f %9s %9.0f %9s  %s\n", name, $1, seconds, megabytes, mb, verdict
    exit verdict == "OVER"
  }' || status=1
done <"$work/units"
exit $status
