#!/bin/sh
# audit.sh: whether a locked version has a known hole. 0: none is known; 1: there are some; 2: nobody could be asked.
set -u
cd "$(dirname "$0")/.."
report=$(mktemp)
trap 'rm -f "$report"' EXIT
for lock in requirements/*.txt; do
    "${VENV:-.venv}/bin/uv" tool run --quiet --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes \
        --progress-spinner off --requirement "$lock" >"$report" 2>&1
    code=$?
    cat "$report"
    [ "$code" = 0 ] && continue
    grep -q '^Found [0-9]* known vulnerabilit' "$report" && exit 1
    echo "The database of vulnerabilities could not be asked about $lock: nothing is known, good or bad." >&2
    exit 2
done
