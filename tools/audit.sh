#!/bin/sh
# audit.sh: whether a locked version has a known vulnerability. 0: none is known; 1: some are; 2: the database did not answer.
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
    echo "The database of vulnerabilities did not answer for $lock: the result is unknown." >&2
    exit 2
done
