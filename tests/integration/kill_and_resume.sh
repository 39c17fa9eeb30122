# SPDX-License-Identifier: Apache-2.0
# To be sourced: the loop that the resume tests share.
#   kill_and_resume FIRST LONGER OUTPUT COMMAND…   runs `COMMAND… OUTPUT [--resume]`, a function that becomes the program by exec, so that a
# kill hits the program itself; kills it with SIGKILL after FIRST seconds and a little, each try LONGER seconds later than the one
# before, so that the run gets to its end, and dies wherever that is. Sets `kills`. Standard error goes to OUTPUT.log.
kill_and_resume() {
  first=$1 longer=$2 into=$3; shift 3
  kills=0
  resume=
  while :; do
    "$@" "$into" $resume >/dev/null 2>"$into.log" &
    child=$!
    sleep "$(awk -v k=$kills -v a="$first" -v b="$longer" 'BEGIN { srand(); printf "%.3f", a + b * k + 0.2 * rand() }')"
    if ! kill -9 $child 2>/dev/null; then
      wait $child || { cat "$into.log"; exit 1; }
      break
    fi
    wait $child 2>/dev/null || true
    kills=$((kills + 1))
    # A folder with .tmp- in its name is a checkpoint that the kill cut short.
    ls -d "$into"/checkpoint-*[0-9] 2>/dev/null | grep -qv "[.]tmp-" && resume=--resume || resume=
    [ $kills -lt 200 ] || { echo "$0: the run never ends"; exit 1; }
  done
  [ $kills -gt 0 ] || { echo "$0: the run ended before it could be killed"; exit 1; }
}
