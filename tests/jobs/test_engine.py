"""The engine's own affairs: who may work, what it outlives, and how fast it is."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from service.core import TrainingConfig
from service.database import Database, JobRow, NewJob, job_rows
from service.errors import StorageFailed, StorageFull
from service.jobs import EngineLock, InlineExecutor, JobState, Recorder
from service.jobs.engine import MIN_CYCLE_S
from service.registry import Registry
from service.stores import LocalStore
from service.worker import MemberSpec, StackSpec
from tests.jobs.job_system import ENDLESS, LONG, JobSystem, SharedExecutor, eventually

MakeSystem = Callable[..., JobSystem]


def inline() -> InlineExecutor:
    return InlineExecutor(1)


@pytest.fixture
def working(make_system: MakeSystem) -> JobSystem:
    system = make_system(inline)
    system.engine.start()
    return system


class Shared(Database):
    """The same file, for engines that believe that others may work on it too, as they do on PostgreSQL."""

    exclusive = False  # type: ignore[assignment]


def row_state(system: JobSystem, job_id: str) -> str:
    with system.database.read() as connection:
        return str(connection.execute(text("SELECT state FROM jobs WHERE id = :id"), {"id": job_id}).scalar_one())


# Who may work


def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    one, other = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")
    assert one.acquire() and one.acquire() and one.held
    assert not other.acquire() and not other.held
    one.release()
    one.release()
    assert other.acquire()
    other.release()


def test_a_lock_that_is_taken_leaves_no_file_open(tmp_path: Path) -> None:
    one, other = EngineLock(tmp_path / "lock"), EngineLock(tmp_path / "lock")
    assert one.acquire()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        assert not other.acquire()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    one.release()


def test_a_lock_that_cannot_be_made_is_a_failure_of_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        EngineLock(tmp_path / "no such folder" / "lock").acquire()


@pytest.mark.slow
def test_a_second_engine_waits_and_takes_over(make_system: MakeSystem) -> None:
    first, second = make_system(inline), make_system(inline)
    first.engine.start()
    eventually(lambda: first.engine.working)
    second.engine.start()
    assert second.train().state is JobState.SUCCEEDED, "the first one does the work of both"
    assert first.engine.working and not second.engine.working
    job_id = second.submit(**ENDLESS)
    first.wait_for_step(job_id, 0)
    first.engine.stop()
    assert not first.engine.working
    eventually(lambda: second.engine.working)
    second.wait(job_id, lambda job: len(job.history) == 4)
    assert second.states(job_id) == ["queued", "running", "queued", "running"]
    second.jobs.cancel(job_id)
    second.wait(job_id)


def test_a_waiting_engine_queues_no_wakes(make_system: MakeSystem) -> None:
    first, second = make_system(inline), make_system(inline)
    first.engine.start()
    eventually(lambda: first.engine.working)
    second.engine.start()
    for _ in range(1000):
        second.engine.wake()
    assert second.engine._inbox.qsize() == 0


def test_an_engine_may_be_stopped_at_any_time(make_system: MakeSystem) -> None:
    never_started = make_system(inline)
    never_started.engine.stop()
    at_once = make_system(inline)
    at_once.engine.start()
    at_once.engine.stop()
    at_once.engine.stop()
    waiting, working = make_system(inline), make_system(inline)
    working.engine.start()
    eventually(lambda: working.engine.working)
    waiting.engine.start()
    waiting.engine.stop()
    assert working.engine.working


def test_the_lock_is_released_last(make_system: MakeSystem) -> None:
    """While workers still run, no other engine may take over their jobs."""
    closed = threading.Event()

    class Slow(InlineExecutor):
        def close(self) -> None:
            assert not EngineLock(system.folder / "engine.lock").acquire()
            super().close()
            closed.set()

    system = make_system(lambda: Slow(1))
    system.engine.start()
    eventually(lambda: system.engine.working)
    system.engine.stop()
    assert closed.is_set()
    lock = EngineLock(system.folder / "engine.lock")
    assert lock.acquire()
    lock.release()


def test_the_claims_of_a_dead_engine_are_requeued_at_once(make_system: MakeSystem) -> None:
    """Whatever their leases say: where one engine alone may work, it is the lock that counts."""
    system = make_system(inline)
    ids = [system.submit() for _ in range(2)]
    with system.database.write() as connection:
        for _ in ids:
            job_rows.claim_oldest(connection, claimed_by="killed", lease_s=1e6, max_members=1)
    system.jobs.cancel(ids[1])
    system.engine.start()
    assert system.wait(ids[0]).state is JobState.SUCCEEDED
    assert system.states(ids[0]) == ["queued", "running", "queued", "running", "succeeded"]
    assert system.wait(ids[1]).state is JobState.CANCELLED


@pytest.mark.slow
def test_two_engines_without_a_lock_run_each_job_once(make_system: MakeSystem, folder: Path) -> None:
    url = f"sqlite:///{folder / 'inkling.db'}"
    systems = [make_system(inline, database=Shared(url), lock=False) for _ in range(2)]
    ids = [systems[0].submit(seed=seed) for seed in range(10)]
    for system in systems:
        system.engine.start()
    for job_id in ids:
        assert systems[0].wait(job_id).state is JobState.SUCCEEDED
        assert systems[0].states(job_id) == ["queued", "running", "succeeded"]
    assert len(systems[0].registry.versions("mnist-softmax")) == 10


@pytest.mark.slow
def test_the_lease_of_a_running_engine_is_respected_and_a_dead_one_s_is_not(
    make_system: MakeSystem, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.engine.LEASE_S", 3.0)  # so long it waits for the living after its start
    url = f"sqlite:///{folder / 'inkling.db'}"
    system = make_system(inline, database=Shared(url), lock=False)
    alive, dead = system.submit(), system.submit()
    with system.database.write() as connection:
        job_rows.claim_oldest(connection, claimed_by="alive", lease_s=1e6, max_members=1)
        job_rows.claim_oldest(connection, claimed_by="dead", lease_s=-1, max_members=1)
    system.engine.start()
    assert system.wait(dead).state is JobState.SUCCEEDED
    assert system.states(alive) == ["queued", "running"]


@pytest.mark.slow
def test_an_engine_that_lost_its_claim_stops_the_run(make_system: MakeSystem, folder: Path) -> None:
    """Suspended for so long that another one took its job; then it continues, and must not disturb."""
    system = make_system(inline, database=Shared(f"sqlite:///{folder / 'inkling.db'}"), lock=False)
    system.engine.start()
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 0)
    with system.database.write() as connection:
        (claim,) = job_rows.abandoned(connection, claimed_by="another", exclusive=True)
    system.recorder.lose(claim, "it seemed dead")
    with system.database.write() as connection:
        (newer,) = job_rows.claim_oldest(connection, claimed_by="another", lease_s=1e6, max_members=1)
    assert newer.id == job_id
    following = system.submit()
    assert system.wait(following).state is JobState.SUCCEEDED, "its slot is free again"
    n_events = len(system.jobs.events(job_id, limit=10_000).events)
    assert system.states(job_id) == ["queued", "running", "queued", "running"]
    system.train()
    assert len(system.jobs.events(job_id, limit=10_000).events) == n_events


# What it outlives


@pytest.mark.slow
def test_a_locked_database_is_waited_for(
    make_system: MakeSystem, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For longer than a writer waits, and while a run sends many messages."""
    monkeypatch.setattr("service.jobs.engine.STORAGE_RETRY_S", 0.05)
    system = make_system(inline, database=Database(f"sqlite:///{folder / 'inkling.db'}", busy_timeout_ms=30))
    expected = make_system(inline)
    system.engine.start()
    undisturbed = system.train(**LONG)
    job_id = system.submit(**LONG)
    system.wait_for_step(job_id, 15 * 20)
    with expected.database.write():
        held_at = time.monotonic()
        eventually(lambda: time.monotonic() > held_at + 0.6)
    job = system.wait(job_id)
    assert job.state is JobState.SUCCEEDED
    assert system.states(job_id) == ["queued", "running", "succeeded"]
    assert system.curve(job_id) == system.curve(undisturbed.id)
    assert system.weights_sha256(job_id) == system.weights_sha256(undisturbed.id)


@pytest.mark.slow
def test_a_database_locked_in_every_cycle_delays_and_loses_nothing(
    make_system: MakeSystem, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.engine.STORAGE_RETRY_S", 0.01)
    system = make_system(inline, database=Database(f"sqlite:///{folder / 'inkling.db'}", busy_timeout_ms=1))
    other = Database(f"sqlite:///{folder / 'inkling.db'}")
    ids = [system.submit(seed=seed) for seed in range(3)]
    system.engine.start()
    while not all(system.jobs.get(job_id).state.final for job_id in ids):
        with other.write():
            held_at = time.monotonic()
            eventually(lambda: time.monotonic() > held_at + 0.02)  # noqa: B023
        eventually(lambda: time.monotonic() > held_at + 0.04)  # noqa: B023
    for job_id in ids:
        assert system.states(job_id) == ["queued", "running", "succeeded"]
        assert len(system.curve(job_id)) == 12
    assert system.registry.versions("mnist-softmax") == (1, 2, 3)
    other.close()


@pytest.mark.slow
def test_a_full_database_heals_without_a_restart(
    make_system: MakeSystem, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.engine.STORAGE_RETRY_S", 0.05)
    database = Database(f"sqlite:///{folder / 'inkling.db'}")
    system = make_system(inline, database=database)
    job_id = system.submit(**LONG)
    refusing = threading.Event()
    write = database.write

    def refuse_while_full() -> Any:
        if refusing.is_set():
            refused.append(None)
            raise StorageFull("No space is left for the database.")
        return write()

    refused: list[None] = []
    monkeypatch.setattr(database, "write", refuse_while_full)
    system.engine.start()
    system.wait_for_step(job_id, 15 * 10)
    refusing.set()
    eventually(lambda: len(refused) >= 3)
    refusing.clear()
    assert system.wait(job_id).state is JobState.SUCCEEDED
    assert len(system.curve(job_id)) == 120


@pytest.fixture
def away(make_system: MakeSystem, monkeypatch: pytest.MonkeyPatch) -> tuple[JobSystem, list[int]]:
    """A system whose database writes no news down before the worker has ended, and what it was given then."""
    system, pieces = make_system(inline), []
    record = system.recorder.record

    def away_until_the_end(claim: JobRow, **news: Any) -> bool:
        if not pieces and not system.engine._stacks[0].runs[0].end:
            raise StorageFailed("The database does not answer.")
        pieces.append(len(news["checks"]))
        return record(claim, **news)

    monkeypatch.setattr("service.jobs.engine.STORAGE_RETRY_S", 0.05)
    monkeypatch.setattr(system.recorder, "record", away_until_the_end)
    return system, pieces


@pytest.mark.slow
def test_what_an_outage_left_is_written_in_pieces(
    away: tuple[JobSystem, list[int]], working: JobSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction of everything would lock others out for long, and need room that there may not be."""
    undisturbed = working.train(**LONG)
    working.engine.stop()
    system, pieces = away
    monkeypatch.setattr("service.jobs.engine.MAX_CHECKS_PER_WRITE", 50)
    system.engine.start()
    job = system.train(**LONG)
    assert job.state is JobState.SUCCEEDED and pieces == [50, 50, 20]
    assert system.curve(job.id) == system.curve(undisturbed.id)
    assert system.weights_sha256(job.id) == system.weights_sha256(undisturbed.id)


@pytest.mark.slow
def test_a_job_with_too_many_unrecorded_checks_is_handed_back_unharmed(
    away: tuple[JobSystem, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    system, pieces = away
    monkeypatch.setattr("service.jobs.engine.MAX_UNWRITTEN_CHECKS", 40)
    system.engine.start()
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 15 * 41)
    assert pieces[0] > 40
    system.wait(job_id, lambda job: job.state is JobState.RUNNING and len(job.history) == 4)
    with system.database.read() as connection:
        assert connection.execute(text("SELECT losses FROM jobs")).scalar_one() == 0
    system.wait_for_step(job_id, 15 * pieces[0] + 15)
    system.jobs.cancel(job_id)
    assert system.wait(job_id).state is JobState.CANCELLED
    system.curve(job_id)


def test_a_full_model_store_fails_the_job_and_heals(make_system: MakeSystem, working: JobSystem) -> None:
    store = working.folder / "model_store"
    working.train()
    created = LocalStore.create

    def full(self: LocalStore, key: str, data: bytes) -> None:
        raise StorageFull("No space is left for the model store.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalStore, "create", full)
        job = working.train(seed=1)
    assert job.state is JobState.FAILED and job.error is not None
    assert job.error["type"] == "/problems/storage-full"
    assert LocalStore.create is created and store.is_dir()
    assert working.registry.versions("mnist-softmax") == (1,)
    assert working.train(seed=1).model == {"name": "mnist-softmax", "version": 2}


class BuggyExecutor(InlineExecutor):
    """Trains nonsense for seed 1, which the core refuses with a ValueError, and cannot start seed 3."""

    def submit(self, spec: StackSpec, listener: Any) -> Any:
        (member,) = spec.members
        if member.config.seed == 3:
            raise RuntimeError("no thread can be started")
        if member.config.seed == 1:
            stranger = TrainingConfig(train_size=600, validation_size=500)
            members = (member, MemberSpec(job_id="stranger", fence=1, config=stranger))
            spec = StackSpec(dataset=spec.dataset, members=members)
        return super().submit(spec, listener)


class BuggyRegistry(Registry):
    def register(self, name: str, *arguments: Any, **options: Any) -> Any:
        if name == "buggy":
            raise RuntimeError("a bug at the end")
        return super().register(name, *arguments, **options)


def test_a_bug_in_one_job_harms_no_other(make_system: MakeSystem, caplog: pytest.LogCaptureFixture) -> None:
    """Neither one in training, nor one at its end, nor a row that this version cannot read."""
    system = make_system(lambda: BuggyExecutor(1))
    system.recorder._registry = BuggyRegistry(LocalStore(system.folder / "model_store"))
    unreadable = NewJob(
        id="0" * 26,
        name="unreadable",
        dataset="mnist",
        config={**TrainingConfig().to_dict(), "learning_rate": 1e9},
        idempotency_key=None,
        request_sha256="",
    )
    with system.database.write() as connection:
        job_rows.insert(connection, [unreadable])
    with caplog.at_level(logging.CRITICAL):
        in_training = system.submit(seed=1)
        at_the_end = system.submit(seed=2, name="buggy")
        not_started = system.submit(seed=3)
        healthy = system.submit(seed=4)
        system.engine.start()
        for job_id, problem in (
            (in_training, "internal-error"),
            (at_the_end, "internal-error"),
            (not_started, "worker-lost"),
        ):
            job = system.wait(job_id)
            assert job.state is JobState.FAILED and job.error is not None
            assert job.error["type"] == f"/problems/{problem}"
        assert system.wait(healthy).state is JobState.SUCCEEDED
    assert row_state(system, unreadable.id) == "failed"


def test_an_executor_that_cannot_be_made_is_retried(
    make_system: MakeSystem, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.engine.STORAGE_RETRY_S", 0.02)
    attempts: list[bool] = []

    def reluctant() -> InlineExecutor:
        attempts.append(system.engine.able)
        if attempts[-1]:
            raise OSError("no process can be started")
        return InlineExecutor(1)

    with caplog.at_level(logging.CRITICAL):
        system = make_system(reluctant)
        system.engine.start()
        assert system.train().state is JobState.SUCCEEDED
    assert attempts == [True, True, True, False] and system.engine.able


def test_no_job_is_claimed_while_no_worker_can_be_started(
    make_system: MakeSystem, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.engine.STORAGE_RETRY_S", 0.02)
    freed = threading.Event()

    class Reluctant(InlineExecutor):
        def prepare(self) -> None:
            if not freed.is_set():
                raise OSError("no process can be started")

    with caplog.at_level(logging.CRITICAL):
        system = make_system(lambda: Reluctant(1))
        job_id = system.submit()
        system.engine.start()
        eventually(lambda: not system.engine.able)  # which makes the service not ready
        freed.set()
        system.wait(job_id)
        eventually(lambda: system.engine.able)
    assert system.states(job_id) == ["queued", "running", "succeeded"]


def test_a_cancel_that_meets_a_lost_worker_is_not_forgotten(make_system: MakeSystem) -> None:
    """The request arrives after the loss was noticed and before it is written down."""
    system = make_system(inline)
    job_id = system.submit()
    with system.database.write() as connection:
        (claim,) = job_rows.claim_oldest(connection, claimed_by="engine", lease_s=30, max_members=1)
    assert isinstance(claim, JobRow) and claim.state == "running"
    system.jobs.cancel(job_id)
    assert system.recorder.lose(claim, "its worker died")
    assert system.jobs.get(job_id).state is JobState.CANCELLED


def test_stopping_while_the_database_is_locked_loses_nothing(make_system: MakeSystem, folder: Path) -> None:
    system = make_system(inline, database=Database(f"sqlite:///{folder / 'inkling.db'}", busy_timeout_ms=30))
    other = Database(f"sqlite:///{folder / 'inkling.db'}")
    system.engine.start()
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 15 * 10)
    stopping = threading.Thread(target=system.engine.stop)
    with other.write():
        stopping.start()
        held_at = time.monotonic()
        eventually(lambda: time.monotonic() > held_at + 0.5)
    stopping.join()
    assert system.states(job_id) == ["queued", "running", "queued"]
    assert system.jobs.get(job_id).history[-1].reason == "Training was interrupted; it resumes from here."
    other.close()


# How fast it is


def test_many_wakes_are_one_cycle(working: JobSystem) -> None:
    eventually(lambda: working.engine.working)
    for _ in range(10_000):
        working.engine.wake()
    eventually(lambda: working.engine._inbox.qsize() == 0, within_s=2)


def test_woken_all_the_time_it_pauses_between_cycles(make_system: MakeSystem) -> None:
    system = make_system(inline)
    starts: list[float] = []
    cycle = system.engine._cycle

    def noted() -> None:
        starts.append(time.monotonic())
        cycle()

    system.engine._cycle = noted  # type: ignore[method-assign]
    system.engine.start()
    eventually(lambda: system.engine.wake() or len(starts) > 20)
    assert starts[20] - starts[1] > 18 * MIN_CYCLE_S


@pytest.mark.slow
def test_closing_leaves_no_thread_and_no_file(make_system: MakeSystem, one_process: SharedExecutor) -> None:
    def held() -> tuple[set[str], int]:
        names = {thread.name for thread in threading.enumerate()}
        return names, len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def use(system: JobSystem) -> None:
        system.engine.start()
        system.train()
        system.close()

    use(make_system(lambda: one_process))
    before = held()
    for _ in range(3):
        use(make_system(lambda: one_process))
        use(make_system(inline))
    assert held() == before


@pytest.mark.slow
def test_recorder_and_engine_share_one_rule_of_claims(working: JobSystem) -> None:
    """A recorder without a claim of its own cannot write, also beside a working engine."""
    job_id = working.submit(**ENDLESS)
    working.wait_for_step(job_id, 0)
    with working.database.read() as connection:
        (claim,) = job_rows.abandoned(connection, claimed_by="nobody", exclusive=True)
    stale = replace(claim, fence=claim.fence - 1)
    recorder = Recorder(working.database, working.registry)
    assert recorder.lose(stale, "late") is False
    assert working.jobs.get(job_id).state is JobState.RUNNING
    working.jobs.cancel(job_id)
    assert working.wait(job_id).state is JobState.CANCELLED
