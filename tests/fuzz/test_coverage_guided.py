"""A short share of the coverage-guided fuzzing, and everything that the long runs ever found."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.coverage_guided import CRASHES, EVERY, fuzz
from tests.fuzz.targets import TARGETS

needs_atheris = pytest.mark.skipif(not find_spec("atheris"), reason="atheris has no release for this system")


@pytest.mark.parametrize("name", TARGETS)
def test_most_seeds_are_read(name: str) -> None:
    """A fuzzer that begins with files which are refused at once sees little of a reader."""
    target = TARGETS[name]
    n_read = 0
    for seed in target.seeds():
        target(seed)
        try:
            target.read(seed)
        except target.refuses:
            continue
        n_read += 1
    assert n_read >= 0.6 * len(target.seeds())


def test_what_once_broke_a_reader_is_read_or_refused() -> None:
    """Files are called by their target, what happened and a digest, as the fuzzer left them."""
    for path in CRASHES.glob("*-*-*"):
        TARGETS[path.name.rsplit("-", 2)[0]](path.read_bytes())


@pytest.mark.slow
@needs_atheris
def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    outcome = fuzz("planted", 200_000, tmp_path)
    assert [path.read_bytes()[:3] for path in outcome.crashes] == [b"dig"]


@pytest.mark.slow
@needs_atheris
def test_nothing_breaks_a_reader(tmp_path: Path) -> None:
    outcome = fuzz(EVERY, 3_000, tmp_path)
    assert outcome.crashes == [], outcome.log[-3000:]
    assert outcome.n_inputs >= 3_000
