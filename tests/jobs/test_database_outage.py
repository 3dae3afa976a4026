"""A PostgreSQL server that goes away and comes back, and engines that share one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from service.database import job_rows
from service.errors import StorageFailed
from service.jobs import InlineExecutor, JobState, SweepRequest, Sweeps
from tests.jobs.job_system import ENDLESS, LONG, JobSystem, eventually
from tests.postgresql import Server, a_server, only_postgresql

pytestmark = only_postgresql
postgresql = pytest.fixture(scope="module")(a_server)  # services of other tests must not notice that it is stopped
MakeSystem = Callable[..., JobSystem]


@pytest.fixture
def system(idle: JobSystem, monkeypatch: pytest.MonkeyPatch) -> JobSystem:
    """A system whose engine works."""
    monkeypatch.setattr("service.jobs.engine.STORAGE_RETRY_S", 0.05)
    idle.engine.start()
    return idle


def answer(system: JobSystem, question: str) -> list[tuple[Any, ...]]:
    with system.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(question))]


def last(seconds: float) -> None:
    """Let time go by, for an outage to last."""
    began_at = time.monotonic()
    eventually(lambda: time.monotonic() > began_at + seconds)


@pytest.mark.slow
def test_training_survives_the_server(system: JobSystem, postgresql: Server) -> None:
    """It trains on meanwhile, and what it had to say is written down afterwards: nothing is lost or said twice."""
    undisturbed = system.train(**LONG)
    job_id = system.submit(**LONG)
    system.wait_for_step(job_id, 15 * 20)
    for _ in range(2):
        postgresql.kill()
        with pytest.raises(StorageFailed):
            system.jobs.get(job_id)
        last(0.3)
        postgresql.start()
    assert system.wait(job_id).state is JobState.SUCCEEDED
    assert system.states(job_id) == ["queued", "running", "succeeded"]
    assert system.curve(job_id) == system.curve(undisturbed.id)
    assert system.weights_sha256(job_id) == system.weights_sha256(undisturbed.id)


def test_an_engine_started_first_works_as_soon_as_the_server_is_there(system: JobSystem, postgresql: Server) -> None:
    system.engine.stop()
    postgresql.kill()
    second = JobSystem(system.folder, lambda: InlineExecutor(1), url=system.url)
    second.engine.start()
    last(0.3)
    assert second.engine.alive and not second.engine.working
    postgresql.start()
    assert second.train().state is JobState.SUCCEEDED
    second.close()


def test_a_claim_whose_answer_was_lost_is_not_lost(system: JobSystem) -> None:
    """The commit arrived and its answer did not: the row says that this engine has the job, which knows of none."""
    first = system.train()
    with system.database.write() as connection:
        connection.execute(
            text("UPDATE jobs SET state = 'running', claimed_by = :engine, finished_at = NULL WHERE id = :id"),
            {"engine": system.engine.id, "id": first.id},
        )
    system.wait(first.id, lambda job: len(job.history) > 3)
    assert system.wait(first.id).state is JobState.SUCCEEDED
    assert system.states(first.id) == ["queued", "running", "succeeded", "queued", "running", "succeeded"]


@pytest.mark.slow
def test_after_an_outage_running_engines_keep_their_jobs(
    system: JobSystem, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All leases have expired by then; the first engine to come back must not take the others' jobs for abandoned."""
    monkeypatch.setattr("service.jobs.engine.LEASE_S", 3.0)
    monkeypatch.setattr("service.jobs.engine.HEARTBEAT_S", 0.05)
    monkeypatch.setattr("service.jobs.engine.OUTAGE_S", 0.4)
    other = JobSystem(system.folder, lambda: InlineExecutor(1), url=system.url, lock=False)
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 0)
    other.engine.start()
    eventually(lambda: other.engine.working)
    postgresql.kill()
    last(3.5)
    postgresql.start()
    latest = eventually(lambda: system.jobs.get(job_id).latest)
    system.wait_for_step(job_id, latest.step + 1000)
    assert system.states(job_id) == ["queued", "running"]
    system.jobs.cancel(job_id)
    system.wait(job_id)
    other.close()


@pytest.mark.slow
def test_an_engine_that_starts_waits_before_it_takes_over_jobs(
    idle: JobSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may have been unavailable until just now, so that an expired lease means nothing."""
    monkeypatch.setattr("service.jobs.engine.LEASE_S", 3.0)
    job_id = idle.submit()
    with idle.database.write() as connection:
        job_rows.claim_oldest(connection, claimed_by="another", lease_s=-1.0, max_members=1)
    idle.engine.start()
    eventually(lambda: idle.engine.working)
    assert idle.states(job_id) == ["queued", "running"]
    assert idle.wait(job_id).state is JobState.SUCCEEDED, "for the other did not come back"
    assert idle.states(job_id) == ["queued", "running", "queued", "running", "succeeded"]


@pytest.mark.slow
@pytest.mark.parametrize(("n_sweeps", "n_members"), [(12, 10), pytest.param(50, 20, marks=pytest.mark.long)])
def test_eight_engines_run_many_jobs_once_each(idle: JobSystem, tmp_path: Path, n_sweeps: int, n_members: int) -> None:
    """As members of sweeps, so that they are trained in stacks, which keeps it short."""
    systems = [JobSystem(tmp_path, lambda: InlineExecutor(1), url=idle.url, lock=False) for _ in range(8)]
    base = {"train_size": 128, "validation_size": 10, "epochs": 1, "checks_per_epoch": 1}
    sweeps = Sweeps(idle.database, max_queue_length=1000, wake_engine=lambda: None)
    rates = [0.001 * (1 + number) for number in range(n_members)]
    for seed in range(n_sweeps):
        request = SweepRequest(base={**base, "seed": seed}, grid={"learning_rate": rates}, name=f"digits-{seed}")
        sweeps.submit(request)
    for system in systems:
        system.engine.start()
    over = "SELECT count(*) FROM jobs WHERE state = 'succeeded'"
    eventually(lambda: answer(idle, over) == [(n_members * n_sweeps,)], within_s=100)
    histories = "SELECT string_agg(state, ' ' ORDER BY id) FROM events WHERE kind = 'state' GROUP BY job_id"
    assert answer(idle, f"SELECT history, count(*) FROM ({histories}) AS of_jobs (history) GROUP BY 1") == [
        ("queued running succeeded", n_members * n_sweeps)
    ]
    registry = systems[0].registry
    assert {registry.versions(f"digits-{seed}") for seed in range(n_sweeps)} == {tuple(range(1, n_members + 1))}, (
        "each published once"
    )
    assert answer(idle, "SELECT count(DISTINCT claimed_by) FROM jobs") == [(8,)], "all took part"
    for system in systems:
        system.close()


@pytest.mark.slow
@pytest.mark.long
def test_a_server_that_restarts_repeatedly_loses_nothing(system: JobSystem, postgresql: Server) -> None:
    ids = [system.submit(seed=seed, epochs=30) for seed in range(8)]
    over = threading.Event()

    def restart_now_and_then() -> None:
        """Each time when 80 more events have been written: by the clock, a slow machine would come to nothing."""
        seen = 0
        while not over.wait(0.05):
            with suppress(StorageFailed):
                if (newest := system.jobs.newest_event_id()) >= seen + 80:
                    seen = newest
                    postgresql.restart()

    monkey = threading.Thread(target=restart_now_and_then)
    monkey.start()

    def all_over() -> bool:
        try:
            return all(system.jobs.get(job_id).state.final for job_id in ids)
        except StorageFailed:
            return False

    try:
        eventually(all_over, within_s=100)
    finally:
        over.set()
        monkey.join()
    assert {system.jobs.get(job_id).state for job_id in ids} == {JobState.SUCCEEDED}
    assert len(system.registry.versions("mnist-softmax")) == len(ids)
    for job_id in ids:
        assert len(system.curve(job_id)) == 120
