"""Worker processes that are killed, through the whole of the engine."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from service.jobs import JobState, ProcessesExecutor
from tests.jobs.house import ENDLESS, LONG, House, KeptOpen, busy_worker, eventually, kill_and_see_dead, workers_of

MakeHouse = Callable[..., House]


@pytest.fixture
def house(make_house: MakeHouse, one_process: KeptOpen) -> House:
    house = make_house(lambda: one_process)
    house.engine.start()
    return house


def kill_its_worker(house: House, job_id: str) -> None:
    """Kill the worker of the only running job, and wait until that has been noticed."""
    n_moves = len(house.jobs.get(job_id).history)
    busy_worker().kill()  # the one that came in place of another may only just have been started
    house.wait(job_id, lambda job: len(job.history) > n_moves)


def test_a_killed_worker_s_job_goes_on_and_ends_with_the_same_bits(house: House) -> None:
    longer = {**LONG, "epochs": 400}
    undisturbed = house.train(**longer)
    job_id = house.submit(**longer)
    house.wait_for_step(job_id, 15 * 20)
    kill_its_worker(house, job_id)
    house.wait_for_step(job_id, 15 * 60)
    kill_its_worker(house, job_id)
    job = house.wait(job_id)
    assert job.state is JobState.SUCCEEDED and job.model == {"name": "mnist-softmax", "version": 2}
    assert house.states(job_id) == ["queued", "running", "queued", "running", "queued", "running", "succeeded"]
    assert "worker died" in (job.history[2].reason or "")
    assert house.weights_sha256(job_id) == house.weights_sha256(undisturbed.id)
    assert house.curve(job_id) == house.curve(undisturbed.id), "no check twice, none left out"
    one, other = (house.registry.manifest("mnist-softmax", version) for version in (1, 2))
    assert one.weights_sha256 == other.weights_sha256


def test_a_frozen_worker_is_replaced(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks for a cancel, and its line stays open: only its silence tells."""
    monkeypatch.setattr("service.jobs.engine.WORKER_TIMEOUT_S", 4.0)
    monkeypatch.setattr("service.jobs.engine.HEARTBEAT_S", 0.2)
    job_id = house.submit(**ENDLESS)
    house.wait_for_step(job_id, 15 * 5)
    (worker,) = workers_of()
    worker.suspend()
    house.wait(job_id, lambda job: JobState.QUEUED in [move.state for move in job.history[1:]])
    frozen_at = house.jobs.weights(job_id, "last").next_step
    house.wait_for_step(job_id, frozen_at + 15)
    assert worker.pid not in {worker.pid for worker in workers_of()}
    house.jobs.cancel(job_id)
    assert house.wait(job_id).state is JobState.CANCELLED


def test_it_went_on_from_its_checkpoint(house: House) -> None:
    """Not from the beginning: the first new check after the death is a later one."""
    job_id = house.submit(**ENDLESS)
    house.wait_for_step(job_id, 15 * 100)
    first = house.jobs.weights(job_id, "last").next_step
    kill_its_worker(house, job_id)
    house.wait(job_id, lambda job: job.state is JobState.RUNNING)
    house.wait(job_id, lambda job: house.jobs.weights(job_id, "last").next_step > first)
    checks = [event for event in house.jobs.events(job_id, limit=10_000).events if event.kind == "check"]
    resumed = [event.data["progress"] for event in checks if event.data["step"] > first]
    assert resumed, "and its pace is that of the new attempt"
    house.jobs.cancel(job_id)
    house.wait(job_id)
    house.curve(job_id)


def test_the_third_death_is_the_last(house: House) -> None:
    job_id = house.submit(**ENDLESS)
    for attempt in range(3):
        house.wait(
            job_id,
            lambda job: job.state is JobState.RUNNING and len(job.history) == 2 * attempt + 2,  # noqa: B023
        )
        busy_worker()
        kill_its_worker(house, job_id)
    job = house.wait(job_id)
    assert job.state is JobState.FAILED and job.error is not None and job.model is None
    assert job.error["type"] == "/problems/worker-lost"
    assert house.states(job_id) == ["queued", "running"] * 3 + ["failed"]
    assert house.train().state is JobState.SUCCEEDED, "the next job is none the worse for it"


def test_a_worker_that_dies_before_it_said_anything(house: House) -> None:
    first = house.train()
    worker = workers_of()[0]
    worker.suspend()
    job_id = house.submit(seed=1)
    house.wait(job_id, lambda job: job.state is JobState.RUNNING)
    worker.kill()
    job = house.wait(job_id)
    assert job.state is JobState.SUCCEEDED and first.model is not None
    assert house.states(job_id) == ["queued", "running", "queued", "running", "succeeded"]


def test_an_idle_worker_that_dies_costs_nothing(house: House) -> None:
    house.train()
    (worker,) = workers_of()
    kill_and_see_dead(worker)
    job = house.train()
    assert [move.state.value for move in job.history] == ["queued", "running", "succeeded"]


def test_a_worker_that_dies_while_its_job_is_cancelled(house: House) -> None:
    job_id = house.submit(**ENDLESS)
    house.wait_for_step(job_id, 0)
    (worker,) = workers_of()
    worker.suspend()
    house.jobs.cancel(job_id)
    worker.kill()
    job = house.wait(job_id)
    assert job.state is JobState.CANCELLED and job.model == {"name": "mnist-softmax", "version": 1}
    assert house.registry.load("mnist-softmax", 1).manifest.stop_reason == "cancelled"


def test_a_worker_that_does_not_listen_is_killed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.jobs.stack.KILL_AFTER_S", 0.2)
    job_id = house.submit(**ENDLESS)
    house.wait_for_step(job_id, 0)
    (worker,) = workers_of()
    worker.suspend()
    house.jobs.cancel(job_id)
    assert house.wait(job_id).state is JobState.CANCELLED
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_the_neighbour_of_a_killed_worker_is_unharmed(make_house: MakeHouse) -> None:
    others = workers_of()
    house = make_house(lambda: ProcessesExecutor(2))
    house.engine.start()
    ids = [house.submit(**ENDLESS) for _ in range(2)]
    for job_id in ids:
        house.wait_for_step(job_id, 0)
    next(worker for worker in workers_of() if worker not in others).kill()
    eventually(lambda: any(len(house.jobs.get(job_id).history) > 2 for job_id in ids))
    ((lost, _), (neighbour, history)) = sorted(
        ((job_id, house.states(job_id)) for job_id in ids), key=lambda item: -len(item[1])
    )
    assert history == ["queued", "running"]
    latest = house.jobs.get(neighbour).latest
    assert latest is not None
    house.wait_for_step(neighbour, latest.step + 30)
    house.wait(lost, lambda job: len(job.history) == 4)
    for job_id in ids:
        house.jobs.cancel(job_id)
        assert house.wait(job_id).state is JobState.CANCELLED
    assert house.states(neighbour) == ["queued", "running", "cancelling", "cancelled"]


def test_stopping_does_not_wait_for_a_worker_that_does_not_listen(make_house: MakeHouse) -> None:
    others = workers_of()
    house = make_house(lambda: ProcessesExecutor(1))
    house.engine.start()
    job_id = house.submit(**ENDLESS)
    house.wait_for_step(job_id, 0)
    (worker,) = (worker for worker in workers_of() if worker not in others)
    worker.suspend()
    house.engine.stop(hand_back_s=0.3)
    assert workers_of() == others
    assert house.jobs.get(job_id).state is JobState.RUNNING

    following = make_house(lambda: ProcessesExecutor(1))
    following.engine.start()
    following.wait(job_id, lambda job: len(job.history) == 4)
    assert following.states(job_id) == ["queued", "running", "queued", "running"]
    following.jobs.cancel(job_id)
    following.wait(job_id)
