#!/bin/sh
# system_packages.sh PACKAGE...: installs the Debian packages that are missing; says so where it cannot.
set -eu
missing=
for package; do
    [ "$(dpkg-query --show --showformat '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing, and only root on Debian can install:$missing" >&2
    exit 1
fi
echo "Installing$missing ..." >&2
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086
apt-get -qq install --yes --no-install-recommends $missing >/dev/null
