#!/bin/sh
# lock.sh [--upgrade]: writes requirements/*.txt from pyproject.toml, with hashes, for every platform and Python at once.
# They contain no index and no path, so they are the same wherever they are made.
set -eu
cd "$(dirname "$0")/.."
uv=${VENV:-.venv}/bin/uv
[ -x "$uv" ] || uv=uv
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@"
}
# build: what installs the others. run: the service, with the database, store and cluster that several machines share.
compile "$@" --group pyproject.toml:install --output-file requirements/build.txt
compile "$@" pyproject.toml --extra postgresql --extra objects --extra dask --output-file requirements/run.txt
compile "$@" pyproject.toml --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
# Too heavy for every environment: the tests of the extras install these in a folder of their own, over dev.txt.
compile "$@" --group pyproject.toml:extras --constraint requirements/dev.txt --output-file requirements/extras.txt
# The S3-compatible server of the tests wants other versions than everything else.
compile "$@" --group pyproject.toml:s3 --output-file requirements/s3.txt
