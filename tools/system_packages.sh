#!/bin/sh
# system_packages.sh [left-out]: brings what the tests need of the system beside Python.
#
# Root on Debian gets the packages installed. Anybody else reads which are missing and the line that installs them; the
# tests that need them are left out then, and named at the end of the run by tests/left_out.py, which calls it with `left-out`:
# one line for each row of the table that is not met. With CI=true nothing may be left out: exit code 1.
set -eu

# mark of the tests | what is left out without it | programs and files | Debian packages
table() {
    cat <<END
browser|the page and the documentation in a browser|chromium-headless-shell /usr/lib/*/libatomic.so.1|chromium-headless-shell libatomic1 fonts-dejavu-core
strace|devices that fail, and the order of writes on the disk|strace|strace
faketime|clocks that jump|/usr/lib/*/faketime/libfaketimeMT.so.1|libfaketime
mounts|full and read-only disks|unshare mount|util-linux mount
promtool|the alerts, dashboards and configuration of Prometheus|promtool|prometheus
openssl|a Dask cluster with TLS|openssl|openssl
pgbouncer|PostgreSQL behind PgBouncer|pgbouncer|pgbouncer
proxy|the examples for nginx and Caddy|nginx caddy openssl|nginx-light caddy openssl
curl|the commands that the documentation shows|curl|curl ca-certificates
container|the container image, alone and with compose|podman buildah runc mmdebstrap iptables curl /usr/lib/podman/netavark /usr/lib/podman/aardvark-dns root|podman buildah runc mmdebstrap iptables curl netavark aardvark-dns
END
}

lacking() {
    for each; do
        case $each in
            root) [ "$(id -u)" = 0 ] || echo root ;;
            # shellcheck disable=SC2086
            /*) ls $each >/dev/null 2>&1 || basename "$each" ;;
            *) command -v "$each" >/dev/null || echo "$each" ;;
        esac
    done
}

left_out() {
    table | while IFS='|' read -r mark suite needs packages; do
        # shellcheck disable=SC2086
        lacks=$(lacking $needs | tr '\n' ' ')
        [ -z "$lacks" ] || echo "$mark|$suite|${lacks% }|$packages"
    done
}

# The packages of what is left out; no package brings root.
packages() { left_out | grep -v '|root|' | cut -d '|' -f 4 | tr ' ' '\n' | sort -u | tr '\n' ' '; }

PATH=$PATH:/usr/sbin:/sbin
if [ "${1:-}" = left-out ]; then
    left_out
    exit
fi

missing=$(packages)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing $missing..." >&2
    log=$(mktemp)
    # shellcheck disable=SC2086
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing; } \
        >"$log" 2>&1 </dev/null || cat "$log" >&2
    rm "$log"
    missing=$(packages)
fi
[ -n "$(left_out)" ] || exit 0
{
    echo "These tests will be left out, for lack of"
    left_out | while IFS='|' read -r _ suite lacks _; do echo "  - $suite: $(echo "$lacks" | sed 's/ /, /g')"; done
    [ -z "$missing" ] ||
        echo "As root on Debian, this brings them: apt-get install --no-install-recommends ${missing% }"
} >&2
if [ -n "${CI:-}" ]; then
    echo "With CI set, nothing may be left out." >&2
    exit 1
fi
