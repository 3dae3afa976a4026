"""Fuzz the whole API with schemathesis, led by its own OpenAPI description.

``python -m tests.fuzz.api --seconds 600`` starts a service and asks every operation, alone and in sequences that follow
from each other's answers: no answer may be a 5xx, have an undocumented status or media type, or break its schema, and
what the description forbids must be refused.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.security.server import Server, running

ROOT = Path(__file__).parents[2]
ALONE = "examples,coverage,fuzzing"
IN_SEQUENCE = "stateful"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


class Outcome(NamedTuple):
    """What became of a run."""

    n_cases: int
    failed: bool
    report: str


def a_key(server: Server) -> str:
    """Make a key that may do everything; from then on the service asks for one."""
    command = [sys.executable, "-m", "service", "keys", "create", "fuzz", "--scope", "admin"]
    made = subprocess.run(
        [*command, "--data-dir", str(server.log.parent)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


def fuzz(server: Server, key: str, phases: str, max_s: int, *, seed: int = 1) -> Outcome:
    """Fuzz a running service for so long."""
    command = [
        *(sys.executable, "-P", "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
        *("run", f"{server.url}/openapi.json", "--checks", "all", "--phases", phases, "--max-time", str(max_s)),
        # One worker: two at a time, in threads, made CPython 3.11 fail when it parsed their source.
        *("--seed", str(seed), "--workers", "1", "--request-timeout", "60", "--continue-on-failure", "--no-color"),
        *("-H", f"Authorization: Bearer {key}"),
    ]
    # In a folder of its own, where it finds no settings and leaves its database of examples.
    done = subprocess.run(command, cwd=server.log.parent, capture_output=True, text=True, check=False)
    counted = re.search(r"([\d,]+) generated", done.stdout)
    n_cases = int(counted[1].replace(",", "")) if counted else 0
    return Outcome(n_cases, done.returncode != 0, done.stdout + done.stderr)


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as server,
    ):
        key = a_key(server)
        for phases in (ALONE, IN_SEQUENCE):
            outcome = fuzz(server, key, phases, options.seconds // 2, seed=options.seed)
            failed |= outcome.failed
            print(f"{phases}: {outcome.n_cases:,} requests{', FAILED' if outcome.failed else ''}", flush=True)
            if outcome.failed:
                print(outcome.report)
        n_tracebacks = server.log.read_text().count("Traceback")
        print(f"{n_tracebacks} tracebacks in the log")
    return 1 if failed or n_tracebacks else 0


if __name__ == "__main__":
    sys.exit(main())
