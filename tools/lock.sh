#!/bin/sh
# lock.sh [--upgrade]: writes requirements*.txt from pyproject.toml, with hashes, for every platform and Python at once.
# No index and no path gets into them, so they say the same wherever they are made.
set -eu
cd "$(dirname "$0")/.."
uv=${VENV:-.venv}/bin/uv
[ -x "$uv" ] || uv=uv
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@"
}
compile "$@" --group pyproject.toml:install --output-file requirements-build.txt
compile "$@" pyproject.toml --output-file requirements.txt
compile "$@" pyproject.toml --group dev --constraint requirements.txt --output-file requirements-dev.txt
# In the container: what several machines need is there at once.
compile "$@" pyproject.toml --extra postgresql --extra objects --extra dask --constraint requirements-dev.txt \
    --output-file requirements-container.txt
# The S3-compatible server of the tests wants other versions than everything else.
compile "$@" --group pyproject.toml:s3 --output-file requirements-s3.txt
# Too heavy for every environment: the tests of the extras make one of their own.
compile "$@" --group pyproject.toml:extras --constraint requirements-dev.txt --output-file requirements-extras.txt
