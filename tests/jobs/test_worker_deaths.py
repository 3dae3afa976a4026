"""Worker processes that are killed, through the whole of the engine."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from service.jobs import JobState, ProcessesExecutor
from tests.jobs.job_system import (
    ENDLESS,
    LONG,
    JobSystem,
    SharedExecutor,
    busy_worker,
    eventually,
    kill_and_see_dead,
    workers_of,
)

MakeSystem = Callable[..., JobSystem]


@pytest.fixture
def system(make_system: MakeSystem, one_process: SharedExecutor) -> JobSystem:
    system = make_system(lambda: one_process)
    system.engine.start()
    return system


def kill_its_worker(system: JobSystem, job_id: str) -> None:
    """Kill the worker of the only running job, and wait until that has been noticed."""
    n_moves = len(system.jobs.get(job_id).history)
    busy_worker().kill()  # the one that came in place of another may only just have been started
    system.wait(job_id, lambda job: len(job.history) > n_moves)


@pytest.mark.slow
def test_a_killed_worker_s_job_resumes_and_ends_with_the_same_bits(system: JobSystem) -> None:
    longer = {**LONG, "epochs": 200}
    undisturbed = system.train(**longer)
    job_id = system.submit(**longer)
    system.wait_for_step(job_id, 15 * 20)
    kill_its_worker(system, job_id)
    system.wait_for_step(job_id, 15 * 60)
    kill_its_worker(system, job_id)
    job = system.wait(job_id)
    assert job.state is JobState.SUCCEEDED and job.model == {"name": "mnist-softmax", "version": 2}
    assert system.states(job_id) == ["queued", "running", "queued", "running", "queued", "running", "succeeded"]
    assert "worker died" in (job.history[2].reason or "")
    assert system.weights_sha256(job_id) == system.weights_sha256(undisturbed.id)
    assert system.curve(job_id) == system.curve(undisturbed.id), "no check twice, none left out"
    one, other = (system.registry.manifest("mnist-softmax", version) for version in (1, 2))
    assert one.weights_sha256 == other.weights_sha256


@pytest.mark.slow
def test_a_suspended_worker_is_replaced(system: JobSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no cancel, and its connection stays open: only the missing heartbeats show it."""
    monkeypatch.setattr("service.jobs.engine.WORKER_TIMEOUT_S", 4.0)
    monkeypatch.setattr("service.jobs.engine.HEARTBEAT_S", 0.2)
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 15 * 5)
    (worker,) = workers_of()
    worker.suspend()
    system.wait(job_id, lambda job: JobState.QUEUED in [move.state for move in job.history[1:]])
    suspended_at = system.jobs.weights(job_id, "last").next_step
    system.wait_for_step(job_id, suspended_at + 15)
    assert worker.pid not in {worker.pid for worker in workers_of()}
    system.jobs.cancel(job_id)
    assert system.wait(job_id).state is JobState.CANCELLED


@pytest.mark.slow
def test_it_resumed_from_its_checkpoint(system: JobSystem) -> None:
    """Not from the beginning: the first new check after the death is a later one."""
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 15 * 100)
    first = system.jobs.weights(job_id, "last").next_step
    kill_its_worker(system, job_id)
    system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    system.wait(job_id, lambda job: system.jobs.weights(job_id, "last").next_step > first)
    checks = [event for event in system.jobs.events(job_id, limit=10_000).events if event.kind == "check"]
    resumed = [event.data["progress"] for event in checks if event.data["step"] > first]
    assert resumed, "and its pace is that of the new attempt"
    system.jobs.cancel(job_id)
    system.wait(job_id)
    system.curve(job_id)


@pytest.mark.slow
def test_the_third_death_is_the_last(system: JobSystem) -> None:
    job_id = system.submit(**ENDLESS)
    for attempt in range(3):
        system.wait(
            job_id,
            lambda job: job.state is JobState.RUNNING and len(job.history) == 2 * attempt + 2,  # noqa: B023
        )
        busy_worker()
        kill_its_worker(system, job_id)
    job = system.wait(job_id)
    assert job.state is JobState.FAILED and job.error is not None and job.model is None
    assert job.error["type"] == "/problems/worker-lost"
    assert system.states(job_id) == ["queued", "running"] * 3 + ["failed"]
    assert system.train().state is JobState.SUCCEEDED, "the next job is none the worse for it"


@pytest.mark.slow
def test_a_worker_that_dies_before_its_first_message(system: JobSystem) -> None:
    first = system.train()
    worker = workers_of()[0]
    worker.suspend()
    job_id = system.submit(seed=1)
    system.wait(job_id, lambda job: job.state is JobState.RUNNING)
    worker.kill()
    job = system.wait(job_id)
    assert job.state is JobState.SUCCEEDED and first.model is not None
    assert system.states(job_id) == ["queued", "running", "queued", "running", "succeeded"]


@pytest.mark.slow
def test_an_idle_worker_that_dies_costs_nothing(system: JobSystem) -> None:
    system.train()
    (worker,) = workers_of()
    kill_and_see_dead(worker)
    job = system.train()
    assert [move.state.value for move in job.history] == ["queued", "running", "succeeded"]


@pytest.mark.slow
def test_a_worker_that_dies_while_its_job_is_cancelled(system: JobSystem) -> None:
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 0)
    (worker,) = workers_of()
    worker.suspend()
    system.jobs.cancel(job_id)
    worker.kill()
    job = system.wait(job_id)
    assert job.state is JobState.CANCELLED and job.model == {"name": "mnist-softmax", "version": 1}
    assert system.registry.load("mnist-softmax", 1).manifest.stop_reason == "cancelled"


@pytest.mark.slow
def test_a_worker_that_does_not_stop_is_killed(system: JobSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.stack.KILL_AFTER_S", 0.2)
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 0)
    (worker,) = workers_of()
    worker.suspend()
    system.jobs.cancel(job_id)
    assert system.wait(job_id).state is JobState.CANCELLED
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_the_neighbour_of_a_killed_worker_is_unharmed(make_system: MakeSystem) -> None:
    others = workers_of()
    system = make_system(lambda: ProcessesExecutor(2))
    system.engine.start()
    ids = [system.submit(**ENDLESS) for _ in range(2)]
    for job_id in ids:
        system.wait_for_step(job_id, 0)
    next(worker for worker in workers_of() if worker not in others).kill()
    eventually(lambda: any(len(system.jobs.get(job_id).history) > 2 for job_id in ids))
    ((lost, _), (neighbour, history)) = sorted(
        ((job_id, system.states(job_id)) for job_id in ids), key=lambda item: -len(item[1])
    )
    assert history == ["queued", "running"]
    latest = system.jobs.get(neighbour).latest
    assert latest is not None
    system.wait_for_step(neighbour, latest.step + 30)
    system.wait(lost, lambda job: len(job.history) == 4)
    for job_id in ids:
        system.jobs.cancel(job_id)
        assert system.wait(job_id).state is JobState.CANCELLED
    assert system.states(neighbour) == ["queued", "running", "cancelling", "cancelled"]


@pytest.mark.slow
def test_stopping_does_not_wait_for_a_worker_that_does_not_stop(make_system: MakeSystem) -> None:
    others = workers_of()
    system = make_system(lambda: ProcessesExecutor(1))
    system.engine.start()
    job_id = system.submit(**ENDLESS)
    system.wait_for_step(job_id, 0)
    (worker,) = (worker for worker in workers_of() if worker not in others)
    worker.suspend()
    system.engine.stop(hand_back_s=0.3)
    assert workers_of() == others
    assert system.jobs.get(job_id).state is JobState.RUNNING

    following = make_system(lambda: ProcessesExecutor(1))
    following.engine.start()
    following.wait(job_id, lambda job: len(job.history) == 4)
    assert following.states(job_id) == ["queued", "running", "queued", "running"]
    following.jobs.cancel(job_id)
    following.wait(job_id)
