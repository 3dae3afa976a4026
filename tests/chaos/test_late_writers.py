"""An engine that was frozen, lost its job to another, and wakes up changes nothing any more."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.registry import Registry
from service.stores import LocalStore
from tests.chaos.client import LONG
from tests.chaos.supervisor import ForkServer, Served, attempt
from tests.jobs.job_system import eventually
from tests.web.serving import wait_until_over

pytestmark = [pytest.mark.slow]

LONGER = {**LONG, "epochs": 400, "name": "alpha"}
ONE_LOSS = ["queued", "running"] * 2 + ["succeeded"]


def suspend_until_expired(holder: Served, folder: Path, job_id: str) -> None:
    """Freeze an engine, and let its lease on a job run out without waiting for it."""

    def expired() -> bool:
        holder.send(signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(folder / "inkling.db", timeout=0.1)) as connection, connection:
                changed = connection.execute("UPDATE jobs SET lease_expires_at_s = 0 WHERE id = ?", (job_id,))
                return changed.rowcount == 1
        except sqlite3.OperationalError:  # frozen in the middle of a transaction
            holder.send(signal.SIGCONT)
            return False

    eventually(expired)


def resume_too_late(
    fork_server: ForkServer, folder: Path, faults: Sequence[str], *, lose_worker: bool
) -> dict[str, Any]:
    """Freeze the engine that trains a job until another one has taken the job over; return what becomes of it."""
    holder = fork_server.start(folder, faults=["leases", *faults])
    other: Served | None = None
    try:
        with httpx.Client(base_url=f"{holder.url}/api/v1", timeout=30) as client:
            job_id = client.post("/jobs", json=LONGER).raise_for_status().json()["id"]
            eventually(lambda: client.get(f"/jobs/{job_id}").json()["metrics"]["latest"])
        other = fork_server.start(folder, faults=["leases", *faults])
        with httpx.Client(base_url=f"{other.url}/api/v1", timeout=30) as client:
            suspend_until_expired(holder, folder, job_id)
            eventually(lambda: len(client.get(f"/jobs/{job_id}").json()["history"]) >= 4)
            if lose_worker:
                for worker in holder.workers():
                    attempt(worker.kill)
            holder.send(signal.SIGCONT)
            return wait_until_over(client, job_id)
    finally:
        for served in filter(None, (holder, other)):
            served.kill()


@pytest.mark.parametrize("lose_worker", [False, True])
def test_a_late_writer_changes_nothing(
    fork_server: ForkServer, tmp_path: Path, weights_of: Callable[[Mapping[str, Any]], str], lose_worker: bool
) -> None:
    job = resume_too_late(fork_server, tmp_path, [], lose_worker=lose_worker)
    assert [move["state"] for move in job["history"]] == ONE_LOSS
    registry = Registry(LocalStore(tmp_path / "model_store"))
    assert registry.versions("alpha") == (1,)
    assert registry.load("alpha", 1).manifest.weights_sha256 == weights_of(job["config"])


def test_without_its_fence_it_would(fork_server: ForkServer, tmp_path: Path) -> None:
    job = resume_too_late(fork_server, tmp_path, ["no_fence"], lose_worker=True)
    assert [move["state"] for move in job["history"]] != ONE_LOSS
