#!/bin/sh
# environment.sh run|dev: installs into .venv what the lock files list; takes milliseconds when it is there already.
#
# PYTHON names the interpreter to build it from (python3), VENV the folder (.venv). Every package is checked against
# the hashes in requirements/*.txt. uv does the work where it can be installed, pip otherwise.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
venv=${VENV:-.venv}
kind=${1:-run}
case $kind in
    run) lock=requirements/run.txt ;;
    dev) lock=requirements/dev.txt ;;
    *) echo "usage: $0 run|dev" >&2; exit 2 ;;
esac

key() { echo "$PWD $(cat pyproject.toml requirements/build.txt "$1" | cksum)"; }
is_ready() { [ -x "$venv/bin/inkling" ] && [ "$(cat "$venv/ready-for-$kind" 2>/dev/null)" = "$(key "$lock")" ]; }
stop() { printf '\n%s\n\n' "$@" >&2; exit 1; }

is_ready && exit 0

command -v "$python" >/dev/null || stop "Inkling needs Python 3.11 or later, and there is no $python.
On Debian: apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "Inkling needs Python 3.11 or later, and $python is $("$python" -V 2>&1).
Name another one: make PYTHON=python3.12 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null || stop "This $python cannot make virtual environments.
On Debian: apt-get install python3-venv"

echo "Setting up $venv: half a minute, this once ..." >&2
rm -f "$venv/ready-for-run" "$venv/ready-for-dev"
"$venv/bin/python" -c 'import pip' 2>/dev/null || "$python" -m venv --clear "$venv"

# Trust the certificates of the system, as pip does: a proxy may have one of its own.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
pip() { "$venv/bin/python" -m pip "$@"; }
if pip install -qq --only-binary :all: --require-hashes -r requirements/build.txt 2>/dev/null; then
    uv() { "$venv/bin/uv" pip "$@" --quiet --python "$venv/bin/python"; }
    uv install --require-hashes -r "$lock"
    uv install --no-deps --no-build-isolation --editable .
else
    echo "uv cannot be had here; pip takes a little longer ..." >&2
    pip install -qq --require-hashes -r "$lock"
    pip install -qq --no-deps --editable .
fi

key requirements/run.txt > "$venv/ready-for-run"
[ "$kind" = run ] || key "$lock" > "$venv/ready-for-dev"
