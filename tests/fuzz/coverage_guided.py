"""Fuzz the readers of `targets` with atheris, led by which branches of theirs an input reaches.

``python -m tests.fuzz.coverage_guided --runs 20000`` gives each of them 20,000 inputs, each in a process of its own,
and prints how many there were, how long it took, and what broke. Inputs that broke something are kept.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

CRASHES = Path(__file__).parent / "crashes"
"""What once broke a reader, by its target: tests read it for ever after."""

EVERY = "every"
"""The target in which the first byte of an input chooses among all others: for short runs, that import but once."""
_MAX_RSS_MB = 1024
_TIMEOUT_S = 10


class Outcome(NamedTuple):
    """What became of a run."""

    n_inputs: int
    seconds: float
    crashes: list[Path]
    log: str


def fuzz(target: str, n_runs: int, crashes: Path, *, seed: int = 1) -> Outcome:
    """Fuzz one target in a process of its own; an input that takes 10 s or 1 GiB counts as a crash too."""
    crashes.mkdir(exist_ok=True)
    known = set(crashes.iterdir())
    command = [sys.executable, "-m", __spec__.name, "--here", target, "--runs", str(n_runs), "--seed", str(seed)]
    started_s = time.monotonic()
    done = subprocess.run(
        # Through a shell, which forks: by the kernel's account, which the fuzzer goes by, a program begins with the
        # peak memory of the one that started it.
        ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command, "--crashes", str(crashes)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    seconds = time.monotonic() - started_s
    executed = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stdout)
    found = sorted(set(crashes.iterdir()) - known)
    if done.returncode and not found:
        raise RuntimeError(f"the fuzzer of {target} did not run:\n{done.stdout[-2000:]}")
    return Outcome(int(executed[-1]) if executed else 0, seconds, found, done.stdout)


def _fuzz_here(target: str, n_runs: int, crashes: Path, seed: int) -> None:
    """Fuzz in this process, which atheris ends."""
    import atheris

    with atheris.instrument_imports(include=["service", "zipfile", "tests.fuzz.targets"]):
        from tests.fuzz import targets

    read: Callable[[bytes], None]
    if target == EVERY:
        chosen = list(targets.TARGETS.values())
        seeds = [bytes([place]) + seed for place, each in enumerate(chosen) for seed in each.seeds()]
        words = tuple(word for each in chosen for word in each.words)

        def read(data: bytes) -> None:
            if data:
                chosen[data[0] % len(chosen)](data[1:])

    else:
        one = targets.PLANTED if target == "planted" else targets.TARGETS[target]
        read, seeds, words = one, one.seeds(), one.words
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed_ in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed_)
        dictionary = Path(folder) / "words"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words))
        options = {
            "runs": n_runs,
            "seed": seed,
            "max_len": max(map(len, seeds)) + 512,
            "timeout": _TIMEOUT_S,
            "rss_limit_mb": _MAX_RSS_MB,
            **({"dict": dictionary} if words else {}),
            "artifact_prefix": f"{crashes}/{target}-",
            "print_final_stats": 1,
            "verbosity": 1,
        }
        atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(corpus)], read)
        atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(rf"\x{byte:02x}" for byte in word)


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="all by default")
    parser.add_argument("--runs", type=int, default=20_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crashes", type=Path, default=CRASHES)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        _fuzz_here(options.here, options.runs, options.crashes, options.seed)
    from tests.fuzz.targets import TARGETS

    n_inputs, n_crashes, started_s = 0, 0, time.monotonic()
    for target in options.targets or TARGETS:
        outcome = fuzz(target, options.runs, options.crashes, seed=options.seed)
        n_inputs, n_crashes = n_inputs + outcome.n_inputs, n_crashes + len(outcome.crashes)
        print(
            f"{target:10} {outcome.n_inputs:10,} inputs {outcome.seconds:8.1f} s {len(outcome.crashes):3} crashes",
            flush=True,
        )
        for crash in outcome.crashes:
            print(f"  {crash.name}\n{outcome.log[-1500:]}")
    print(f"{'together':10} {n_inputs:10,} inputs {time.monotonic() - started_s:8.1f} s {n_crashes:3} crashes")
    return 1 if n_crashes else 0


if __name__ == "__main__":
    sys.exit(main())
