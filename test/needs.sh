#!/usr/bin/env bash
# Checks that the programs of test/tools.txt are there, and names those that are not. It installs nothing, unless
# SLUICE_TEST_INSTALL=1 asks for it: then, as root on Debian, what is missing is installed.
set -uo pipefail

packages=()
while read -r command package use; do
  [[ -z $command || $command == '#'* ]] && continue
  command -v "$command" >/dev/null && continue
  packages+=("$package")
  echo "The tests need $command (Debian package $package): $use." >&2
done <"${BASH_SOURCE[0]%/*}/tools.txt"
[ ${#packages[@]} = 0 ] && exit 0

if [ "${SLUICE_TEST_INSTALL:-}" != 1 ]; then
  echo 'Install them, or run as root on Debian with SLUICE_TEST_INSTALL=1 to have them installed.' >&2
  exit 1
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo 'SLUICE_TEST_INSTALL=1 installs them only as root on Debian.' >&2
  exit 1
fi
apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"
