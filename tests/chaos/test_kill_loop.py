"""Nothing acknowledged is lost, whenever and however the service dies; and these tests would notice if it were."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.failpoints import GAPS
from tests.chaos.fault_load import FaultLoad
from tests.chaos.supervisor import ForkServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "4"))
IS_SUITE = "CHAOS_ROUNDS" not in os.environ
AuditLoad = Callable[[FaultLoad], list[str]]


def test_a_kill_in_every_gap_of_the_order_of_writes(
    fork_server: ForkServer, tmp_path: Path, seed: int, audit: AuditLoad, url: str
) -> None:
    gaps = GAPS * max(1, ROUNDS // 100)
    if IS_SUITE:  # every fourth one, half of these on each kind of database
        gaps = GAPS[seed % 4 + 4 * url.startswith("postgresql") :: 8]
    print(f"\nseed {seed}, {len(gaps)} gaps")
    load = FaultLoad(fork_server, tmp_path, seed, url=url)
    load.run(gaps)
    assert audit(load) == []
    assert {gap for gap in gaps if not load.gaps[gap]} == set(), "gaps that no round came to"


def test_kills_at_random_moments(
    fork_server: ForkServer, tmp_path: Path, seed: int, audit: AuditLoad, url: str
) -> None:
    """Of one process, or of one or all of a supervisor with two web processes."""
    print(f"\nseed {seed}, {ROUNDS} rounds")
    load = FaultLoad(fork_server, tmp_path, seed, url=url)
    load.run(random_rounds=ROUNDS)
    assert audit(load) == []
    assert load.ledger.counts["jobs acknowledged"] > ROUNDS


@pytest.mark.parametrize(
    ("fault", "gaps", "broken"),
    [
        ("row_before_file", ["succeeded:committed"], "names a version that is not there"),
        ("written_in_place", ["manifest:torn", "alias:torn"], "does not load"),
    ],
)
def test_the_loop_catches_a_service_that_writes_in_another_order(
    fork_server: ForkServer, tmp_path: Path, seed: int, audit: AuditLoad, fault: str, gaps: list[str], broken: str
) -> None:
    print(f"\n{fault}")
    load = FaultLoad(fork_server, tmp_path, seed, faults=[fault])
    load.run(gaps)
    assert any(broken in violation for violation in audit(load))
