# Inkling's commands. `make` alone lists them.

export VENV ?= .venv
BIN = $(VENV)/bin

# A second start is fast because the first one leaves its bytecode behind, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test fast long chaos fuzz packages check format docs site lock audit sbom bench clean
.NOTPARALLEL:

PYTEST = $(BIN)/python -P -m pytest
# One more than there are cores, since many tests wait for processes that they have started; two more take as long.
SIDE_BY_SIDE = -q -n $(shell expr $$(nproc) + 1) --maxprocesses 6

# What tests write ends with them: in memory, if there is much of it, nobody waits for a disk.
IN_MEMORY = $(shell [ -w /dev/shm ] && ! grep -q '/dev/shm .*noexec' /proc/mounts && \
    [ $$(df -k --output=avail /dev/shm | tail -n 1) -gt 8000000 ] && echo /dev/shm || echo $${TMPDIR:-/tmp})
test fast long: export TMPDIR = $(IN_MEMORY)

help:  ## list these commands
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run:  ## set everything up and start the service; ARGS="--port 9000" adds options
	@tools/environment.sh run
	@exec $(BIN)/inkling serve $(ARGS)

test: packages check  ## run the checks and every test; root gets the system packages that tests need installed
	@$(PYTEST) $(SIDE_BY_SIDE) $(ARGS)

fast:  ## run the tests without the slow ones
	@tools/environment.sh dev
	@$(PYTEST) $(SIDE_BY_SIDE) -m "not slow and not long" $(ARGS)

long: packages  ## run what shows more the longer it runs
	@tools/environment.sh dev
	@$(PYTEST) $(SIDE_BY_SIDE) -m long $(ARGS)
	@$(MAKE) --no-print-directory chaos ROUNDS=200
	@$(MAKE) --no-print-directory fuzz bench

chaos: export CHAOS_ROUNDS = $(or $(ROUNDS),25)
chaos: export CHAOS_SEED = $(or $(SEED),1)
chaos: export CHAOS_DATABASE = $(or $(DATABASE),sqlite)
chaos:  ## kill the service, fill its disk, change its clock, and count what is lost; ROUNDS=200 for the long run, SEED=2, DATABASE=postgresql
	@tools/environment.sh dev
	@$(PYTEST) tests/chaos -s $(ARGS)

fuzz:  ## give every reader 25,000 inputs, then the API ten minutes of requests
	@tools/environment.sh dev
	@$(BIN)/python -m tests.fuzz.coverage_guided --runs 25000
	@$(BIN)/python -m tests.fuzz.api --seconds 600

packages:
	@tools/system_packages.sh

# To collect the tests shows that they can be imported, and compiles them before several processes do it at once.
check:  ## lint, format, types, layers and generated pages; types and lint of the page's modules
	@tools/environment.sh dev
	@printf '%s\n' 'mypy --no-error-summary' \
	    'python -P -m pytest --collect-only -qq >$(VENV)/collected || { tail -n 50 $(VENV)/collected; exit 1; }' \
	    'lint-imports --no-logo' 'python -P docs/generate.py --check' \
	    'ruff check --quiet .' 'ruff format --quiet --check .' 'deno lint --quiet' \
	    'deno check --quiet service/web/static/page/main.js' | DENO_DIR=$(VENV)/deno xargs -P 2 -I CHECK sh -c '$(BIN)/CHECK'

format:  ## fix what ruff can fix
	@tools/environment.sh dev
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

docs:  ## write the pages that are made from tables in the code
	@tools/environment.sh run
	@$(BIN)/python -P docs/generate.py

site:  ## build the documentation into build/site, to be read offline
	@tools/environment.sh dev
	@$(BIN)/python -P tools/build_site.py

lock:  ## write the requirement locks from pyproject.toml; ARGS="--upgrade" takes newer releases
	@tools/environment.sh run
	@tools/lock.sh $(ARGS)

audit:  ## ask a public database whether a locked version has a known vulnerability
	@tools/environment.sh run
	@tools/audit.sh

sbom:  ## write dist/sbom.cdx.json, the bill of materials of what is installed to run the service
	@VENV=.venv-sbom tools/environment.sh run
	@mkdir -p dist
	@.venv-sbom/bin/python -P tools/sbom.py .venv-sbom > dist/sbom.cdx.json
	@rm -r .venv-sbom
	@echo "Wrote dist/sbom.cdx.json."

bench: BENCH_VENV ?= .venv-bench
bench: RESULTS = benchmarks/results
bench:  ## measure training, serving and jobs beside others on a quiet machine, into benchmarks/results; ARGS="--quick" to try
	@VENV=$(BENCH_VENV) tools/environment.sh run
	@echo '*' > $(BENCH_VENV)/.gitignore
	@$(BENCH_VENV)/bin/python -m pip install --quiet --no-build-isolation --editable '.[bench]'
	@for claim in single sweep growth network digits; do \
	    $(BENCH_VENV)/bin/python -m benchmarks.training $$claim $(ARGS) \
	        --json $(RESULTS)/training-$$claim.json --picture $(RESULTS)/training-$$claim.png || exit 1; \
	done
	@for claim in serving serving_peers web_workers latency jobs; do \
	    $(BENCH_VENV)/bin/python -m benchmarks.$$claim $(ARGS) \
	        --json $(RESULTS)/$$claim.json --picture $(RESULTS)/$$claim.png || exit 1; \
	done

clean:  ## remove the virtual environment and what tools have left behind
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
