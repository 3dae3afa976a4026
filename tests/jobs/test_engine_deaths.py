"""A whole engine that is killed, as by a power cut, and the one that comes after it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import update

from service.database.connection import now_s
from service.database.tables import jobs
from service.jobs import InlineExecutor, JobState
from tests.jobs.job_system import ENDLESS, LONG, JobSystem, eventually, workers_of
from tests.jobs.run_engine import run
from tests.postgresql import only_sqlite

MakeSystem = Callable[..., JobSystem]
StartEngine = Callable[[], BaseProcess]


@pytest.fixture
def start_engine(fork_server: Any, folder: Path, url: str) -> Iterator[StartEngine]:
    """Start an engine in a process of its own, on the folder of the idle."""
    with ExitStack() as at_end:

        def start() -> BaseProcess:
            process: BaseProcess = fork_server.Process(target=run, args=(folder, url, folder / "engine.log"))
            process.start()
            at_end.callback(process.join)
            at_end.callback(process.kill)
            return process

        yield start


def all_workers() -> set[int]:
    """Return the ids of all worker processes on this machine, orphans and those of others included."""
    found = set()
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any("service.worker import serve" in a for a in command):
            found.add(process.pid)
    return found


def kill(engine: BaseProcess) -> None:
    engine.kill()
    engine.join()


@pytest.mark.slow
@only_sqlite
def test_workers_do_not_outlive_their_engine(idle: JobSystem, start_engine: StartEngine) -> None:
    """Neither one that trains nor one that is idle."""
    engine = start_engine()
    job_id = idle.submit(**ENDLESS)
    idle.wait_for_step(job_id, 0)
    workers = {worker.pid for worker in workers_of(psutil.Process(engine.pid))}
    assert len(workers) == 1 and workers <= all_workers()
    kill(engine)
    eventually(lambda: not workers & all_workers(), within_s=10)


@pytest.mark.slow
@only_sqlite
def test_a_suspended_worker_does_not_outlive_its_engine(idle: JobSystem, start_engine: StartEngine) -> None:
    """It cannot notice the death of its parent."""
    engine = start_engine()
    job_id = idle.submit(**ENDLESS)
    idle.wait_for_step(job_id, 0)
    (worker,) = workers_of(psutil.Process(engine.pid))
    worker.suspend()
    kill(engine)
    eventually(lambda: worker.pid not in all_workers(), within_s=10)


@pytest.mark.slow
def test_idle_workers_do_not_outlive_their_engine(start_engine: StartEngine) -> None:
    engine = start_engine()
    parent = psutil.Process(engine.pid)
    workers = {worker.pid for worker in eventually(lambda: workers_of(parent))}
    kill(engine)
    eventually(lambda: not workers & all_workers(), within_s=10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
def test_a_job_survives_two_kills_and_ends_with_the_same_bits(
    idle: JobSystem, start_engine: StartEngine, make_system: MakeSystem
) -> None:
    rng = random.Random(0)
    reference = make_system(lambda: InlineExecutor(1))
    job_id = idle.submit(**LONG)
    for _ in range(2):
        engine = start_engine()
        latest = idle.jobs.get(job_id).latest
        idle.wait_for_step(job_id, (latest.step if latest else -1) + rng.randint(1, 600))
        kill(engine)
    start_engine()
    job = idle.wait(job_id)
    assert job.state is JobState.SUCCEEDED and job.model == {"name": "mnist-softmax", "version": 1}
    assert idle.states(job_id) == ["queued", "running"] * 3 + ["succeeded"]
    assert idle.registry.versions("mnist-softmax") == (1,)
    idle.registry.load("mnist-softmax", 1)

    reference.engine.start()  # waits for the lock, and so for the end of the other engine
    expected = reference.submit(**LONG)
    reference.wait(expected)
    assert idle.weights_sha256(job_id) == idle.weights_sha256(expected)
    assert idle.curve(job_id) == idle.curve(expected)


@pytest.mark.slow
def test_a_restart_is_faster_than_any_lease(idle: JobSystem, start_engine: StartEngine) -> None:
    engine = start_engine()
    job_id = idle.submit(**ENDLESS)
    idle.wait_for_step(job_id, 0)
    kill(engine)
    with idle.database.write() as connection:
        connection.execute(update(jobs).values(lease_expires_at_s=now_s(idle.database.engine) + 1e6))
    start_engine()
    job = idle.wait(job_id, lambda job: len(job.history) == 4)
    assert [move.state.value for move in job.history] == ["queued", "running", "queued", "running"]


@only_sqlite
@pytest.mark.slow
def test_sigterm_counts_no_loss(idle: JobSystem, folder: Path, start_engine: StartEngine) -> None:
    """Four times, which would be too many deaths."""
    job_id = idle.submit(**LONG)
    for _ in range(4):
        engine = start_engine()
        latest = idle.jobs.get(job_id).latest
        idle.wait_for_step(job_id, (latest.step if latest else -1) + 15)
        engine.terminate()
        engine.join(10)
        assert engine.exitcode == 0
        assert (folder / "engine.log").read_text() == ""
        if idle.jobs.get(job_id).state is JobState.SUCCEEDED:
            break
        assert idle.jobs.get(job_id).state is JobState.QUEUED
    start_engine()
    assert idle.wait(job_id).state is JobState.SUCCEEDED
    assert len(idle.curve(job_id)) == 120


@only_sqlite
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_accepted_is_lost_by_many_kills(idle: JobSystem, start_engine: StartEngine) -> None:
    """Twelve short jobs, and an engine that is killed after a moment each time."""
    rng = random.Random(1)
    ids = [idle.submit(seed=seed, epochs=20) for seed in range(12)]
    for _ in range(10):
        engine = start_engine()
        newest = idle.jobs.newest_event_id()
        eventually(lambda: idle.jobs.newest_event_id() > newest + rng.randint(0, 60))  # noqa: B023
        kill(engine)
        for job_id in ids:
            job = idle.jobs.get(job_id)
            if job.model is not None:
                idle.registry.load(job.model["name"], job.model["version"])
        if all(idle.jobs.get(job_id).state.final for job_id in ids):
            break
    start_engine()
    ended = [idle.wait(job_id) for job_id in ids]
    for job in ended:
        assert job.state is JobState.SUCCEEDED or (
            job.error is not None and job.error["type"] == "/problems/worker-lost"
        )
        assert [move.state.final for move in job.history].count(True) == 1
    published = [job.model["version"] for job in ended if job.model is not None]
    assert sorted(published) == sorted(set(published))
    makers = [idle.registry.manifest("mnist-softmax", v).job_id for v in idle.registry.versions("mnist-softmax")]
    assert len(makers) == len(set(makers)), "no job made two versions"
