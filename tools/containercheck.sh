#!/bin/bash
# containercheck.sh: builds the image with podman and tests it.
#
# Environment: PYTHON (python3) decides the version; WORK keeps images between runs; PORT (18000) is where it listens;
# PULL=1 takes the real base image from a registry instead of a stand-in. Needs root and the packages of --packages.
# containercheck.sh --with COMMAND ...: runs a command whose podman has the image that was built, as inkling:latest.
set -eu
if [ "${1:-}" = --packages ]; then
    echo buildah podman runc mmdebstrap netavark aardvark-dns iptables curl
    exit
fi
here=$(dirname "$(realpath "$0")")
python=${PYTHON:-python3}
work=${WORK:-/var/tmp/inkling-containercheck}
url=http://127.0.0.1:${PORT:-18000}
name=inkling-check-$$
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
base=docker.io/library/python:$version-slim

# Settings of its own, which also work where this machine is itself a container.
mkdir -p "$work"
cat > "$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$work/graph"
runroot = "$work/run"
END
cat > "$work/containers.conf" <<END
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[network]
network_backend = "netavark"
END
cat > "$work/registries.conf" <<END
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"
END
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf BUILDAH_ISOLATION=chroot
if [ "${1:-}" = --with ]; then
    shift
    exec "$@"
fi

report() { printf '%s: %s\n' "$@"; }
fail() { report FAILED "$1"; podman logs "$name" 2>&1 | tail -n 20; exit 1; }
key=
get() { curl --header "Authorization: Bearer $key" --fail --silent --show-error --max-time 10 "$@"; }
megabytes() { echo "$(($(podman image inspect --format '{{.Size}}' "$1") / 1000000)) MB"; }
run() {
    podman run --detach --timeout 900 --name "$name" --publish "${url#http://}:8000" --volume "$name:/data" --user "$user" \
        --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 2g inkling \
        >"$work/run.log" 2>&1 || { cat "$work/run.log"; fail "it does not start"; }
    for _ in $(seq 120); do
        get "$url/readyz" >/dev/null 2>&1 && return
        sleep 0.25
    done
    fail "not ready after 30 s"
}
remove() {
    podman rm --force --time 2 "$name"
    podman volume rm --force "$name"
} >/dev/null 2>&1
trap remove EXIT

if ! podman image exists "$base"; then
    if [ -n "${PULL:-}" ]; then
        podman pull --quiet "$base"
    else
        "$here/standin.sh" "$work/rootfs-$version" "$python"
        tar -C "$work/rootfs-$version" -c . | podman import --quiet --change 'ENV LANG=C.UTF-8' \
            --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
            --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' - "$base" >/dev/null
    fi
fi
podman build --quiet --network host --pull-never --format docker --build-arg "PYTHON_VERSION=$version" \
    --tag inkling "$here/.." >/dev/null
report size "$(megabytes inkling), base $(megabytes "$base")"

report extras "$(podman image inspect --format '{{index .Config.Labels "inkling.extras"}}' inkling)"
report user "$(podman image inspect --format '{{.Config.User}}' inkling)"

user=1234560000:0 # of no name, as OpenShift has them; tests of compose.yaml run as the image's own
code=0
podman run --rm --user $user --read-only --tmpfs /tmp inkling >"$work/run.log" 2>&1 || code=$?
[ "$code" = 78 ] || fail "without a key it ends with $code, not 78"
key=$(podman run --rm --volume "$name:/data" --user $user --read-only --tmpfs /tmp --cap-drop ALL inkling \
    keys create check --scope admin 2>/dev/null)
install -d -m 755 "$work/of-root"
podman run --rm --volume "$work/of-root:/data" --cap-drop ALL inkling keys create no --scope read >"$work/run.log" 2>&1 &&
    fail "it writes into a folder of root's"
report folder "$(grep -o 'chown -R 10001 its.*' "$work/run.log")"
started=$(date +%s%N)
run
report ready "after $((($(date +%s%N) - started) / 1000000)) ms"
podman logs "$name" >"$work/run.log" 2>&1
report answers "$(sed -n 's/^Inkling answers at \([^ ]*\).*/\1/p' "$work/run.log")"
grep -q 'WAL-reset' "$work/run.log" && fail "its SQLite can damage a database"
podman healthcheck run "$name" >/dev/null 2>&1 || fail "HEALTHCHECK does not pass"
report health ok
[ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/api/v1/jobs")" = 401 ] || fail "it needs no key"
report key ok
report materials "$(podman exec "$name" grep -c '"type": "library"' /opt/inkling/sbom.cdx.json)"

get "$url/api/v1/datasets/mnist/images/0.png" --output "$work/digit.png"
get "$url/api/v1/predict" --header 'Content-Type: image/png' --data-binary "@$work/digit.png" >/dev/null ||
    fail "it does not predict"
report prediction ok

job=$(get "$url/api/v1/jobs" --json '{"model": "logistic", "epochs": 1}' | "$python" -c 'import json, sys; print(json.load(sys.stdin)["id"])')
state() { get "$url/api/v1/jobs/$job" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["state"])'; }
for _ in $(seq 120); do
    [ "$(state)" = succeeded ] && break
    sleep 0.25
done
[ "$(state)" = succeeded ] || fail "it does not train"
get "$url/api/v1/jobs/$job/loss.png" >/dev/null || fail "it does not draw"
report training ok

started=$(date +%s%N)
podman stop --time 20 "$name" >/dev/null 2>&1
code=$(podman inspect "$name" --format '{{.State.ExitCode}}')
[ "$code" = 0 ] || fail "SIGTERM ends it with $code"
report stop "exit 0 after $((($(date +%s%N) - started) / 1000000)) ms"

podman rm "$name" >/dev/null 2>&1
run
[ "$(state)" = succeeded ] || fail "a new container on the same volume has lost the job"
report volume ok
