"""Nothing acknowledged is lost, whenever and however the service dies; and these tests would notice if it were."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.failpoints import GAPS
from tests.chaos.storm import Storm
from tests.chaos.supervisor import Nest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "10"))
AuditStorm = Callable[[Storm], list[str]]


def test_a_kill_in_every_gap_of_the_order_of_writes(nest: Nest, tmp_path: Path, seed: int, audit: AuditStorm) -> None:
    print(f"\nseed {seed}, {len(GAPS)} gaps")
    storm = Storm(nest, tmp_path, seed)
    storm.blow(GAPS * max(1, ROUNDS // 100))
    assert audit(storm) == []
    assert {gap for gap in GAPS if not storm.gaps[gap]} == set(), "gaps that no round came to"


def test_kills_at_random_moments(nest: Nest, tmp_path: Path, seed: int, audit: AuditStorm) -> None:
    print(f"\nseed {seed}, {ROUNDS} rounds")
    storm = Storm(nest, tmp_path, seed)
    storm.blow(random_rounds=ROUNDS)
    assert audit(storm) == []
    assert storm.ledger.counts["jobs acknowledged"] > ROUNDS


@pytest.mark.parametrize(
    ("fault", "gaps", "broken"),
    [
        ("row_before_file", ["succeeded:committed"], "names a version that is not there"),
        ("written_in_place", ["manifest:torn", "alias:torn"], "does not load"),
    ],
)
def test_the_loop_catches_a_service_that_writes_in_another_order(
    nest: Nest, tmp_path: Path, seed: int, audit: AuditStorm, fault: str, gaps: list[str], broken: str
) -> None:
    print(f"\n{fault}")
    storm = Storm(nest, tmp_path, seed, faults=[fault])
    storm.blow(gaps)
    assert any(broken in violation for violation in audit(storm))
