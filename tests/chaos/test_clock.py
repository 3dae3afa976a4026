"""A clock that jumps neither loses a job nor runs one twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.registry import Registry
from service.stores import LocalStore
from tests.chaos.client import LONG, TINY
from tests.chaos.supervisor import program
from tests.jobs.job_system import eventually
from tests.web.serving import wait_until_over

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("faketime"),
]


def test_a_clock_that_jumps_by_days_loses_and_doubles_nothing(
    tmp_path: Path, weights_of: Callable[[Mapping[str, Any]], str]
) -> None:
    """Forward past every lease, and back behind the start of the job, while one trains and another waits."""
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    environment = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }
    data = tmp_path / "data"
    with (
        program(data, environment=environment) as service,
        httpx.Client(base_url=f"{service.url}/api/v1", timeout=30) as client,
    ):
        running, waiting = (
            client.post("/jobs", json={**body, "name": "alpha"}).raise_for_status().json()["id"]
            for body in ({**LONG, "epochs": 10_000}, TINY)
        )

        def step() -> int:
            latest = client.get(f"/jobs/{running}").json()["metrics"]["latest"]
            return latest["step"] if latest else -1

        def day() -> date:
            return parsedate_to_datetime(client.get("/jobs?limit=1").headers["Date"]).date()

        now = day()
        for jump in (2, -2):
            clock.write_text(f"{jump:+}d\n")
            eventually(lambda: day() == now + timedelta(days=jump))  # noqa: B023
            before = step()
            eventually(lambda: step() > before)  # noqa: B023
        client.post(f"/jobs/{running}/cancel").raise_for_status()
        cancelled, succeeded = (wait_until_over(client, job_id) for job_id in (running, waiting))
        assert [move["state"] for move in cancelled["history"]] == ["queued", "running", "cancelling", "cancelled"]
        assert [move["state"] for move in succeeded["history"]] == ["queued", "running", "succeeded"]
        assert service.log.read_text() == ""
    registry = Registry(LocalStore(data / "model_store"))
    assert registry.versions("alpha") == (1, 2)
    assert registry.load("alpha", 1).manifest.job_id == running
    assert registry.load("alpha", 2).manifest.weights_sha256 == weights_of(succeeded["config"])
