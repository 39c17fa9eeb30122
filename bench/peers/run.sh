#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# graft beside PEFT, torch, TRL and llama.cpp on this machine:  run.sh [--quick] [--only NAME]… (run.sh --help says the rest)
# Environment: GRAFT_PEERS_VENV, a Python environment with requirements.txt; without it one is made in build/peers/venv.
# llama.cpp takes part where llama-cpp-python is installed too: it is compiled from source, so that is left to you.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${GRAFT_PEERS_VENV:-$root/build/peers/venv}
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
exec "$venv/bin/python" "$here/run.py" "$@"
