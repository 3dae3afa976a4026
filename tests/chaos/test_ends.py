"""Asked to stop, the service stops in time and loses nothing; and a job that kills its workers is stopped."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.registry import Registry
from service.stores import LocalStore
from tests.chaos.client import LONG, TINY
from tests.chaos.poisoned import POISON_SEED
from tests.chaos.supervisor import DEADLINE_S, ForkServer
from tests.jobs.job_system import eventually
from tests.web.serving import wait_until_over

pytestmark = [pytest.mark.slow]

N_STREAMS = 20
STOPS_WITHIN_S = 10.0
WeightsOf = Callable[[Mapping[str, Any]], str]


def test_sigterm_hands_back_what_runs_and_keeps_what_it_accepts(
    fork_server: ForkServer, tmp_path: Path, weights_of: WeightsOf
) -> None:
    """With streams open, and a client that submits until the service stops answering."""
    served = fork_server.start(tmp_path)
    accepted = []
    with httpx.Client(base_url=f"{served.url}/api/v1", timeout=30) as client, ExitStack() as streams:
        running = client.post("/jobs", json={**LONG, "epochs": 400, "name": "alpha"}).json()["id"]
        eventually(lambda: client.get(f"/jobs/{running}").json()["metrics"]["latest"])
        open_streams = [
            streams.enter_context(client.stream("GET", f"/jobs/{running}/events")).iter_lines()
            for _ in range(N_STREAMS)
        ]
        assert all(next(lines) for lines in open_streams)

        def submit_until_refused() -> None:
            with httpx.Client(base_url=f"{served.url}/api/v1", timeout=30) as other:
                while True:
                    try:
                        answer = other.post("/jobs", json={**TINY, "name": "beta"})
                    except httpx.TransportError:
                        return
                    accepted.append(answer.raise_for_status().json()["id"])

        submitter = threading.Thread(target=submit_until_refused)
        submitter.start()
        eventually(lambda: accepted)
        asked_at = time.monotonic()
        served.send(signal.SIGTERM)
        for lines in open_streams:
            list(lines)  # ended, not cut: that would raise
        assert served.ends(within_s=DEADLINE_S)
        took_s = time.monotonic() - asked_at
        submitter.join()
    print(f"\nstopped in {took_s:.2f} s with {N_STREAMS} streams open; {len(accepted)} jobs accepted meanwhile")
    assert took_s < STOPS_WITHIN_S
    with closing(sqlite3.connect(tmp_path / "inkling.db")) as connection:
        rows = connection.execute("SELECT id, state, losses, claimed_by FROM jobs").fetchall()
        assert {row[1:] for row in rows} == {("queued", 0, None)}
        assert {row[0] for row in rows} == {running, *accepted}
        (step,) = connection.execute("SELECT step FROM checkpoints WHERE job_id = ?", (running,)).fetchone()
        assert step > 0

    served = fork_server.start(tmp_path)
    with httpx.Client(base_url=f"{served.url}/api/v1", timeout=30) as client:
        job = wait_until_over(client, running)
        assert [move["state"] for move in job["history"]] == ["queued", "running"] * 2 + ["succeeded"]
    served.kill()
    weights = Registry(LocalStore(tmp_path / "model_store")).load("alpha", 1).manifest.weights_sha256
    assert weights == weights_of(job["config"]), "the bits of an uninterrupted run"
    assert (tmp_path / "service.log").read_text() == ""


def test_a_job_that_kills_its_workers_is_given_up_and_harms_no_other(fork_server: ForkServer, tmp_path: Path) -> None:
    served = fork_server.start(tmp_path, faults=["poison"], workers=2)
    with httpx.Client(base_url=f"{served.url}/api/v1", timeout=30) as client:
        bodies = [{**TINY, "seed": seed, "name": "alpha"} for seed in (1, POISON_SEED, 2, 3)]
        jobs = [client.post("/jobs", json=body).raise_for_status().json()["id"] for body in bodies]
        ended = [wait_until_over(client, job_id) for job_id in jobs]
    served.kill()
    poison = ended.pop(1)
    assert [move["state"] for move in poison["history"]] == ["queued", "running"] * 3 + ["failed"]
    assert (poison["error"]["type"], poison["model"]) == ("/problems/worker-lost", None)
    for job in ended:
        assert [move["state"] for move in job["history"]] == ["queued", "running", "succeeded"]
